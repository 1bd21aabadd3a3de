"""Generation engine. Importing it loads torch and transformers' tokenizers."""

from model.engine.engine import Engine, EngineLoad
from model.engine.request import Completion, Request, SamplingParams
from model.engine.service import EngineService
from model.engine_config import EngineConfig

__all__ = ["Completion", "Engine", "EngineConfig", "EngineLoad", "EngineService", "Request", "SamplingParams"]
