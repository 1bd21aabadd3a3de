"""Sampler: temperature, top-k and top-p, and one token per row by that row's uniform random number.

Shape suffixes: N rows, V vocabulary, C likeliest candidates.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from model.engine.request import SamplingParams
from model.errors import ModelError

CANDIDATES = 1024  # tokens ranked at first; the whole vocabulary is ranked only if top-k or top-p reaches beyond them
MIN_TEMPERATURE = 1e-4  # lower temperatures above 0 are raised to it, so that float16 can represent the quotient


class Uniforms:
    """Random numbers u_0, u_1, ... in [0, 1) of one completion, a function of its seed (Philox, Salmon et al. 2011).

    Token i of the completion is drawn with u_i, whatever was computed in between.
    """

    BLOCK = 256

    def __init__(self, seed: int) -> None:
        self._generator = numpy.random.Generator(numpy.random.Philox(key=seed % 2**128))
        self._drawn: list[float] = []

    def __getitem__(self, index: int) -> float:
        while index >= len(self._drawn):
            self._drawn.extend(self._generator.random(self.BLOCK).tolist())
        return self._drawn[index]


@dataclass(frozen=True, slots=True)
class DrawnToken:
    """A token with its log-probabilities under the sampling distribution and under the model's own.

    ``likeliest``: (token, log-probability) of the model's own distribution, if requested. ``kept``: the ids that could
    be drawn (None: all).
    """

    token: int
    logprob: float
    model_logprob: float
    likeliest: list[tuple[int, float]]
    kept: Tensor | None


@dataclass(frozen=True, slots=True)
class Drawn:
    """Drawn tokens, one per row."""

    tokens: list[int]
    logprobs: list[float]
    model_logprobs: list[float]
    likeliest: list[list[tuple[int, float]]]
    kept_NV: Tensor | None

    def row(self, row: int) -> DrawnToken:
        """Returns the token of one row."""
        likeliest = self.likeliest[row] if self.likeliest else []
        kept = None
        if self.kept_NV is not None and not self.kept_NV[row].all():
            kept = self.kept_NV[row].nonzero()[:, 0].int().cpu()
        return DrawnToken(self.tokens[row], self.logprobs[row], self.model_logprobs[row], likeliest, kept)


def draw(logits_NV: Tensor, settings: Sequence[SamplingParams], uniforms: Sequence[float]) -> Drawn:
    """Draws one token per row of logits with its settings and its uniform number, by inverting the CDF.

    Raises ModelError if logits are not finite, so that output of a broken model is never taken for an answer.
    """
    if not math.isfinite(logits_NV.amax(-1).sum().item()):
        raise ModelError(
            "the model's logits are NaN or infinite (damaged weights, or training that diverged); "
            "use an earlier checkpoint"
        )
    scaled_NV, kept_NV = distribution(logits_NV, settings)
    own_NV = logits_NV.double().log_softmax(-1)
    logprobs_NV = own_NV if scaled_NV is logits_NV else scaled_NV.double().log_softmax(-1)
    tokens_N1 = invert_cdf(logprobs_NV, uniforms)
    logprobs = logprobs_NV.gather(1, tokens_N1).flatten().tolist()
    max_top = max(row.top_logprobs for row in settings)
    record_masks = any(row.record_sampling_masks for row in settings)
    return Drawn(
        tokens=tokens_N1.flatten().tolist(),
        logprobs=logprobs,
        model_logprobs=logprobs if scaled_NV is logits_NV else own_NV.gather(1, tokens_N1).flatten().tolist(),
        likeliest=_with_values(own_NV, max_top) if max_top else [],
        kept_NV=kept_NV if record_masks else None,
    )


def score(logits_NV: Tensor, tokens: Sequence[int], top: int) -> list[tuple[float, list[tuple[int, float]]]]:
    """Returns per row the log-probability of its token, and the ``top`` likeliest tokens with theirs."""
    logprobs_NV = logits_NV.double().log_softmax(-1)
    chosen_N1 = torch.tensor(tokens, device=logprobs_NV.device).unsqueeze(1)
    likeliest = _with_values(logprobs_NV, top) if top else [[] for _ in tokens]
    return list(zip(logprobs_NV.gather(1, chosen_N1).flatten().tolist(), likeliest, strict=True))


def _with_values(logprobs_NV: Tensor, count: int) -> list[list[tuple[int, float]]]:
    """Returns per row the ``count`` likeliest (token, log-probability)."""
    top = logprobs_NV.topk(count)
    rows = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    return [list(zip(indices, values, strict=True)) for indices, values in rows]


def invert_cdf(logprobs_NV: Tensor, uniforms: Sequence[float]) -> Tensor:
    """Returns tokens_N1, the first token whose cumulative probability exceeds the row's uniform number.

    ``logprobs_NV`` are in fp64. A uniform number is at most 1 - 2^-53, so its rounded product with the total is below
    the total, and no token of probability 0 at the end is drawn.
    """
    cdf_NV = logprobs_NV.exp().cumsum(-1)
    u_N1 = torch.tensor(uniforms, dtype=torch.float64, device=cdf_NV.device).unsqueeze(1)
    return torch.searchsorted(cdf_NV, u_N1 * cdf_NV[:, -1:], right=True)


def distribution(logits_NV: Tensor, settings: Sequence[SamplingParams]) -> tuple[Tensor, Tensor | None]:
    """Returns the logits after temperature, -inf for tokens that top-k and top-p exclude, and kept_NV (None: all).

    Temperature 0 keeps only the likeliest token, the lowest id among equals.
    """
    if any(row.temperature != 1 for row in settings):
        divisors = [max(row.temperature, MIN_TEMPERATURE) if row.temperature else 1.0 for row in settings]
        # Shifted to at most 0 first, so that dividing by a tiny temperature cannot overflow.
        logits_NV = (logits_NV - logits_NV.amax(-1, keepdim=True)) / logits_NV.new_tensor(divisors).unsqueeze(1)
    if all(row.temperature and not row.top_k and row.top_p == 1 for row in settings):
        return logits_NV, None
    kept_NV = torch.ones_like(logits_NV, dtype=torch.bool)
    for place, row in enumerate(settings):
        if not row.temperature or row.top_k == 1:
            kept_NV[place] = False
            kept_NV[place, _first_highest(logits_NV[place])] = True
        elif row.top_k or row.top_p < 1:
            kept_NV[place] = _kept(logits_NV[place], row)
    return logits_NV.masked_fill(~kept_NV, -torch.inf), kept_NV


def _first_highest(logits_V: Tensor) -> Tensor:
    return (logits_V == logits_V.max()).nonzero()[0, 0]


def _kept(logits_V: Tensor, row: SamplingParams) -> Tensor:
    """Returns the mask of tokens after top-k and then top-p: the fewest likeliest ones with ``top_p`` of top-k's mass.

    Ties are broken by the lower id.
    """
    vocabulary = len(logits_V)
    for candidates in (min(max(CANDIDATES, row.top_k), vocabulary), vocabulary):
        order_C = _likeliest(logits_V, candidates)
        count = _count(logits_V, order_C, row)
        # A cut at the last candidate is not final: equal logits and probability mass may lie beyond it.
        if candidates == vocabulary or logits_V[order_C[count - 1]] > logits_V[order_C[-1]]:
            break
    return torch.zeros_like(logits_V, dtype=torch.bool).index_fill_(0, order_C[:count], True)


def _likeliest(logits_V: Tensor, candidates: int) -> Tensor:
    """Returns the indices of the highest logits, highest first, ties by the lower index."""
    ascending_C = logits_V.topk(candidates, sorted=False).indices.sort().values
    return ascending_C[logits_V[ascending_C].sort(descending=True, stable=True).indices]


def _count(logits_V: Tensor, order_C: Tensor, row: SamplingParams) -> int:
    """Returns the number of tokens in ``order_C`` that top-k and top-p keep."""
    top_k = row.top_k or len(logits_V)
    if row.top_p == 1:
        return min(top_k, len(order_C))
    probabilities_C = (logits_V[order_C[:top_k]].double() - logits_V.max()).exp()
    whole = probabilities_C.sum() if top_k < len(logits_V) else (logits_V.double() - logits_V.max()).exp().sum()
    reached = int((probabilities_C.cumsum(0) < row.top_p * whole).sum())
    return min(reached + 1, len(probabilities_C))
