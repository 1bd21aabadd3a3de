"""Reading and writing of the ``config.json`` of a DeepSeek-V3.2 checkpoint.

A model that DeepSeek's keys cannot describe (a converted one) has its own ``model_type``, so that no other program
loads it as DeepSeek's and silently computes something else.

A key is a field of ModelConfig, or has the one value that this code implements, or does not affect the function that
the weights compute. Any other key is an error, because ignoring it could silently compute something else.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

from model.config import Llama3Rope, ModelConfig, Yarn
from model.errors import ModelError
from model.fp8 import BLOCK

Json = Mapping[str, Any]

# Written too: vLLM fails or scores wrongly without topk_method, scoring_func and moe_layer_freq.
FIXED: Json = {
    "architectures": ["DeepseekV32ForCausalLM"],
    "model_type": "deepseek_v32",
    "hidden_act": "silu",
    "attention_bias": False,
    "topk_method": "noaux_tc",
    "scoring_func": "sigmoid",
    "moe_layer_freq": 1,
}
# For a model in which one of OWN_KEYS (fields of ModelConfig) differs from the value here.
OWN_TYPE: Json = {"architectures": ["LemmataDsaForCausalLM"], "model_type": "lemmata_dsa"}
OWN_KEYS: Json = {"latent_norm": True, "rope_groups": 1, "qkv_bias": False, "qk_norm": False}
FIXED_IF_PRESENT: Json = {"mlp_bias": False, "rope_interleave": True, "attention_dropout": 0.0}
QUANTIZATION: Json = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [BLOCK, BLOCK]}
KEYS_WITHOUT_EFFECT = frozenset({
    *("_name_or_path", "auto_map", "dtype", "torch_dtype", "transformers_version", "ep_size", "pretraining_tp"),
    *("use_cache", "output_attentions", "output_hidden_states", "output_router_logits", "return_dict"),
    *("aux_loss_alpha", "router_aux_loss_coef", "seq_aux"),
})  # fmt: skip
ROPE_KEYS = ("rope_theta", "rope_scaling", "rope_parameters")
SCALINGS = {"yarn": Yarn, "llama3": Llama3Rope}
# Optional in ModelConfig, but transformers and vLLM replace a missing one by DeepSeek's values, which differ.
STATED = ("first_k_dense_replace", "n_group", "q_lora_rank", "routed_scaling_factor", "topk_group")
CONFIG_FIELDS = tuple(field for field in fields(ModelConfig) if field.name not in ("yarn", "llama3"))
_KINDS: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), bool: (bool,), int | None: (int,)}


def read_config(folder: Path) -> ModelConfig:
    """Reads the configuration in ``folder``. Raises ModelError if it is missing, unreadable or not a DSA model's."""
    value = read_json(folder)
    try:
        return config_from_json(value)
    except ModelError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}") from error


def read_json(folder: Path) -> dict[str, Any]:
    """Reads the JSON object in ``folder``'s config.json. Raises ModelError if there is none."""
    path = folder / "config.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} is not a model folder: it has no config.json") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} is not a JSON object")
    return value


def config_from_json(value: Json) -> ModelConfig:
    """Converts a parsed ``config.json``. Raises ModelError naming every missing, unknown or unsupported key."""
    present = {key: entry for key, entry in value.items() if entry is not None}
    own = _check_fixed(present)
    known = (
        {field.name for field in CONFIG_FIELDS if own or field.name not in OWN_KEYS}
        | KEYS_WITHOUT_EFFECT
        | set(FIXED)
        | set(FIXED_IF_PRESENT)
        | {"quantization_config"}
    )
    if unknown := sorted(set(present) - known - set(ROPE_KEYS) - set(_derived_names())):
        raise ModelError(f"unknown keys: {', '.join(unknown)}. Remove those that do not change what the model computes")
    required = {field.name for field in CONFIG_FIELDS if field.default is MISSING}
    if missing := sorted((required - set(present)) | (set(STATED) - set(value))):
        raise ModelError(f"missing keys: {', '.join(missing)}")
    rope = read_rope(present)
    if rope.llama3 is not None and not own:
        raise ModelError("rope type 'llama3' is not DeepSeek's; use 'default' or 'yarn'")
    values = {field.name: present[field.name] for field in CONFIG_FIELDS if field.name in present}
    check_types(values)
    if isinstance(values.get("eos_token_id"), list):
        values["eos_token_id"] = tuple(values["eos_token_id"])
    config = ModelConfig(**values | rope._asdict())
    check_same(present, _derived(config))
    return config


def config_to_json(config: ModelConfig) -> dict[str, Any]:
    """Returns the ``config.json`` for ``config``: DeepSeek's keys, which transformers and vLLM read too.

    If those do not suffice, OWN_KEYS are added under OWN_TYPE, which transformers and vLLM refuse.
    """
    values = asdict(config)
    own = {key: values.pop(key) for key in OWN_KEYS}
    scalings = {kind: values.pop(kind) for kind in SCALINGS}
    scaling = next(({"type": kind, "rope_type": kind, **entry} for kind, entry in scalings.items() if entry), None)
    kind = FIXED if own == OWN_KEYS and config.llama3 is None else {**FIXED, **OWN_TYPE, **own}
    return {**kind, **values, "num_key_value_heads": config.num_attention_heads, "rope_scaling": scaling}


