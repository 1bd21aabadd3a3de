"""The engine on the kernels, over paged rows in the model's dtype and in FP8, beside itself on the reference."""

import pytest
import torch

from kernels import dispatch
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.engine_config import RowsFormat
from tests.model.tiny import byte_model, byte_tokenizer

torch.set_num_threads(1)
PROMPTS = [list(range(20, 39)), [5, 6, 7]]  # beyond and within top-k


def generate(rows_format: RowsFormat) -> list[tuple[list[int], list[float]]]:
    """Tokens and log-probabilities of one completion a prompt."""
    model = byte_model(dtype=torch.float32, num_hidden_layers=2, initializer_range=0.1)
    config = EngineConfig(cache_tokens=128, page_size=4, max_prefill_tokens=16, rows_format=rows_format)
    groups = LLMEngine(model, byte_tokenizer(), config).generate(PROMPTS, SamplingParams(max_tokens=3, seed=1))
    return [(one.token_ids, one.logprobs) for (one,) in groups]


@pytest.mark.parametrize("rows_format", ["model", "fp8"])
def test_generation(rows_format: RowsFormat) -> None:
    with dispatch.preferring("triton"):
        actual = generate(rows_format)
    for (ids, logprobs), (expected_ids, expected) in zip(actual, generate(rows_format), strict=True):
        assert ids == expected_ids
        assert logprobs == pytest.approx(expected, abs=1e-4)
