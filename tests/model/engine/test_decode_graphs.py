"""Decode steps of fixed shapes: the same samples as without, whatever is padded, and nothing that padding writes."""

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch")

from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.engine.decode_graphs import bucket
from model.errors import ModelError
from tests.model.tiny import byte_model, byte_tokenizer

SMALL = EngineConfig(cache_tokens=1024, page_size=4, max_num_seqs=16, max_prefill_tokens=64)
PROMPTS = ["Prove it.", "x", "Let n be even, so that n = 2k for an integer k; then"]
LENGTHS = (3, 14, 9)


def samples(**changes: Any) -> list[tuple[list[int], list[float]]]:
    """Tokens and log-probabilities of completions of different lengths."""
    topk = changes.pop("index_topk", 8)
    engine = LLMEngine(byte_model(index_topk=topk), byte_tokenizer(), replace(SMALL, **changes))
    settings = [SamplingParams(n=2, max_tokens=length, ignore_eos=True, seed=7) for length in LENGTHS]
    groups = engine.generate(PROMPTS, settings)
    return [(one.token_ids, one.logprobs) for group in groups for one in group]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"index_topk": 256},  # every token is selected
        {"page_size": 64},  # one page a sequence
        {"cache_tokens": 80},  # sequences are preempted
        {"rows_format": "fp8"},
    ],
)
def test_fixed_shapes_change_no_sample(changes: dict[str, Any]) -> None:
    expected = samples(decode_graphs=False, **changes)
    for (ids, logprobs), (expected_ids, expected_logprobs) in zip(
        samples(decode_graphs=True, **changes), expected, strict=True
    ):
        assert ids == expected_ids
        assert logprobs == pytest.approx(expected_logprobs, abs=1e-5)  # the decode buffer is in fp32


def test_sequences_are_padded_to_few_sizes() -> None:
    sizes = [bucket(count) for count in range(1, 65)]
    assert all(size >= count for count, size in enumerate(sizes, start=1))
    assert sorted(set(sizes)) == [1, 2, 4, *range(8, 65, 8)]


@pytest.mark.parametrize("other", ["capture_routing", "capture_selection", "speculate"])
def test_what_fixed_shapes_cannot_do(other: str) -> None:
    model = byte_model(num_nextn_predict_layers=1)
    with pytest.raises(ModelError, match=f"decode_graphs=true .*{other}"):
        LLMEngine(model, byte_tokenizer(), replace(SMALL, decode_graphs=True, **{other: True}))
