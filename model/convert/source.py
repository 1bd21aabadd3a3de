"""Reader of the ``config.json`` of a grouped-query model (Llama, Mistral, Qwen2, Qwen3), for conversion.

A key is part of the shape, or has the one value that can be converted, or does not affect the function that the
weights compute. Any other key is an error, as in ``model.config_json``.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model.config_json import (
    KEYS_WITHOUT_EFFECT,
    ROPE_KEYS,
    Json,
    Rope,
    check_same,
    check_types,
    is_of,
    read_json,
    read_rope,
)
from model.errors import ModelError
from model.rope import attention_factor

REQUIRED = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size")
OPTIONAL = ("bos_token_id", "eos_token_id", "initializer_range", "max_position_embeddings", "pad_token_id",
            "rms_norm_eps", "tie_word_embeddings")  # fmt: skip
FIXED: Json = {
    "attention_bias": False,
    "hidden_act": "silu",
    "mlp_bias": False,
    "rope_interleaved": False,
    "use_mrope": False,
    "use_sliding_window": False,
}
WITHOUT_EFFECT = KEYS_WITHOUT_EFFECT | {
    *("_model_name_or_path", "attention_dropout", "is_llama_config", "transformers.js_config", "unk_token_id")
}
ROPE_REMEDY = "or convert a checkpoint without rope scaling"


@dataclass(frozen=True, slots=True)
class Family:
    """A ``model_type`` that can be converted.

    ``stated``: keys that must be there, because their defaults differ between families. ``window_keys``: keys without
    effect while ``use_sliding_window`` is false.
    """

    architecture: str
    qkv_bias: bool = False
    qk_norm: bool = False
    stated: tuple[str, ...] = ()
    window_keys: tuple[str, ...] = ()


QWEN_WINDOW = ("sliding_window", "max_window_layers", "layer_types")
FAMILIES = {
    "llama": Family("LlamaForCausalLM"),
    "mistral": Family("MistralForCausalLM", stated=("num_key_value_heads", "sliding_window")),
    "qwen2": Family("Qwen2ForCausalLM", qkv_bias=True, stated=("num_key_value_heads",), window_keys=QWEN_WINDOW),
    "qwen3": Family(
        "Qwen3ForCausalLM", qk_norm=True, stated=("num_key_value_heads", "head_dim"), window_keys=QWEN_WINDOW
    ),
}


@dataclass(frozen=True, slots=True)
class SourceModel:
    """Shape of a grouped-query model. ``shared``: the values whose names a DSA model's configuration has too.

    ``query_scale``: factor of the queries that gives the source's attention scores under ``rope``.
    """

    family: Family
    heads: int
    kv_heads: int
    head_dim: int
    rope: Rope
    query_scale: float
    shared: dict[str, Any] = field(default_factory=dict)


def read_source(folder: Path) -> SourceModel:
    """Reads the shape of the model in ``folder``. Raises ModelError naming every missing or unsupported key."""
    try:
        return source_from_json(read_json(folder))
    except ModelError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}") from error


def source_from_json(value: Json) -> SourceModel:
    """Converts a parsed ``config.json``. Raises ModelError naming every missing or unsupported key."""
    present = {key: entry for key, entry in value.items() if entry is not None}
    kind = present.get("model_type")
    if kind not in FAMILIES:
        known = ", ".join(map(repr, FAMILIES))
        raise ModelError(f"model_type is {kind!r}; only {known} can be converted")
    family = FAMILIES[kind]
    check_same(present, {**FIXED, "architectures": [family.architecture]})
    _check_windows(present, family)
    own = {"model_type", "num_key_value_heads", "head_dim", *family.window_keys, *family.stated}
    if unknown := sorted(
        present.keys() - {*REQUIRED, *OPTIONAL, *FIXED, "architectures", *WITHOUT_EFFECT, *ROPE_KEYS, *own}
    ):
        raise ModelError(f"unknown keys: {', '.join(unknown)}. Remove those that do not change what the model computes")
    if missing := sorted({*REQUIRED} - present.keys() | {*family.stated} - value.keys()):
        raise ModelError(f"missing keys: {', '.join(missing)}")
    shared = {name: present[name] for name in (*REQUIRED, *OPTIONAL) if name in present}
    check_types(shared)
    if isinstance(shared.get("eos_token_id"), list):
        shared["eos_token_id"] = tuple(shared["eos_token_id"])
    heads = shared["num_attention_heads"]
    rope, query_scale = _rope(present)
    kv_heads = _size(present, "num_key_value_heads", heads)
    if heads < 1 or heads % kv_heads:
        raise ModelError(f"num_attention_heads={heads} is not a multiple of num_key_value_heads={kv_heads}")
    head_dim = _size(present, "head_dim", shared["hidden_size"] // heads)
    return SourceModel(family, heads, kv_heads, head_dim, rope, query_scale, shared)


def _check_windows(present: Json, family: Family) -> None:
    """Raises ModelError if a layer attends within a window, which DSA's selection does not express."""
    if "sliding_window" in family.stated and "sliding_window" in present:
        raise ModelError(
            f"sliding_window={present['sliding_window']!r}: only models with full attention can be converted"
        )
    kinds = present.get("layer_types", [])
    if "layer_types" in family.window_keys and set(kinds) - {"full_attention"}:
        raise ModelError(f"layer_types has {', '.join(sorted({*kinds}))}; only full_attention can be converted")


def _size(present: Json, name: str, default: int) -> int:
    size = present.get(name, default)
    if not is_of(size, (int,)) or size < 1:
        raise ModelError(f"{name}={size!r} is not a positive integer")
    return size


def _rope(present: Json) -> tuple[Rope, float]:
    """Reads theta, scaling and the factor of queries; partial rotary embeddings and other scaling cannot be converted.

    Llama multiplies cosines and sines by YaRN's ``attention_factor``, or the quotient of two mscales, and leaves the
    softmax scale alone, where DeepSeek's models multiply it by m^2. So the converted model has neither mscale, and its
    queries are multiplied by the square of the quotient of both factors, which is the same since whole heads are
    rotated.
    """
    scaling = {key: dict(present.get(key) or {}) for key in ("rope_parameters", "rope_scaling")}
    if any(parameters.pop("partial_rotary_factor", 1.0) != 1.0 for parameters in scaling.values()):
        raise ModelError("partial_rotary_factor below 1: only models that rotate whole heads can be converted")
    stated = [parameters.pop("attention_factor", None) for parameters in scaling.values() if parameters]
    if any(not is_of(factor, (int, float)) for factor in stated if factor is not None) or len(set(stated)) > 1:
        raise ModelError(f"attention_factor: {stated} are not one number; keep the one that the model was trained with")
    try:
        rope = read_rope({**present, **scaling})
    except ModelError as error:
        raise ModelError(f"rope_parameters or rope_scaling: {error}; {ROPE_REMEDY}") from error
    if rope.yarn is None:
        return rope, 1.0
    plain = replace(rope.yarn, mscale=1.0, mscale_all_dim=0.0)
    given = scaling["rope_parameters"] or scaling["rope_scaling"]
    both = given.get("mscale") and given.get("mscale_all_dim")  # one alone has no effect in transformers
    factor = next(iter(stated), None) or attention_factor(rope.yarn if both else plain)
    return rope._replace(yarn=plain), (factor / attention_factor(plain)) ** 2
