"""Conversion of Llama: the same logits as transformers, with and without a cache, in memory and from folders."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5.11")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from model import ModelError, load_pretrained, save_pretrained
from model.cache import Cache
from model.convert import convert_gqa
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.transformer import DsaModel
from tests.model.llamas import save_llama, save_source
from tests.model.tiny import byte_tokenizer, random_ids

pytestmark = pytest.mark.slow

INDEX: dict[str, Any] = {"index_n_heads": 3, "index_head_dim": 16, "index_topk": 64, "seed": 5}
NARROW: dict[str, Any] = INDEX | {"index_head_dim": 6}
YARN = {"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "original_max_position_embeddings": 32}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
SMOLLM2 = Path("~/.cache/lemmata/smollm2-135m-instruct").expanduser()


@torch.no_grad()
def difference(model: DsaModel, reference: Any, ids: torch.Tensor) -> float:
    return (model(ids) - reference(ids, use_cache=False).logits).abs().max().item()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True},
        {"num_attention_heads": 4, "num_key_value_heads": 4},
        {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 12},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 300.0}, "rms_norm_eps": 1e-2},
        {"rope_parameters": YARN},
        {"rope_parameters": YARN | {"mscale": 0.707, "mscale_all_dim": 0.707}},
        {"rope_parameters": YARN | {"mscale": 1.4, "mscale_all_dim": 0.6}},
        {"rope_parameters": YARN | {"mscale": 1.4}},
        {"rope_parameters": YARN | {"mscale_all_dim": 0.6}},
        {"rope_parameters": YARN | {"attention_factor": 1.7}},
        {"rope_parameters": LLAMA3},
        {"kind": "mistral", "sliding_window": None},
        {"kind": "qwen2", "tie_word_embeddings": True},
        {"kind": "qwen2", "rope_parameters": YARN | {"attention_factor": 1.7}},
        {"kind": "qwen3", "head_dim": 12},
        {"kind": "qwen3", "rope_parameters": YARN | {"attention_factor": 1.7}, "rms_norm_eps": 1e-2},
    ],
)
def test_same_logits_before_training(changes: dict[str, Any], tmp_path: Path) -> None:
    reference = save_source(tmp_path, **changes)
    model = convert_gqa(tmp_path, **INDEX)
    for tokens in (1, 2, 7, 33, 64):
        assert difference(model, reference, random_ids(2, tokens, seed=tokens)) < 1e-4, tokens
    assert difference(model, reference, random_ids(2, 90)) > 1e-2  # above top-k the untrained indexer selects


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([2, 4, 6]),
    st.booleans(),
    st.integers(1, 20),
    st.integers(0, 99),
)
def test_any_heads(kv_heads: int, group: int, width: int, tied: bool, tokens: int, seed: int) -> None:
    changes = {"num_key_value_heads": kv_heads, "num_attention_heads": kv_heads * group, "head_dim": width}
    with TemporaryDirectory() as folder:
        reference = save_llama(Path(folder), seed, tie_word_embeddings=tied, **changes)
        model = convert_gqa(folder, **INDEX)
    assert difference(model, reference, random_ids(2, tokens, seed=seed)) < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("topk", [8, 64])
def test_cached_decoding(topk: int, tmp_path: Path) -> None:
    save_llama(tmp_path)
    options: dict[str, Any] = INDEX | {"index_topk": topk}
    model = convert_gqa(
        tmp_path, **options
    ).double()  # in float32 the two would round differently, depending on the processor
    ids, cache = random_ids(2, 40), Cache.contiguous(model.config, 2, 40, torch.zeros((), dtype=torch.float64))
    parts = [model(part, torch.full((2, 1), step), cache) for step, part in enumerate(ids.split(1, dim=1))]
    torch.testing.assert_close(torch.cat(parts, dim=1), model(ids), atol=1e-10, rtol=0)


def test_the_engine_gives_the_sources_log_probabilities(tmp_path: Path) -> None:
    reference = save_llama(tmp_path, vocab_size=259)
    engine = LLMEngine(convert_gqa(tmp_path, **INDEX), byte_tokenizer(), EngineConfig(cache_tokens=1024, page_size=4))
    prompts = ["Prove it.", "Let n be even, so"]
    for prompt, (completion,) in zip(
        prompts, engine.generate(prompts, SamplingParams(max_tokens=20, seed=1)), strict=True
    ):
        ids = torch.tensor([[*engine.encode(prompt), *completion.token_ids]])
        with torch.no_grad():
            logprobs = reference(ids, use_cache=False).logits[0, -len(completion.token_ids) - 1 : -1].log_softmax(-1)
        expected = logprobs.gather(1, torch.tensor(completion.token_ids).unsqueeze(1)).squeeze(1)
        assert completion.model_logprobs == pytest.approx(expected.tolist(), abs=1e-4)


def test_the_source_weights_are_kept_bit_by_bit(tmp_path: Path) -> None:
    reference = save_llama(tmp_path)
    model = convert_gqa(tmp_path, **INDEX)
    attention: Any = model.model.layers[1].self_attn
    source = reference.model.layers[1].self_attn
    rows, queries = attention.kv_a_proj_with_mqa.weight, attention.q_proj.weight.view(6, 2, 8, 36)
    assert torch.equal(rows[:16], source.v_proj.weight)
    half_split = [0, 2, 4, 6, 1, 3, 5, 7]  # indices of Llama's entries in MLA's order
    assert torch.equal(rows[16:].view(2, 8, 36)[:, half_split].flatten(0, 1), source.k_proj.weight)
    assert torch.equal(queries[4, 1, half_split], source.q_proj.weight[32:40])
    assert not queries[4, 0].any()
    assert torch.equal(attention.o_proj.weight, source.o_proj.weight)


@pytest.mark.parametrize(
    "changes",
    [
        {"tie_word_embeddings": True},
        {"rope_parameters": LLAMA3},
        {"kind": "qwen2"},
        {"kind": "qwen3"},
    ],
)
def test_round_trip(changes: dict[str, Any], tmp_path: Path) -> None:
    reference = save_source(tmp_path / "llama", **changes)
    model = convert_gqa(tmp_path / "llama", **INDEX)
    save_pretrained(model, tmp_path / "dsa")
    again = load_pretrained(tmp_path / "dsa")
    assert again.config == model.config
    ids = random_ids(1, 40)
    with torch.no_grad():
        assert torch.equal(model(ids), again(ids))
    assert difference(again, reference, ids) < 1e-4


def test_its_card_names_no_other_library(tmp_path: Path) -> None:
    save_llama(tmp_path / "llama")
    save_pretrained(convert_gqa(tmp_path / "llama", **INDEX), tmp_path / "dsa")
    card = (tmp_path / "dsa" / "README.md").read_text()
    assert "`LemmataDsaForCausalLM`" in card
    assert "transformers" not in card
    assert "deepseek_v32" not in card


def test_transformers_refuses_it(tmp_path: Path) -> None:
    save_llama(tmp_path / "llama")
    save_pretrained(convert_gqa(tmp_path / "llama", **INDEX), tmp_path / "dsa")
    written = json.loads((tmp_path / "dsa" / "config.json").read_text())
    assert written["model_type"] == "lemmata_dsa"
    assert written["architectures"] == ["LemmataDsaForCausalLM"]
    with pytest.raises(ValueError, match="lemmata_dsa"):
        AutoConfig.from_pretrained(tmp_path / "dsa")


def test_the_seed_draws_the_indexers_and_nothing_else(tmp_path: Path) -> None:
    save_llama(tmp_path)
    options: list[dict[str, Any]] = [INDEX | {"seed": seed} for seed in (1, 1, 2)]
    first, same, other = (convert_gqa(tmp_path, **option).state_dict() for option in options)
    assert all(torch.equal(weight, same[name]) for name, weight in first.items())
    differing = {name for name, weight in first.items() if not torch.equal(weight, other[name])}
    assert differing == {name for name in first if ".indexer.w" in name}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "phi3"}, "model_type is 'phi3'; only 'llama', 'mistral', 'qwen2', 'qwen3' can be converted"),
        ({"attention_bias": True}, "attention_bias=True, but only False"),
        ({"mlp_bias": True}, "mlp_bias=True"),
        ({"hidden_act": "gelu"}, "hidden_act='gelu', but only 'silu'"),
        ({"sliding_window": 4096}, "unknown keys: sliding_window. Remove"),
        ({"quantization_config": {"bits": 4}}, "unknown keys: quantization_config"),
        ({"hidden_size": None, "vocab_size": None}, "missing keys: hidden_size, vocab_size"),
        ({"hidden_size": 36.0}, r"hidden_size=36\.0 has the wrong type"),
        ({"num_key_value_heads": 4}, "num_attention_heads=6 .* num_key_value_heads=4"),
        ({"num_key_value_heads": 0}, "num_key_value_heads=0"),
        ({"head_dim": 7}, "rope_groups"),
        (
            {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}},
            "Llama 3 parameters without high_freq_factor, low",
        ),
        ({"rope_parameters": {"rope_type": "longrope", "factor": 8.0}}, "rope type 'longrope'.*convert a checkpoint"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0}}, "rope type 'linear'"),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
    ],
)
def test_what_cannot_be_converted_is_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    save_llama(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError, match=message):
        convert_gqa(tmp_path, **INDEX)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("mistral", {"sliding_window": 4096}, "sliding_window=4096: only models with full attention"),
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window=True"),
        ("qwen3", {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types has full_att.*, sliding_att"),
        ("qwen3", {"attention_bias": True}, "attention_bias=True"),
        ("qwen2", {"architectures": ["Qwen2ForProcessRewardModel"]}, "architectures=.*Qwen2ForCausalLM"),
    ],
)
def test_variants_that_cannot_be_converted(kind: str, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    save_source(tmp_path, 0, kind, **({"sliding_window": None} if kind == "mistral" else {}))
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ModelError, match=message):
        convert_gqa(tmp_path, **INDEX)


@pytest.mark.parametrize(
    ("kind", "key"), [("mistral", "sliding_window"), ("qwen2", "num_key_value_heads"), ("qwen3", "head_dim")]
)
def test_keys_whose_defaults_differ_between_families_are_required(kind: str, key: str, tmp_path: Path) -> None:
    save_source(tmp_path, 0, kind, **({"sliding_window": None} if kind == "mistral" else {}))
    path = tmp_path / "config.json"
    path.write_text(json.dumps({name: entry for name, entry in json.loads(path.read_text()).items() if name != key}))
    with pytest.raises(ModelError, match=f"missing keys: {key}"):
        convert_gqa(tmp_path, **INDEX)


def test_an_indexer_narrower_than_a_head(tmp_path: Path) -> None:
    save_llama(tmp_path)
    with pytest.raises(ModelError, match="index_head_dim=6 is below qk_rope_head_dim / rope_groups=8"):
        convert_gqa(tmp_path, **NARROW)


def test_biases_in_the_weights(tmp_path: Path) -> None:
    save_llama(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights["model.layers.0.self_attn.q_proj.bias"] = torch.zeros(48)
    del weights["model.layers.1.self_attn.k_proj.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"unknown: .*q_proj\.bias; missing: .*1\.self_attn\.k_proj\.weight"):
        convert_gqa(tmp_path, **INDEX)


def test_no_model_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        convert_gqa(tmp_path, **INDEX)


@pytest.mark.skipif(
    not SMOLLM2.is_dir(), reason="no converted SmolLM2: python examples/smollm2/serve.py --convert-only"
)
def test_a_real_model() -> None:
    reference: Any = AutoModelForCausalLM.from_pretrained(SMOLLM2, dtype=torch.float32)
    model = convert_gqa(SMOLLM2, index_n_heads=4, index_head_dim=64, index_topk=64, seed=0)
    ids = torch.randint(49152, (1, 50), generator=torch.Generator().manual_seed(0))
    assert difference(model, reference, ids) < 5e-4  # logits up to 40, near fp32's rounding error
