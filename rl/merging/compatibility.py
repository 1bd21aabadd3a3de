"""Whether models may be merged: all but their weights must be the same, tokenizers too."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.config import ModelConfig
from model.errors import ModelError
from model.tokenizer import load_tokenizer

WITHOUT_EFFECT = frozenset({"initializer_range"})  # only what begins from nothing uses it
SPECIAL = ("bos_token", "eos_token", "pad_token")


def config_differences(first: ModelConfig, other: ModelConfig) -> list[str]:
    """Settings that differ and change what a model computes or where its texts end."""
    ours, theirs = asdict(first), asdict(other)
    names = sorted(name for name in ours if name not in WITHOUT_EFFECT and ours[name] != theirs[name])
    return [f"config.json: {name} is {theirs[name]!r} instead of {ours[name]!r}" for name in names]


def tokenizer_differences(first: Path, other: Path) -> list[str]:
    """Parts of the tokenizers in two model folders that differ. Raises ModelError where one cannot be read."""
    ours, theirs = _tokenizer(first), _tokenizer(other)
    names = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    return [f"another {name}" for name in names]


def _tokenizer(folder: Path) -> Mapping[str, Any]:
    """A tokenizer by its parts, named as a user finds them."""
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
