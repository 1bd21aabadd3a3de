"""config.json: reading, writing, and errors."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from model.config import Llama3Rope, ModelConfig, Yarn
from model.config_json import STATED, config_from_json, config_to_json, read_config
from model.errors import ModelError
from tests.model.tiny import TINY

LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
# Keys of the released DeepSeek-V3.2-Exp, with the values that matter.
RELEASED: dict[str, Any] = {
    "architectures": ["DeepseekV32ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "ep_size": 1,
    "first_k_dense_replace": 3,
    "hidden_act": "silu",
    "hidden_size": 7168,
    "index_head_dim": 128,
    "index_n_heads": 64,
    "index_topk": 2048,
    "initializer_range": 0.02,
    "intermediate_size": 18432,
    "kv_lora_rank": 512,
    "max_position_embeddings": 163840,
    "model_type": "deepseek_v32",
    "moe_intermediate_size": 2048,
    "moe_layer_freq": 1,
    "n_group": 8,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "norm_topk_prob": True,
    "num_attention_heads": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 61,
    "num_key_value_heads": 128,
    "num_nextn_predict_layers": 1,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "quantization_config": {
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "quant_method": "fp8",
        "scale_fmt": "ue8m0",
        "weight_block_size": [128, 128],
    },
    "rms_norm_eps": 1e-06,
    "rope_scaling": {
        "beta_fast": 32,
        "beta_slow": 1,
        "factor": 40,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "original_max_position_embeddings": 4096,
        "type": "yarn",
    },
    "rope_theta": 10000,
    "routed_scaling_factor": 2.5,
    "scoring_func": "sigmoid",
    "tie_word_embeddings": False,
    "topk_group": 4,
    "topk_method": "noaux_tc",
    "torch_dtype": "bfloat16",
    "transformers_version": "4.44.2",
    "use_cache": True,
    "v_head_dim": 128,
    "vocab_size": 129280,
}


def test_the_released_config() -> None:
    config = config_from_json(RELEASED)
    assert config.num_hidden_layers == 61
    assert config.yarn == Yarn(40, 4096, mscale=1.0, mscale_all_dim=1.0)
    assert config.eos_token_id == 1
    assert config.cache_width == 576


def test_the_names_of_transformers_5() -> None:
    rope = {"rope_parameters": {"rope_type": "yarn", "rope_theta": 5.0, "factor": 2.0, "attention_factor": None}}
    value = {**RELEASED, "rope_theta": None, "rope_scaling": None, "max_position_embeddings": 99} | rope
    config = config_from_json(value)
    assert config.rope_theta == 5.0
    assert config.yarn == Yarn(2.0, 99)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"yarn": Yarn(2.0, 8, mscale_all_dim=0.5)},
        {"q_lora_rank": None, "eos_token_id": (1, 2)},
        {"latent_norm": False},
        {"rope_groups": 2},
        {"qkv_bias": True, "q_lora_rank": None, "qk_nope_head_dim": 0},
        {"qk_norm": True, "q_lora_rank": None, "qk_nope_head_dim": 0},
        {"llama3": Llama3Rope(8.0, 1.0, 4.0, 32)},
    ],
)
def test_written_and_read_again(changes: dict[str, Any], tmp_path: Path) -> None:
    config = replace(TINY, **changes)
    (tmp_path / "config.json").write_text(json.dumps(config_to_json(config)))
    assert read_config(tmp_path) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"brand_new_switch": 1}, "unknown keys: brand_new_switch"),
        ({"hidden_size": None, "kv_lora_rank": None}, "missing keys: hidden_size, kv_lora_rank"),
        ({"model_type": "deepseek_v3"}, "model_type is 'deepseek_v3'"),
        ({"model_type": "lemmata_dsa"}, "architectures="),
        ({"rope_groups": 2}, "unknown keys: rope_groups"),
        ({"scoring_func": "softmax"}, "scoring_func='softmax', but only 'sigmoid'"),
        ({"attention_bias": True}, "attention_bias=True"),
        ({"hidden_size": "7168"}, "hidden_size='7168' has the wrong type"),
        ({"hidden_size": True}, "hidden_size=True has the wrong type"),
        ({"q_lora_rank": 1.5}, "q_lora_rank=1.5 has the wrong type"),
        ({"rope_scaling": LLAMA3}, "rope type 'llama3' is not DeepSeek's"),
        ({"rope_scaling": {"type": "llama3", "factor": 2}}, "Llama 3 parameters without high_freq_factor, low_freq"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2}}, "rope type 'dynamic'"),
        ({"rope_scaling": {"type": "yarn"}}, "without factor"),
        ({"rope_scaling": {"type": "yarn", "factor": "2"}}, "not numbers: factor"),
        ({"rope_scaling": {"type": "yarn", "factor": 2, "twist": 1}}, "unknown YaRN keys: twist"),
        ({"quantization_config": {"quant_method": "awq"}}, "quant_method='awq', but only 'fp8'"),
        ({"quantization_config": {"weight_block_size": [64, 64]}}, "weight_block_size="),
        ({"mlp_layer_types": ["sparse"] * 61}, "mlp_layer_types="),
        ({"num_key_value_heads": 8}, "num_key_value_heads=8, but only 128"),
        ({"qk_rope_head_dim": 63}, "is odd"),
        ({"index_head_dim": 32}, "index_head_dim=32 is below"),
        ({"n_routed_experts": 255}, "n_routed_experts=255 .* n_group"),
        ({"n_group": 256}, "n_group=256 "),
        ({"topk_group": 9}, "topk_group=9 is above"),
        ({"num_experts_per_tok": 200}, "num_experts_per_tok=200 "),
        ({"vocab_size": 0}, "vocab_size=0 is too small"),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 2}}, "rope_parameters and rope_scaling disagree"),
        ({"rope_parameters": {"rope_theta": 5.0}, "rope_scaling": None}, "rope_theta=10000 disagrees with the 5.0"),
    ],
)
def test_problems_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        config_from_json({**RELEASED, **changes})


@pytest.mark.parametrize("name", STATED)
def test_keys_whose_defaults_differ_between_programs_are_required(name: str) -> None:
    with pytest.raises(ModelError, match=f"missing keys: {name}"):
        config_from_json({key: value for key, value in RELEASED.items() if key != name})


def test_both_forms_of_the_same_rope() -> None:
    both = {"rope_parameters": RELEASED["rope_scaling"] | {"rope_theta": 10000}}
    assert config_from_json({**RELEASED, **both}) == config_from_json(RELEASED)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "cannot be read"), ("[]", "not a JSON object"), ("{}", "model_type is None")]
)
def test_invalid_config_files(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rope_groups": 3}, r"qk_rope_head_dim=8 .* rope_groups=6"),
        ({"rope_groups": 8}, "rope_groups=16"),
        ({"rope_groups": 0}, "rope_groups=0 is too small"),
        ({"rope_groups": 2, "index_head_dim": 2}, "index_head_dim=2 is below qk_rope_head_dim / rope_groups=4"),
    ],
)
def test_invalid_rope_groups(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        replace(TINY, **changes)


def test_deepseeks_own_models_keep_their_type_and_keys() -> None:
    plain, other = config_to_json(TINY), config_to_json(replace(TINY, latent_norm=False))
    assert plain["model_type"] == "deepseek_v32"
    assert other["model_type"] == "lemmata_dsa"
    assert other.keys() - plain.keys() == {"latent_norm", "rope_groups", "qkv_bias", "qk_norm"}


def test_a_config_is_hashable() -> None:
    assert len({TINY, replace(TINY), replace(TINY, yarn=Yarn(2.0, 8))}) == 2
    assert isinstance(TINY, ModelConfig)
