"""Reader of the ``config.json`` of a Llama model (``LlamaForCausalLM``), for conversion.

A key is part of the shape, or has the one value that can be converted, or does not affect the function that the
weights compute. Any other key is an error, as in ``model.config_json``.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.config import Yarn
from model.config_json import KEYS_WITHOUT_EFFECT, ROPE_KEYS, Json, check_same, check_types, is_of, read_json, read_rope
from model.errors import ModelError
from model.rope import attention_factor

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
    """Shape of a Llama model. ``shared``: the values whose names a DSA model's configuration has too.

    ``query_scale``: factor of the queries that gives the source's attention scores under ``yarn``.
    """

    heads: int
    kv_heads: int
    head_dim: int
    rope_theta: float
    yarn: Yarn | None
    query_scale: float
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
    theta, yarn, query_scale = _rope(present)
    kv_heads = _size(present, "num_key_value_heads", heads)
    if heads < 1 or heads % kv_heads:
        raise ModelError(f"num_attention_heads={heads} is not a multiple of num_key_value_heads={kv_heads}")
    head_dim = _size(present, "head_dim", shared["hidden_size"] // heads)
    return Llama(heads, kv_heads, head_dim, theta, yarn, query_scale, shared)


def _size(present: Json, name: str, default: int) -> int:
    size = present.get(name, default)
    if not is_of(size, (int,)) or size < 1:
        raise ModelError(f"{name}={size!r} is not a positive integer")
    return size


def _rope(present: Json) -> tuple[float, Yarn | None, float]:
    """Reads theta, YaRN and the factor of queries; partial rotary embeddings and other scaling cannot be converted.

    Llama multiplies cosines and sines by ``attention_factor``, or the quotient of two mscales, and leaves the softmax
    scale alone, where DeepSeek's models multiply it by m^2. So the converted model has neither mscale, and its queries
    are multiplied by the square of the quotient of both factors, which is the same since whole heads are rotated.
    """
    rope = {key: dict(present.get(key) or {}) for key in ("rope_parameters", "rope_scaling")}
    if any(parameters.pop("partial_rotary_factor", 1.0) != 1.0 for parameters in rope.values()):
        raise ModelError("partial_rotary_factor below 1: only models that rotate whole heads can be converted")
    stated = [parameters.pop("attention_factor", None) for parameters in rope.values() if parameters]
    if any(not is_of(factor, (int, float)) for factor in stated if factor is not None) or len(set(stated)) > 1:
        raise ModelError(f"attention_factor: {stated} are not one number; keep the one that the model was trained with")
    try:
        theta, yarn = read_rope({**present, **rope})
    except ModelError as error:
        raise ModelError(f"rope_parameters or rope_scaling: {error}; {ROPE_REMEDY}") from error
    if yarn is None:
        return theta, None, 1.0
    plain = replace(yarn, mscale=1.0, mscale_all_dim=0.0)
    given = rope["rope_parameters"] or rope["rope_scaling"]
    both = given.get("mscale") and given.get("mscale_all_dim")  # one alone has no effect in transformers
    factor = next(iter(stated), None) or attention_factor(yarn if both else plain)
    return theta, plain, (factor / attention_factor(plain)) ** 2
