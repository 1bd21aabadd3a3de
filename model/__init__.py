"""DeepSeek-Sparse-Attention transformer: configuration, modules, cache, checkpoints and generation engine.

The names below load torch when they are first used, not when the package is imported.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.checkpoint import load_pretrained, save_pretrained
    from model.config import ModelConfig
    from model.errors import ModelError
    from model.initialize import new_model

__all__ = ["ModelConfig", "ModelError", "load_pretrained", "new_model", "save_pretrained"]

_MODULES = {
    "ModelConfig": "model.config",
    "ModelError": "model.errors",
    "load_pretrained": "model.checkpoint",
    "new_model": "model.initialize",
    "save_pretrained": "model.checkpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
