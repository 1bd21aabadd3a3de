"""Generation engine. Importing it loads torch and transformers' tokenizers."""

from model.engine.engine import EngineLoad, LLMEngine
from model.engine.request import CompletionOutput, Request, SamplingParams
from model.engine.service import EngineService
from model.engine_config import EngineConfig

__all__ = ["CompletionOutput", "EngineConfig", "EngineLoad", "EngineService", "LLMEngine", "Request", "SamplingParams"]
