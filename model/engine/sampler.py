"""Sampler: temperature, top-k and top-p, and one token per row by that row's uniform random number.

Shape suffixes: N rows, V vocabulary, C likeliest candidates.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy
import torch
from torch import Tensor

from model.engine.request import SamplingParams
from model.errors import ModelError

CANDIDATES = (128, 1024)  # tokens ranked at first; more, and at last the whole vocabulary, only for rows that need them
SMALL_VOCABULARY = 1024  # up to here ranking all tokens costs no more than finding the candidates
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
    greedy = [place for place, row in enumerate(settings) if not row.temperature or row.top_k == 1]
    cut = sorted({place for place, row in enumerate(settings) if row.top_k or row.top_p < 1} - {*greedy})
    if len(cut) == len(settings):
        kept_NV = _kept(logits_NV, settings)
    else:
        kept_NV = torch.ones_like(logits_NV, dtype=torch.bool)
        kept_NV[greedy] = _first_highest(logits_NV[greedy])
        if cut:
            kept_NV[cut] = _kept(logits_NV[cut], [settings[place] for place in cut])
    return logits_NV.masked_fill(~kept_NV, -torch.inf), kept_NV


def _first_highest(logits_NV: Tensor) -> Tensor:
    """Returns a mask of the highest logit of each row, the first among equals."""
    highest_NV = logits_NV == logits_NV.amax(-1, keepdim=True)
    return highest_NV & (highest_NV.cumsum(-1) == 1)


def _kept(logits_NV: Tensor, settings: Sequence[SamplingParams]) -> Tensor:
    """Returns the mask of tokens after top-k and then top-p: the fewest likeliest ones with ``top_p`` of top-k's mass.

    Ties are broken by the lower id. In a large vocabulary few candidates are ranked at first, and more only for the
    rows whose cut lies beyond them.
    """
    vocabulary = logits_NV.shape[1]
    cuts = _Cuts.of(settings, vocabulary, logits_NV.device)
    weights_NV = (logits_NV.double() - logits_NV.amax(-1, keepdim=True)).exp()
    if vocabulary <= SMALL_VOCABULARY:
        return _kept_of(weights_NV, _descending(logits_NV), cuts)[0]
    kept_NV = torch.zeros_like(logits_NV, dtype=torch.bool)
    open_N = torch.arange(len(settings), device=logits_NV.device)
    for candidates in (*(count for count in CANDIDATES if count < vocabulary), vocabulary):
        rows_NV, cuts_N = logits_NV[open_N], cuts.rows(open_N)
        order_NC = _likeliest(rows_NV, candidates)
        kept_NV[open_N], counts_N1 = _kept_of(weights_NV[open_N], order_NC, cuts_N)
        # A cut at the last candidate is not final: equal logits and probability mass may lie beyond it.
        ranked_NC = rows_NV.gather(1, order_NC)
        final_N = (ranked_NC.gather(1, counts_N1 - 1) > ranked_NC[:, -1:]).squeeze(1)
        open_N = open_N[~(final_N & ((cuts_N.top_k_N <= candidates) | (cuts_N.top_k_N == vocabulary)))]
        if not len(open_N):
            break
    return kept_NV


class _Cuts(NamedTuple):
    """Top-k (the vocabulary's size: none) and top-p of each row; ``limits`` are the values of top-k that occur."""

    top_k_N: Tensor
    top_p_N: Tensor
    limits: frozenset[int]

    @classmethod
    def of(cls, settings: Sequence[SamplingParams], vocabulary: int, device: torch.device) -> "_Cuts":
        top_k = [min(row.top_k or vocabulary, vocabulary) for row in settings]
        top_p = torch.tensor([row.top_p for row in settings], dtype=torch.float64, device=device)
        return cls(torch.tensor(top_k, device=device), top_p, frozenset(top_k) - {vocabulary})

    def rows(self, rows_N: Tensor) -> "_Cuts":
        return self._replace(top_k_N=self.top_k_N[rows_N], top_p_N=self.top_p_N[rows_N])


def _kept_of(weights_NV: Tensor, order_NC: Tensor, cuts: _Cuts) -> tuple[Tensor, Tensor]:
    """Returns the mask of the tokens in each row of ``order_NC`` that top-k and top-p keep, and counts_N1 of them."""
    ranked_NC, candidates = weights_NV.gather(1, order_NC), order_NC.shape[1]
    whole_N = weights_NV.sum(-1)
    for limit in cuts.limits:
        whole_N = torch.where(cuts.top_k_N == limit, ranked_NC[:, :limit].sum(-1), whole_N)
    reached_N = (ranked_NC.cumsum(-1) < (cuts.top_p_N * whole_N).unsqueeze(1)).sum(-1)
    counts_N = torch.where(cuts.top_p_N == 1, cuts.top_k_N, reached_N + 1)
    counts_N1 = counts_N.minimum(cuts.top_k_N).clamp(max=candidates).unsqueeze(1)
    first_NC = torch.arange(candidates, device=order_NC.device) < counts_N1
    return torch.zeros_like(weights_NV, dtype=torch.bool).scatter_(1, order_NC, first_NC), counts_N1


def _likeliest(logits_NV: Tensor, candidates: int) -> Tensor:
    """Returns the indices of the highest logits of each row, highest first, ties by the lower index."""
    if candidates == logits_NV.shape[1]:
        return _descending(logits_NV)
    ascending_NC = logits_NV.topk(candidates, sorted=False).indices.sort(dim=-1).values
    return ascending_NC.gather(1, _descending(logits_NV.gather(1, ascending_NC)))


def _descending(logits_NC: Tensor) -> Tensor:
    """Returns the stable order of each row, highest first.

    Number and index are packed into one integer, whose order is that of the numbers, then of the indices: numpy sorts
    integers several times as fast as torch sorts pairs.
    """
    if logits_NC.dtype == torch.float64:
        return torch.sort(logits_NC, dim=-1, descending=True, stable=True).indices
    bits_NC = (logits_NC.float() + 0.0).view(torch.int32)  # adding 0.0 turns -0.0 into 0.0
    falling_NC = ~(bits_NC ^ (bits_NC >> 31 & 0x7FFFFFFF))
    packed_NC = falling_NC.long() << 32 | torch.arange(logits_NC.shape[1], device=logits_NC.device)
    if packed_NC.device.type == "cpu":
        packed_NC = torch.from_numpy(numpy.sort(packed_NC.numpy(), axis=-1))
    else:
        packed_NC = packed_NC.sort(dim=-1).values
    return packed_NC & 0xFFFFFFFF
