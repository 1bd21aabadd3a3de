"""The indexer's loss: KL of its distribution from that of the attention it serves (DeepSeek-V3.2-Exp report, sec. 2.1).

For query t, p_t is the sum over heads of the attention's softmax, L1-normalized, a constant; the loss is the sum over t
of KL(p_t || softmax(I_t)), over all earlier tokens in the warm-up (equation 3), over the selected ones in the sparse
stage (equation 4). dKL/dI = softmax(I) - p is at hand with the loss, so gradients are computed block by block in the
forward pass and no L x L matrix outlives its block.

Shape suffixes as in ``kernels.reference``; s queries of a block, X the tokens a query is compared over (T, or K).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels import reference


class IndexInputs(NamedTuple):
    """Indexer queries, keys, and weights with their scale included."""

    q_BSJI: Tensor
    k_BTI: Tensor
    w_BSJ: Tensor


def indexer_kl(
    index: IndexInputs, q_BSHD: Tensor, kv_BTD: Tensor, positions_BS: Tensor, scale: float, indices_BSK: Tensor | None
) -> Tensor:
    """Sum over the queries of KL(p || softmax(I)), a scalar in fp32 at least; gradients go to ``index`` alone.

    ``indices_BSK``: the selected tokens (-1 pads), or None for all up to each query's position. A query without any
    token adds nothing.
    """
    return _IndexerKl.apply(*index, q_BSHD.detach(), kv_BTD.detach(), positions_BS, scale, indices_BSK)


class _IndexerKl(torch.autograd.Function):
    """Loss and gradients block by block; backward only scales."""

    @staticmethod
    def forward(
        ctx: Any,
        q_BSJI: Tensor,
        k_BTI: Tensor,
        w_BSJ: Tensor,
        q_BSHD: Tensor,
        kv_BTD: Tensor,
        positions_BS: Tensor,
        scale: float,
        indices_BSK: Tensor | None,
    ) -> Tensor:
        heads, tokens = max(q_BSHD.shape[2], w_BSJ.shape[2]), kv_BTD.shape[1]
        width = max(heads, kv_BTD.shape[2], k_BTI.shape[2])
        per_query = heads * tokens if indices_BSK is None else width * indices_BSK.shape[-1]
        step = max(1, reference.CHUNK_ELEMENTS // (q_BSHD.shape[0] * per_query))
        loss, parts = kv_BTD.new_zeros((), dtype=torch.promote_types(kv_BTD.dtype, torch.float32)), []
        dk_BTI = torch.zeros_like(k_BTI)
        for start in range(0, q_BSHD.shape[1], step):
            part = slice(start, start + step)
            index = IndexInputs(q_BSJI[:, part], k_BTI, w_BSJ[:, part])
            chosen = None if indices_BSK is None else indices_BSK[:, part]
            block_loss, gradients = _block(index, q_BSHD[:, part] * scale, kv_BTD, positions_BS[:, part], chosen)
            loss = loss + block_loss
            dk_BTI += gradients.k_BTI
            parts.append(gradients)
        dq, dw = torch.cat([part.q_BSJI for part in parts], 1), torch.cat([part.w_BSJ for part in parts], 1)
        ctx.save_for_backward(dq, dk_BTI, dw)
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gradients = (gradient * grads[0].to(gradient.dtype) for gradient in ctx.saved_tensors)
        return (*gradients, None, None, None, None, None)


def _block(
    index: IndexInputs, q_BsHD: Tensor, kv_BTD: Tensor, positions_Bs: Tensor, indices_BsK: Tensor | None
) -> tuple[Tensor, IndexInputs]:
    """Loss of some queries and its gradients by their indexer inputs."""
    leaves = IndexInputs(*(tensor.detach().requires_grad_() for tensor in index))
    with torch.enable_grad():
        scores_BsX = _index_scores(leaves, positions_Bs, indices_BsK)
    with torch.no_grad():
        excluded_BsX = scores_BsX == -torch.inf
        p_BsX = _attention(q_BsHD, kv_BTD, excluded_BsX, indices_BsK)
        empty_Bs1 = excluded_BsX.all(-1, keepdim=True)
        log_q_BsX = scores_BsX.masked_fill(empty_Bs1, 0.0).log_softmax(-1)
        kl_BsX = torch.xlogy(p_BsX, p_BsX) - (p_BsX * log_q_BsX).masked_fill(excluded_BsX, 0.0)
        slope_BsX = (log_q_BsX.exp() - p_BsX).masked_fill(excluded_BsX, 0.0)
    gradients = torch.autograd.grad(scores_BsX, leaves, slope_BsX)
    return kl_BsX.sum(), IndexInputs(*gradients)


def _index_scores(index: IndexInputs, positions_Bs: Tensor, indices_BsK: Tensor | None) -> Tensor:
    """I of each query: over all tokens, or over its selected ones; -inf where there is none."""
    if indices_BsK is None:
        return reference.index_scores(*index, positions_Bs)
    batch, queries, selected = indices_BsK.shape
    rows_BsKI = reference.gather_rows(index.k_BTI, indices_BsK)
    all_seen = torch.full((batch * queries, 1), selected - 1, device=indices_BsK.device)
    q, w = index.q_BSJI.flatten(0, 1).unsqueeze(1), index.w_BSJ.flatten(0, 1).unsqueeze(1)
    scores = reference.index_scores(q, rows_BsKI.flatten(0, 1), w, all_seen)
    return scores.view(indices_BsK.shape).masked_fill(indices_BsK < 0, -torch.inf)


def _attention(q_BsHD: Tensor, kv_BTD: Tensor, excluded_BsX: Tensor, indices_BsK: Tensor | None) -> Tensor:
    """p: the mean over heads of each query's softmax, which is their sum L1-normalized; zeros for want of tokens."""
    dtype = torch.promote_types(q_BsHD.dtype, torch.float32)
    if indices_BsK is None:  # all queries share the rows: as one matrix, since broadcasting them would copy them each
        flat_BXT = q_BsHD.to(dtype).flatten(1, 2) @ kv_BTD.to(dtype).transpose(1, 2)
        logits_BsHX = flat_BXT.unflatten(1, q_BsHD.shape[1:3])
    else:
        rows_BsKD = reference.gather_rows(kv_BTD, indices_BsK)
        logits_BsHX = q_BsHD.to(dtype) @ rows_BsKD.to(dtype).transpose(-1, -2)
    logits_BsHX = logits_BsHX.masked_fill(excluded_BsX.unsqueeze(2), torch.finfo(dtype).min)
    return logits_BsHX.softmax(-1).mean(2).masked_fill(excluded_BsX, 0.0)
