"""Speculative decoding leaves the distribution unchanged, by enumeration of all completions."""

from itertools import accumulate, product

import pytest

pytest.importorskip("torch")

import torch

from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.engine import sequence as sequences
from model.transformer import DsaModel
from tests.model.tiny import byte_tokenizer, tiny_model

TOKENIZER = byte_tokenizer()
PROMPT = [1, 2, 3]
LENGTH = 3


class Fixed:
    """Fixed uniform numbers."""

    def __init__(self, numbers: tuple[float, ...]) -> None:
        self._numbers = numbers

    def __getitem__(self, place: int) -> float:
        return self._numbers[place] if place < len(self._numbers) else 0.5


@torch.no_grad()
def cells(model: DsaModel, ids: list[int]) -> list[tuple[int, float, float]]:
    """Returns (token, probability, middle of its interval of uniform numbers) for each token after ``ids``."""
    probabilities = model(torch.tensor([ids]))[0, -1].softmax(-1).tolist()
    starts = accumulate(probabilities[:-1], initial=0.0)
    return [
        (token, share, start + share / 2)
        for token, (share, start) in enumerate(zip(probabilities, starts, strict=True))
    ]


def paths(model: DsaModel, ids: list[int], left: int) -> list[tuple[list[int], float, tuple[float, ...]]]:
    """Yields every completion of ``left`` tokens with its probability and uniform numbers that lead to it."""
    if not left:
        return [([], 1.0, ())]
    return [
        ([token, *tokens], share * probability, (middle, *numbers))
        for token, share, middle in cells(model, ids)
        for tokens, probability, numbers in paths(model, [*ids, token], left - 1)
    ]


def test_every_completion_keeps_its_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model(dtype=torch.float64, vocab_size=5, num_nextn_predict_layers=1)
    every = paths(model, PROMPT, LENGTH)
    assert len(every) == 5**LENGTH
    assert sum(probability for _, probability, _ in every) == pytest.approx(1)
    passes, accepted = 0, 0
    for tokens, _, numbers in every:
        monkeypatch.setattr(sequences, "Uniforms", lambda _seed, numbers=numbers: Fixed(numbers))
        engine = LLMEngine(model, TOKENIZER, EngineConfig(cache_tokens=64, speculate=True))
        request = engine.add(PROMPT, SamplingParams(max_tokens=LENGTH, ignore_eos=True))
        steps = 0
        while not request.finished:
            engine.step()
            steps += 1
        assert request.completions[0].token_ids == tokens
        passes, accepted = passes + steps, accepted + (steps < LENGTH)
    assert 0 < accepted < len(every)  # drafts were accepted and rejected


@pytest.mark.parametrize("temperature", [0.0, 0.6, 1.3])
def test_same_seed_same_completion(temperature: float) -> None:
    model = tiny_model(dtype=torch.float64, num_nextn_predict_layers=1)
    sampling = SamplingParams(n=4, temperature=temperature, top_p=0.9, max_tokens=40, ignore_eos=True, seed=0)
    prompts = [[place, *PROMPT] for place in range(4)]
    plain, ahead = (
        LLMEngine(model, TOKENIZER, EngineConfig(cache_tokens=2048, page_size=8, speculate=speculate)).generate(
            prompts, sampling
        )
        for speculate in (False, True)
    )
    for one, other in product(range(4), range(4)):
        assert plain[one][other].token_ids == ahead[one][other].token_ids
        assert plain[one][other].logprobs == pytest.approx(ahead[one][other].logprobs, abs=1e-9)


def test_accepted_drafts_save_passes() -> None:
    """The MTP layer here predicts exactly like the model."""
    model = tiny_model(dtype=torch.float64, num_nextn_predict_layers=1)
    for name, weight in model.named_parameters():
        if name in ("model.norm.weight", "mtp.0.norm.weight"):
            weight.data.zero_()
    # All logits are equal in both, so draft and token are drawn from one distribution with one number.
    engine = LLMEngine(model, TOKENIZER, EngineConfig(cache_tokens=1024, speculate=True))
    request = engine.add(PROMPT, SamplingParams(max_tokens=41, ignore_eos=True, seed=2))
    steps = 0
    while not request.finished:
        engine.step()
        steps += 1
    assert steps == 21
