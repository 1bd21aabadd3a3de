"""Records of a completion for reinforcement learning: experts, sampling masks, log-probabilities."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")

import torch

from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.router_capture import capture_routing
from tests.model.tiny import byte_model, byte_tokenizer

TOKENIZER = byte_tokenizer()
CONFIG = EngineConfig(cache_tokens=1024, page_size=4, max_prefill_tokens=16, capture_routing=True)


@pytest.mark.parametrize("speculate", [False, True])
def test_experts_of_every_token_that_was_fed(speculate: bool) -> None:
    model = byte_model(num_nextn_predict_layers=1)
    engine = LLMEngine(model, TOKENIZER, replace(CONFIG, speculate=speculate))
    prompts = ["Prove that 1 + 1 is 2.", "Prove that 1 + 1 is not 3.", "y"]
    for prompt, completions in zip(
        prompts, engine.generate(prompts, SamplingParams(n=3, seed=1, max_tokens=9)), strict=True
    ):
        for completion in completions:
            ids = [*engine.encode(prompt), *completion.token_ids]
            with torch.no_grad(), capture_routing(model.model) as chosen:
                model(torch.tensor([ids[:-1]]))
            expected = torch.stack(list(chosen.values()), dim=1)
            assert completion.routing is not None
            assert completion.routing.dtype == torch.int16
            assert torch.equal(completion.routing.long(), expected)


def test_routing_is_recorded_only_on_request() -> None:
    engine = LLMEngine(byte_model(), TOKENIZER, EngineConfig(cache_tokens=1024))
    assert engine.generate(["x"], SamplingParams(max_tokens=2))[0][0].routing is None


@torch.no_grad()
def test_masks_restrict_logits_to_the_sampling_distribution() -> None:
    model = byte_model(initializer_range=0.3)
    engine = LLMEngine(model, TOKENIZER, CONFIG)
    sampling = SamplingParams(
        n=2, temperature=0.7, top_p=0.8, top_k=20, seed=1, max_tokens=12, record_sampling_masks=True
    )
    for completion in engine.generate(["Prove it."], sampling)[0]:
        prompt = engine.encode("Prove it.")
        logits = model(torch.tensor([[*prompt, *completion.token_ids]]))[0, len(prompt) - 1 :] / 0.7
        assert len(completion.masks) == len(completion.token_ids)
        for place, (token, kept) in enumerate(zip(completion.token_ids, completion.masks, strict=True)):
            assert kept is not None
            assert token in kept
            assert len(kept) <= 20
            expected = logits[place, token] - logits[place, kept.long()].logsumexp(0)
            assert completion.logprobs[place] == pytest.approx(expected.item(), abs=1e-9)


def test_likeliest_tokens_beside_each_sampled_one() -> None:
    engine = LLMEngine(byte_model(), TOKENIZER, CONFIG)
    few = engine.generate(["x"], SamplingParams(seed=1, max_tokens=4, top_logprobs=2))[0][0]
    many = engine.generate(["x"], SamplingParams(seed=1, max_tokens=4, top_logprobs=259))[0][0]
    for two, every, token, own in zip(
        few.top_logprobs, many.top_logprobs, many.token_ids, many.model_logprobs, strict=True
    ):
        assert two == every[:2]
        assert dict(every)[token] == own
        assert sorted(every, key=lambda entry: -entry[1]) == every
