"""Sampler: the distribution against its definition, and draws against the exact distribution."""

import math
from dataclasses import replace

import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.engine import sampler
from model.engine.request import SamplingParams
from model.engine.sampler import Uniforms, distribution, draw, invert_cdf
from model.errors import ModelError

LEVELS = [-2.0, -0.5, 0.0, 0.5, 1.0, 3.0]  # few, so that ties are common
logits = st.lists(st.sampled_from(LEVELS), min_size=1, max_size=12)
choices = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    top_p=st.sampled_from([0.05, 0.4, 0.75, 0.999, 1.0]),
    top_k=st.integers(0, 14),
)


def by_definition(row: list[float], sampling: SamplingParams) -> list[float]:
    """Returns probabilities after temperature, top-k and top-p, ties by the lowest index."""
    order = sorted(range(len(row)), key=lambda token: (-row[token], token))
    if sampling.temperature == 0:
        return [float(token == order[0]) for token in range(len(row))]
    weights = [math.exp((logit - max(row)) / sampling.temperature) for logit in row]
    kept = order[: sampling.top_k] if sampling.top_k else order
    whole, mass, nucleus = sum(weights[token] for token in kept), 0.0, []
    for token in kept:
        if nucleus and mass >= sampling.top_p * whole * (1 - 1e-12):
            break
        nucleus.append(token)
        mass += weights[token]
    return [weights[token] / mass if token in nucleus else 0.0 for token in range(len(row))]


@given(
    rows=st.lists(st.tuples(logits, choices), min_size=1, max_size=4),
    candidates=st.sampled_from([(1,), (3,), (2, 5), ()]),
)
@settings(max_examples=150, deadline=None)
def test_the_sampling_distribution(rows: list[tuple[list[float], SamplingParams]], candidates: tuple[int, ...]) -> None:
    width = max(len(row) for row, _ in rows)
    padded = [row + [-2.0] * (width - len(row)) for row, _ in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampler, "CANDIDATES", candidates)
        patch.setattr(sampler, "SMALL_VOCABULARY", 0)
        scaled, kept = distribution(torch.tensor(padded, dtype=torch.float64), [choice for _, choice in rows])
    for place, (_, choice) in enumerate(rows):
        expected = by_definition(padded[place], choice)
        assert scaled[place].softmax(-1).tolist() == pytest.approx(expected, abs=1e-9)
        if kept is not None:
            assert kept[place].tolist() == [probability > 0 for probability in expected]


def row_by_row(logits_V: torch.Tensor, sampling: SamplingParams) -> torch.Tensor:
    """Returns the mask of one row by one stable sort, with the sums in fp64 that the batched sampler must repeat."""
    scaled_V = (logits_V - logits_V.max()) / max(sampling.temperature or 1.0, sampler.MIN_TEMPERATURE)
    scaled_V = logits_V if sampling.temperature == 1 else scaled_V.to(logits_V.dtype)
    order_V = torch.sort(scaled_V, descending=True, stable=True).indices
    top_k = 1 if not sampling.temperature else sampling.top_k or len(logits_V)
    weights_V = (scaled_V.double() - scaled_V.max()).exp()
    ranked = weights_V[order_V[:top_k]]
    whole = ranked.sum() if top_k < len(logits_V) else weights_V.sum()
    count = int((ranked.cumsum(0) < sampling.top_p * whole).sum()) + 1 if sampling.top_p < 1 else top_k
    return torch.zeros(len(logits_V), dtype=torch.bool).index_fill_(0, order_V[: min(count, top_k)], True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("vocabulary", "scale"), [(61, 0.0), (259, 1.0), (1024, 0.01), (1500, 4.0), (1500, 0.5)])
def test_a_batch_has_the_masks_of_its_rows_bit_by_bit(dtype: torch.dtype, vocabulary: int, scale: float) -> None:
    logits_NV = (torch.randn(8, vocabulary, generator=torch.Generator().manual_seed(1)) * scale).to(dtype)
    logits_NV[::2] = logits_NV[::2].mul(4).round() / 4  # ties, and zeros of both signs
    cuts = [(0.9, 0), (1.0, 50), (0.5, 7), (0.95, 1100), (0.3, 1), (1.0, 0), (0.999, 0), (0.95, 200)]
    rows = [
        SamplingParams(top_p=top_p, top_k=top_k, temperature=place % 4 / 2) for place, (top_p, top_k) in enumerate(cuts)
    ]
    for chosen in (rows, rows[3:4] * 8):
        _, kept_NV = distribution(logits_NV, chosen)
        assert kept_NV is not None
        for place, row in enumerate(chosen):
            if row.temperature == 1:
                assert torch.equal(kept_NV[place], row_by_row(logits_NV[place], row)), row
            else:
                _, alone_NV = distribution(logits_NV[place : place + 1], [row])
                assert alone_NV is None or torch.equal(kept_NV[place], alone_NV[0]), row


@given(row=logits, choice=choices, u=st.floats(0, 1, exclude_max=True))
@settings(max_examples=150, deadline=None)
def test_a_draw(row: list[float], choice: SamplingParams, u: float) -> None:
    choice = replace(choice, record_sampling_masks=True, top_logprobs=1)
    drawn = draw(torch.tensor([row], dtype=torch.float64), [choice], [u]).row(0)
    expected = by_definition(row, choice)
    assert expected[drawn.token] > 0
    assert math.exp(drawn.logprob) == pytest.approx(expected[drawn.token], abs=1e-9)
    own = torch.tensor(row, dtype=torch.float64).log_softmax(-1)
    assert drawn.model_logprob == pytest.approx(own[drawn.token].item(), abs=1e-9)
    assert drawn.likeliest == [(drawn.likeliest[0][0], pytest.approx(own.max().item()))]
    left = [token for token in range(len(row)) if expected[token]]
    assert (list(range(len(row))) if drawn.kept is None else drawn.kept.tolist()) == left


def test_each_token_has_an_interval_of_uniform_numbers() -> None:
    probabilities = torch.tensor([0.0, 0.2, 0.0, 0.5, 0.3, 0.0], dtype=torch.float64)
    edges = {1: (0.0, 0.2), 3: (0.2, 0.7), 4: (0.7, 1.0)}
    for token, (low, high) in edges.items():
        for u in (low + 1e-12, (low + high) / 2, high - 1e-12):
            assert invert_cdf(probabilities.log().unsqueeze(0), [u]).item() == token
    assert invert_cdf(probabilities.log().unsqueeze(0), [0.0]).item() == 1
    assert invert_cdf(probabilities.log().unsqueeze(0), [1 - 2**-53]).item() == 4


def test_uniform_numbers_follow_from_seed_and_index() -> None:
    one, other = Uniforms(3), Uniforms(3)
    assert other[700] == [one[place] for place in range(701)][700]
    assert one[0] != Uniforms(4)[0]
    assert 0 <= Uniforms(-1)[0] < 1
    mean = sum(one[place] for place in range(4000)) / 4000
    assert abs(mean - 0.5) < 4 * (1 / 12 / 4000) ** 0.5


def test_a_tiny_temperature_does_not_overflow() -> None:
    drawn = draw(torch.tensor([[1.0, 3.0, 2.0]]), [SamplingParams(temperature=1e-40)], [0.9])
    assert (drawn.tokens, drawn.logprobs) == ([1], [0.0])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_not_finite(bad: float) -> None:
    with pytest.raises(ModelError, match="NaN or infinite"):
        draw(torch.tensor([[0.0, 1.0], [bad, 0.0]]), [SamplingParams()] * 2, [0.5] * 2)
