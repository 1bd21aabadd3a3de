"""Log-probabilities of tokens under the distribution that they were sampled from, with little memory.

Shape suffixes: N tokens, n of them, V vocabulary, K kept tokens, C candidates (the vocabulary or the kept tokens).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 1024  # tokens whose logits are held in fp32 at a time


class TokenLogprobs(NamedTuple):
    """In nats, in the shape of the tokens. ``entropy`` is of the whole distribution, without gradient."""

    logprobs: Tensor
    entropy: Tensor


def token_logprobs(
    logits: Tensor, tokens: Tensor, temperature: float = 1.0, kept: Tensor | None = None, chunk: int = CHUNK
) -> TokenLogprobs:
    """Computes log softmax(logits / temperature) over the kept tokens, at ``tokens``, in fp32 or fp64.

    DeepSeek-V3.2 report, section 3.1, keep sampling mask: the support is the one that top-k and top-p left when the
    token was drawn, for the new, the old and the reference policy. Besides ``logits`` and their gradient, at most
    ``chunk`` rows over the vocabulary are in memory. No second derivatives.

    Args:
        logits: [..., V], of any floating type.
        tokens: [...], ids; each is kept, whether or not it is in its row of ``kept``.
        temperature: above 0, as in sampling.
        kept: [..., K] distinct ids, padded with -1; a row of only -1 keeps all. None: every row keeps all.
        chunk: tokens computed at a time.

    Raises:
        ValueError: shapes do not fit, or the temperature is not above 0.
    """
    if logits.shape[:-1] != tokens.shape or (kept is not None and kept.shape[:-1] != tokens.shape):
        shapes = [list(tensor.shape) for tensor in (logits, tokens, kept) if tensor is not None]
        raise ValueError(f"logits, tokens and kept tokens differ in their leading dimensions: {shapes}")
    if not 0 < temperature < float("inf"):
        raise ValueError(
            f"temperature={temperature}: must be above 0 and finite; greedy samples have no log-probability"
        )
    kept_NK = None if kept is None else kept.flatten(0, -2).long()
    rows_NV, tokens_N = logits.flatten(0, -2), tokens.flatten().long()
    logprobs_N, entropy_N = cast(Any, _TokenLogprobs.apply(rows_NV, tokens_N, kept_NK, temperature, chunk))
    return TokenLogprobs(logprobs_N.view(tokens.shape), entropy_N.view(tokens.shape))


def pad_kept(masks: Sequence[Tensor | None]) -> Tensor:
    """Stacks the ``masks`` of a completion (`model.engine`; None keeps all) to kept_NK: int32, padded with -1."""
    width = max((len(mask) for mask in masks if mask is not None), default=0)
    kept_NK = torch.full((len(masks), width), -1, dtype=torch.int32)
    for row_K, mask in zip(kept_NK, masks, strict=True):
        if mask is not None:
            row_K[: len(mask)] = mask
    return kept_NK


class _Rows(NamedTuple):
    """Some rows: their numbers, tokens, candidates (None: the vocabulary) and the scaled logits of those."""

    rows_n: Tensor
    tokens_n1: Tensor
    ids_nC: Tensor | None
    scaled_nC: Tensor


class _TokenLogprobs(torch.autograd.Function):
    """Saves one number per token, where autograd would save a softmax, a second [N, V]."""

    @staticmethod
    def forward(
        ctx: Any, logits_NV: Tensor, tokens_N: Tensor, kept_NK: Tensor | None, temperature: float, chunk: int
    ) -> tuple[Tensor, Tensor]:
        dtype = torch.promote_types(logits_NV.dtype, torch.float32)
        norms_N, logprobs_N, entropy_N = (logits_NV.new_empty(len(tokens_N), dtype=dtype) for _ in range(3))
        for rows_n, tokens_n1, _, scaled_nC in _chunks(logits_NV, tokens_N, kept_NK, temperature, chunk):
            norms_n = scaled_nC.logsumexp(-1)
            own_n = logits_NV[rows_n, tokens_n1[:, 0]].to(dtype) / temperature
            norms_N[rows_n], logprobs_N[rows_n] = norms_n, own_n - norms_n
            entropy_N[rows_n] = _entropy(scaled_nC - norms_n.unsqueeze(1))
        ctx.save_for_backward(logits_NV, tokens_N, kept_NK, norms_N)
        ctx.temperature, ctx.chunk = temperature, chunk
        ctx.mark_non_differentiable(entropy_N)
        return logprobs_N, entropy_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """d log p(token) / d logit_j = (1[j = token] - p(j)) / temperature, and 0 for tokens that are not kept."""
        grad_N = grad_outputs[0]
        logits_NV, tokens_N, kept_NK, norms_N = ctx.saved_tensors
        grad_NV = torch.zeros_like(logits_NV)
        for rows_n, tokens_n1, ids_nC, scaled_nC in _chunks(logits_NV, tokens_N, kept_NK, ctx.temperature, ctx.chunk):
            scale_n1 = (grad_N[rows_n] / ctx.temperature).unsqueeze(1)
            grad_nC = -scale_n1 * (scaled_nC - norms_N[rows_n].unsqueeze(1)).exp()
            if ids_nC is None:
                grad_NV[rows_n] = grad_nC.scatter_add_(1, tokens_n1, scale_n1).to(grad_NV.dtype)
            else:
                grad_nC = (grad_nC + scale_n1 * (ids_nC == tokens_n1)).to(grad_NV.dtype)
                # Padding adds 0 to token 0.
                grad_NV.index_put_((rows_n.unsqueeze(1), ids_nC.clamp(min=0)), grad_nC, accumulate=True)
        return grad_NV, None, None, None, None


def _chunks(
    logits_NV: Tensor, tokens_N: Tensor, kept_NK: Tensor | None, temperature: float, chunk: int
) -> Iterator[_Rows]:
    """Yields all rows in chunks: first those that keep all tokens, then the others, which need no vocabulary."""
    dtype = torch.promote_types(logits_NV.dtype, torch.float32)
    cuts_N = torch.zeros_like(tokens_N, dtype=torch.bool) if kept_NK is None else (kept_NK >= 0).any(1)
    for rows_n in (~cuts_N).nonzero()[:, 0].split(chunk):
        yield _Rows(rows_n, tokens_N[rows_n, None], None, logits_NV[rows_n].to(dtype) / temperature)
    if kept_NK is None:
        return
    for rows_n in cuts_N.nonzero()[:, 0].split(chunk):
        tokens_n1, ids_nK = tokens_N[rows_n, None], kept_NK[rows_n]
        missing_n1 = (ids_nK != tokens_n1).all(1, keepdim=True)
        ids_nC = torch.cat([ids_nK, tokens_n1.where(missing_n1, -1)], dim=1)
        scaled_nC = logits_NV[rows_n.unsqueeze(1), ids_nC.clamp(min=0)].to(dtype) / temperature
        yield _Rows(rows_n, tokens_n1, ids_nC, scaled_nC.masked_fill(ids_nC < 0, -torch.inf))


def _entropy(logprobs_nC: Tensor) -> Tensor:
    lowest = torch.finfo(logprobs_nC.dtype).min
    return -(logprobs_nC.exp() * logprobs_nC.clamp(min=lowest)).sum(-1)
