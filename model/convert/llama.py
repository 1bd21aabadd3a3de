"""Reader of the ``config.json`` of a Llama model (``LlamaForCausalLM``), for conversion.

A key is part of the shape, or has the one value that can be converted, or does not affect the function that the
weights compute. Any other key is an error, as in ``model.config_json``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.config import Yarn
from model.config_json import KEYS_WITHOUT_EFFECT, ROPE_KEYS, Json, check_same, check_types, is_of, read_json, read_rope
from model.errors import ModelError

REQUIRED = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size")
OPTIONAL = ("bos_token_id", "eos_token_id", "initializer_range", "max_position_embeddings", "pad_token_id",
            "rms_norm_eps", "tie_word_embeddings")  # fmt: skip
FIXED: Json = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "hidden_act": "silu",
    "mlp_bias": False,
    "rope_interleaved": False,
}
WITHOUT_EFFECT = KEYS_WITHOUT_EFFECT | {
    *("_model_name_or_path", "attention_dropout", "is_llama_config", "transformers.js_config", "unk_token_id")
}
ROPE_REMEDY = "only rope_type 'default' and 'yarn' can be converted; convert a checkpoint without other rope scaling"


@dataclass(frozen=True, slots=True)
class Llama:
    """Shape of a Llama model. ``shared``: the values whose names a DSA model's configuration has too."""

    heads: int
    kv_heads: int
    head_dim: int
    rope_theta: float
    yarn: Yarn | None
    shared: dict[str, Any]


def read_llama(folder: Path) -> Llama:
    """Reads the shape of the Llama model in ``folder``. Raises ModelError naming every missing or unsupported key."""
    present = {key: entry for key, entry in read_json(folder).items() if entry is not None}
    try:
        return _llama(present)
    except ModelError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}") from error


def _llama(present: Json) -> Llama:
    if (kind := present.get("model_type")) != "llama":
        raise ModelError(f"model_type is {kind!r}; only 'llama' can be converted")
    check_same(present, FIXED)
    own = {"model_type", "num_key_value_heads", "head_dim"}
    if unknown := sorted(present.keys() - {*REQUIRED, *OPTIONAL, *FIXED, *WITHOUT_EFFECT, *ROPE_KEYS, *own}):
        raise ModelError(f"unknown keys: {', '.join(unknown)}. Remove those that do not change what the model computes")
    if missing := sorted(set(REQUIRED) - present.keys()):
        raise ModelError(f"missing keys: {', '.join(missing)}")
    shared = {name: present[name] for name in (*REQUIRED, *OPTIONAL) if name in present}
    check_types(shared)
    if isinstance(shared.get("eos_token_id"), list):
        shared["eos_token_id"] = tuple(shared["eos_token_id"])
    heads = shared["num_attention_heads"]
    theta, yarn = _rope(present)
    kv_heads = _size(present, "num_key_value_heads", heads)
    if heads < 1 or heads % kv_heads:
        raise ModelError(f"num_attention_heads={heads} is not a multiple of num_key_value_heads={kv_heads}")
    return Llama(heads, kv_heads, _size(present, "head_dim", shared["hidden_size"] // heads), theta, yarn, shared)


def _size(present: Json, name: str, default: int) -> int:
    size = present.get(name, default)
    if not is_of(size, (int,)) or size < 1:
        raise ModelError(f"{name}={size!r} is not a positive integer")
    return size


def _rope(present: Json) -> tuple[float, Yarn | None]:
    """Reads theta and YaRN; partial rotary embeddings and other rope scaling cannot be converted."""
    rope = {key: dict(present.get(key) or {}) for key in ("rope_parameters", "rope_scaling")}
    if any(parameters.pop("partial_rotary_factor", 1.0) != 1.0 for parameters in rope.values()):
        raise ModelError("partial_rotary_factor below 1: only models that rotate whole heads can be converted")
    try:
        return read_rope({**present, **rope})
    except ModelError as error:
        raise ModelError(f"rope_parameters or rope_scaling: {error}; {ROPE_REMEDY}") from error
