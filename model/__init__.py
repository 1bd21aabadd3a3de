"""The DSA transformer: configuration, modules, cache and checkpoints. Importing it loads torch."""

from model.checkpoint import load_pretrained, save_pretrained
from model.config import ModelConfig
from model.errors import ModelError
from model.initialize import new_model

__all__ = ["ModelConfig", "ModelError", "load_pretrained", "new_model", "save_pretrained"]
