"""Decode buffer: the model's own log-probabilities while sequences come and go, and no stale rows."""

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from model.engine import CompletionOutput, EngineConfig, LLMEngine, SamplingParams
from model.engine.decode_buffer import DecodeStep
from model.transformer import DsaModel
from tests.model.tiny import byte_model, byte_tokenizer

SMALL = EngineConfig(cache_tokens=2048, page_size=4, max_num_seqs=16, max_prefill_tokens=64)
PROMPTS = ["Prove it.", "x", "Let n be even, so that n = 2k for an integer k; then", "Show that 1 + 1 = 2 in all"]
FREE = SamplingParams(n=2, max_tokens=24, ignore_eos=True, seed=7)


def engine(model: DsaModel, **changes: Any) -> LLMEngine:
    return LLMEngine(model, byte_tokenizer(), replace(SMALL, **changes))


@torch.no_grad()
def rescored(model: DsaModel, prompt: list[int], completion: CompletionOutput) -> list[float]:
    ids = torch.tensor([[*prompt, *completion.token_ids]])
    logprobs = model(ids)[0, len(prompt) - 1 : -1].log_softmax(-1)
    return logprobs.gather(1, torch.tensor(completion.token_ids).unsqueeze(1)).squeeze(1).tolist()


@pytest.mark.parametrize("changes", [{}, {"cache_tokens": 80}, {"max_num_seqs": 3}, {"max_prefill_tokens": 7}])
def test_logprobs_are_the_models_own(changes: dict[str, Any]) -> None:
    model = byte_model(index_topk=256)
    running = engine(model, **changes)
    for prompt, completions in zip(PROMPTS, running.generate(PROMPTS, FREE), strict=True):
        for completion in completions:
            expected = rescored(model, running.encode(prompt), completion)
            assert completion.logprobs == pytest.approx(expected, abs=1e-5)


def test_sequences_stay_in_the_buffer_when_others_finish() -> None:
    model = byte_model(index_topk=256)
    running = engine(model)
    lengths = (6, 30, 11, 19)
    asked = [(running.encode(prompt), length) for prompt, length in zip(PROMPTS, lengths, strict=True)]
    requests = [running.add(prompt, replace(FREE, n=1, max_tokens=length)) for prompt, length in asked]
    while not all(request.finished for request in requests):
        running.step()
    for (prompt, length), request in zip(asked, requests, strict=True):
        (completion,) = request.completions
        assert len(completion.token_ids) == length
        assert completion.logprobs == pytest.approx(rescored(model, prompt, completion), abs=1e-5)


def test_new_weights_leave_nothing_stale() -> None:
    model, before = byte_model(index_topk=256), 9
    running = engine(model)
    prompt = running.encode(PROMPTS[0])
    request = running.add(prompt, FREE)
    for _ in range(before):
        running.step()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.3)
    running.weights_changed()
    while not request.finished:
        running.step()
    for completion in request.completions:
        expected = rescored(model, prompt, completion)
        assert completion.logprobs[before:] == pytest.approx(expected[before:], abs=1e-5)
        assert completion.logprobs[:before] != pytest.approx(expected[:before], abs=1e-5)


def test_only_the_next_tokens_of_the_same_sequences_continue_a_step() -> None:
    before = DecodeStep([[3, 4], [3, 5]], [9, 11])
    assert DecodeStep([[3, 4], [3, 5, 6]], [10, 12]).places_in(before) == [0, 1]
    assert DecodeStep([[3, 5]], [12]).places_in(before) == [1]
    assert DecodeStep([[3, 4], [3, 5]], [10, 11]).places_in(before) is None
    assert DecodeStep([[3, 5], [3, 4]], [12, 10]).places_in(before) is None
    assert DecodeStep([[3, 4], [3, 5], [3, 7]], [10, 12, 2]).places_in(before) is None
    assert before.uses([9, 5])
    assert not before.uses([6])