def _check_fixed(present: Json) -> bool:
    """Checks the keys with fixed values; returns True if the model is of OWN_TYPE."""
    kind, converted, deepseek = present.get("model_type"), OWN_TYPE["model_type"], FIXED["model_type"]
    if kind not in (converted, deepseek):
        raise ModelError(
            f"model_type is {kind!r}; only {deepseek!r} (DeepSeek Sparse Attention) and {converted!r} (a model "
            "converted by `python -m model.convert`) can be loaded"
        )
    check_same(present, {**FIXED, **FIXED_IF_PRESENT, **(OWN_TYPE if kind == converted else {})})
    check_same(present.get("quantization_config", {}), QUANTIZATION)
    return kind == converted


def check_same(present: Json, expected: Json) -> None:
    """Raises ModelError if a key is present with a value other than the expected one."""
    wrong = [key for key in expected if key in present and present[key] != expected[key]]
    if wrong:
        raise ModelError("; ".join(f"{key}={present[key]!r}, but only {expected[key]!r} is supported" for key in wrong))


def check_types(values: Json) -> None:
    """Raises ModelError if a field of ModelConfig has a value of the wrong type."""
    types = {field.name: _KINDS[field.type] for field in CONFIG_FIELDS if field.type in _KINDS}
    wrong = [name for name in values.keys() & types.keys() if not is_of(values[name], types[name])]
    if wrong:
        raise ModelError("; ".join(f"{name}={values[name]!r} has the wrong type" for name in sorted(wrong)))


def is_of(value: Any, kinds: tuple[type, ...]) -> bool:
    """Returns True if a JSON value is of ``kinds``; true and false are not numbers."""
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _derived_names() -> tuple[str, ...]:
    return ("head_dim", "layer_types", "mlp_layer_types", "num_key_value_heads", "qk_head_dim")


def _derived(config: ModelConfig) -> Json:
    """Returns the keys that transformers writes and whose values follow from other keys."""
    layers = range(config.num_hidden_layers)
    return {
        "head_dim": config.qk_rope_head_dim,
        "layer_types": ["indexed_attention" for _ in layers],
        "mlp_layer_types": ["dense" if config.is_dense(layer) else "sparse" for layer in layers],
        "num_key_value_heads": config.num_attention_heads,
        "qk_head_dim": config.qk_head_dim,
    }


class Rope(NamedTuple):
    """Fields of ModelConfig that describe the angles of rotary embeddings."""

    rope_theta: float
    yarn: Yarn | None = None
    llama3: Llama3Rope | None = None


def read_rope(present: Json) -> Rope:
    """Reads theta and scaling: ``rope_parameters`` (transformers 5), or ``rope_theta`` and ``rope_scaling`` (DeepSeek).

    Raises ModelError if the two disagree, because programs differ in the one that they read.
    """
    given = [dict(present[key]) for key in ("rope_parameters", "rope_scaling") if present.get(key)] or [{}]
    readings = [_rope(present, rope) for rope in given]
    if readings[0] != readings[-1]:
        raise ModelError("rope_parameters and rope_scaling disagree; keep the one that the model was trained with")
    return readings[0]


def _rope(present: Json, rope: dict[str, Any]) -> Rope:
    theta = rope.pop("rope_theta", present.get("rope_theta", 10000.0))
    if theta != present.get("rope_theta", theta):
        raise ModelError(
            f"rope_theta={present['rope_theta']} disagrees with the {theta} of rope_parameters or rope_scaling; "
            "keep the one that the model was trained with"
        )
    kind = rope.pop("rope_type", None)
    kind = rope.pop("type", kind) or "default"
    rope = {key: entry for key, entry in rope.items() if entry is not None}
    if kind == "default" and not rope:
        return Rope(float(theta))
    if kind not in SCALINGS:
        raise ModelError(f"rope type {kind!r} is not supported; use 'default', 'yarn' or 'llama3'")
    rope.setdefault("original_max_position_embeddings", present.get("max_position_embeddings"))
    known = fields(SCALINGS[kind])
    name = {"yarn": "YaRN", "llama3": "Llama 3"}[kind]
    if unknown := sorted(set(rope) - {field.name for field in known}):
        raise ModelError(f"unknown {name} keys: {', '.join(unknown)}")
    if wrong := sorted(key for key, entry in rope.items() if not is_of(entry, (int, float))):
        raise ModelError(f"{name} values that are not numbers: {', '.join(wrong)}")
    required = {field.name for field in known if field.default is MISSING}
    if missing := sorted(required - set(rope)):
        raise ModelError(f"{name} parameters without {', '.join(missing)}; add what the model was trained with")
    return Rope(float(theta), **{kind: SCALINGS[kind](**rope)})
