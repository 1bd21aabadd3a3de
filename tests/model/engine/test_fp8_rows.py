"""Cache in FP8: the engine's log-probabilities are those of a pass over rounded rows and keys, near the exact ones."""

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from model.cache import Cache
from model.engine import CompletionOutput, EngineConfig, LLMEngine, SamplingParams
from model.transformer import DsaModel
from tests.model.rounded_cache import RoundedLayerCache
from tests.model.tiny import byte_model, byte_tokenizer

SMALL = EngineConfig(cache_tokens=2048, page_size=4, max_num_seqs=16, max_prefill_tokens=64, rows_format="fp8")
PROMPTS = ["x", "Let n be even, so that n = 2k for an integer k; then", "Show that 1 + 1 = 2 in all"]
FREE = SamplingParams(n=2, max_tokens=12, ignore_eos=True, seed=7)


@torch.no_grad()
def rescored(model: DsaModel, prompt: list[int], completion: CompletionOutput, *, rounded: bool) -> list[float]:
    """Returns the log-probabilities of a completion, in one pass."""
    ids = torch.tensor([[*prompt, *completion.token_ids]])
    positions = torch.arange(ids.shape[1]).unsqueeze(0)
    cache = Cache([RoundedLayerCache(model, ids.shape[1]) for _ in model.model.layers]) if rounded else None
    logprobs = model(ids, positions if rounded else None, cache)[0, len(prompt) - 1 : -1].log_softmax(-1)
    return logprobs.gather(1, torch.tensor(completion.token_ids).unsqueeze(1)).squeeze(1).tolist()


@pytest.mark.parametrize("topk", [8, 256])  # beyond and within top-k
@pytest.mark.parametrize("changes", [{}, {"max_prefill_tokens": 7}, {"cache_tokens": 80}])
def test_log_probabilities_are_those_over_rounded_rows(topk: int, changes: dict[str, Any]) -> None:
    model = byte_model(index_topk=topk)  # in fp64, so that whatever else is rounded shows
    engine = LLMEngine(model, byte_tokenizer(), replace(SMALL, **changes))
    for prompt, completions in zip(PROMPTS, engine.generate(PROMPTS, FREE), strict=True):
        for completion in completions:
            expected = rescored(model, engine.encode(prompt), completion, rounded=True)
            assert completion.logprobs == pytest.approx(expected, abs=1e-6)  # scores and rows are decoded to fp32


def test_rounding_costs_little() -> None:
    model = byte_model(index_topk=256)
    engine = LLMEngine(model, byte_tokenizer(), SMALL)
    (group,) = engine.generate(PROMPTS[1:2], replace(FREE, n=8))
    prompt = engine.encode(PROMPTS[1])
    off = torch.tensor([one.logprobs for one in group])
    off -= torch.tensor([rescored(model, prompt, one, rounded=False) for one in group])
    assert 1e-4 < off.abs().mean() < 0.05  # nats; e4m3 has three bits of mantissa


def test_a_token_takes_half_the_memory_of_bf16() -> None:
    shape = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "index_head_dim": 128, "num_hidden_layers": 1}
    model = byte_model(dtype=torch.bfloat16, **shape)
    sizes = {}
    for rows_format in ("model", "fp8"):
        cache = LLMEngine(model, byte_tokenizer(), replace(SMALL, rows_format=rows_format))._kv_cache
        tensors = [*cache.rows.tensors, *cache.keys.tensors]
        tokens = SMALL.cache_tokens + SMALL.page_size  # with the null page
        sizes[rows_format] = sum(tensor.numel() * tensor.element_size() for tensor in tensors) / tokens
    assert sizes == {"model": 2 * (576 + 128), "fp8": 656 + 128 + 4}
