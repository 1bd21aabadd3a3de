"""Compatibility of models to merge: configurations and tokenizers must be the same."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.config import ModelConfig
from model.errors import ModelError
from model.tokenizer import load_tokenizer

WITHOUT_EFFECT = frozenset({"initializer_range"})  # used by new models only
SPECIAL = ("bos_token", "eos_token", "pad_token")


def config_differences(first: ModelConfig, other: ModelConfig) -> list[str]:
    """Lists the settings that differ, except those without effect on a trained model."""
    expected, found = asdict(first), asdict(other)
    names = sorted(name for name in expected if name not in WITHOUT_EFFECT and expected[name] != found[name])
    return [f"config.json: {name} is {found[name]!r} instead of {expected[name]!r}" for name in names]


def tokenizer_differences(first: Path, other: Path) -> list[str]:
    """Lists the parts of two folders' tokenizers that differ. Raises ModelError where one cannot be read."""
    expected, found = _tokenizer(first), _tokenizer(other)
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    return [f"{name} differs" for name in names]


def _tokenizer(folder: Path) -> Mapping[str, Any]:
    """Returns the parts of a tokenizer, by names for messages."""
    loaded = load_tokenizer(folder)
    try:
        parts = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"the tokenizer in {folder} cannot be read: {error}") from error
    return {
        **{f"{name} in tokenizer.json": part for name, part in parts.items()},
        **{name: getattr(loaded, name) for name in SPECIAL},
        "chat template": loaded.chat_template,
    }
