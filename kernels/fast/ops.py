"""The operations of ``kernels.reference`` on Triton kernels, as torch custom operators that ``torch.compile`` knows.

Each operator has a fake version (shapes and dtypes alone) and, where the reference has a gradient that training needs,
its gradient. Suffixes as in ``kernels.reference``.
"""

from typing import Any

import torch
from torch import Tensor

from kernels.fast import attention, backward, configs, decode_fp8, fused, kl, scores, topk
from kernels.reference_cache import IndexKeys, as_keys
from kernels.reference_kl import IndexInputs

NUMBERS = (torch.float32, torch.float16, torch.bfloat16)


def _same_number(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Returns the tensors in the widest of their dtypes, for the matrix products. Raises TypeError for fp64."""
    dtype = tensors[0].dtype
    for tensor in tensors[1:]:
        dtype = torch.promote_types(dtype, tensor.dtype)
    if dtype not in NUMBERS:
        raise TypeError(f"the Triton kernels take {NUMBERS}, not {dtype}")
    return tuple(tensor.to(dtype) for tensor in tensors)


@torch.library.custom_op("lemmata::sparse_mla", mutates_args=())
def _sparse_mla(
    q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, scale: float, latent: int
) -> tuple[Tensor, Tensor]:
    return attention.prefill(q_BSHD, kv_BTD, indices_BSK, scale, latent)


@_sparse_mla.register_fake
def _(q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, scale: float, latent: int) -> tuple[Tensor, Tensor]:
    heads = q_BSHD.shape[:3]
    return q_BSHD.new_empty(*heads, latent), q_BSHD.new_empty(heads, dtype=torch.float32)


@torch.library.custom_op("lemmata::sparse_mla_backward", mutates_args=())
def _sparse_mla_backward(
    dout_BSHC: Tensor,
    q_BSHD: Tensor,
    kv_BTD: Tensor,
    indices_BSK: Tensor,
    out_BSHC: Tensor,
    lse_BSH: Tensor,
    scale: float,
    latent: int,
) -> tuple[Tensor, Tensor]:
    return backward.sparse_mla_backward(dout_BSHC, q_BSHD, kv_BTD, indices_BSK, out_BSHC, lse_BSH, scale, latent)


@_sparse_mla_backward.register_fake
def _(dout_BSHC: Tensor, q_BSHD: Tensor, kv_BTD: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return q_BSHD.new_empty(q_BSHD.shape), kv_BTD.new_empty(kv_BTD.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    q_BSHD, kv_BTD, indices_BSK, ctx.scale, ctx.latent = inputs
    ctx.save_for_backward(q_BSHD, kv_BTD, indices_BSK, *output)
    ctx.mark_non_differentiable(output[1])


def _differentiate(ctx: Any, dout_BSHC: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    dq_BSHD, dkv_BTD = _sparse_mla_backward(dout_BSHC, *ctx.saved_tensors, ctx.scale, ctx.latent)
    return dq_BSHD, dkv_BTD, None, None, None


_sparse_mla.register_autograd(_differentiate, setup_context=_keep)


def sparse_mla(q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, scale: float, latent: int) -> Tensor:
    """Sparse attention with gradients (``reference.sparse_mla``)."""
    q, kv = _same_number(q_BSHD, kv_BTD)
    return _sparse_mla(q, kv, indices_BSK, scale, latent)[0].to(q_BSHD.dtype)


@torch.library.custom_op("lemmata::sparse_mla_decode", mutates_args=())
def _sparse_mla_decode(q_BHD: Tensor, rows_ND: Tensor, indices_BK: Tensor, scale: float, latent: int) -> Tensor:
    return attention.decode(q_BHD, rows_ND, indices_BK, scale, latent)


@_sparse_mla_decode.register_fake
def _(q_BHD: Tensor, rows_ND: Tensor, indices_BK: Tensor, scale: float, latent: int) -> Tensor:
    return q_BHD.new_empty(*q_BHD.shape[:2], latent)


def sparse_mla_decode(q_BHD: Tensor, rows_ND: Tensor, indices_BK: Tensor, scale: float, latent: int) -> Tensor:
    """Sparse attention over a cache, without gradient (``reference.sparse_mla_decode``)."""
    q, rows = _same_number(q_BHD, rows_ND)
    return _sparse_mla_decode(q, rows, indices_BK, scale, latent).to(q_BHD.dtype)


def _same_key_number(q_BSJI: Tensor, keys: Tensor | IndexKeys) -> tuple[Tensor, IndexKeys]:
    """Returns an indexer's queries and keys in one dtype. Raises TypeError if only one of them is in FP8."""
    keys = as_keys(keys)
    if keys.scales is None:
        q, rows = _same_number(q_BSJI, keys.rows)
        return q, keys._replace(rows=rows)
    if q_BSJI.dtype != keys.rows.dtype:
        raise TypeError(f"queries of FP8 keys are in {keys.rows.dtype} too, not {q_BSJI.dtype}")
    return q_BSJI, keys


@torch.library.custom_op("lemmata::sparse_mla_decode_fp8", mutates_args=())
def _sparse_mla_decode_fp8(q_BHD: Tensor, rows_NX: Tensor, indices_BK: Tensor, scale: float, latent: int) -> Tensor:
    return decode_fp8.decode(q_BHD, rows_NX, indices_BK, scale, latent)


@_sparse_mla_decode_fp8.register_fake
def _(q_BHD: Tensor, rows_NX: Tensor, indices_BK: Tensor, scale: float, latent: int) -> Tensor:
    return q_BHD.new_empty(*q_BHD.shape[:2], latent)


def sparse_mla_decode_fp8(q_BHD: Tensor, rows_NX: Tensor, indices_BK: Tensor, scale: float, latent: int) -> Tensor:
    """Sparse attention over an FP8 cache (``reference_fp8.sparse_mla_decode_fp8``)."""
    return _sparse_mla_decode_fp8(_same_number(q_BHD)[0], rows_NX, indices_BK, scale, latent)


@torch.library.custom_op("lemmata::index_scores", mutates_args=())
def _index_scores(
    q_BSJI: Tensor, rows: Tensor, w_BSJ: Tensor, positions_BS: Tensor, scales: Tensor | None, table_BP: Tensor | None
) -> Tensor:
    return scores.index_scores(q_BSJI, IndexKeys(rows, scales, table_BP), w_BSJ, positions_BS)


@_index_scores.register_fake
def _(
    q_BSJI: Tensor, rows: Tensor, w_BSJ: Tensor, positions_BS: Tensor, scales: Tensor | None, table_BP: Tensor | None
) -> Tensor:
    return w_BSJ.new_empty(*q_BSJI.shape[:2], IndexKeys(rows, scales, table_BP).tokens, dtype=torch.float32)


def index_scores(q_BSJI: Tensor, keys: Tensor | IndexKeys, w_BSJ: Tensor, positions_BS: Tensor) -> Tensor:
    """Indexer scores without gradient (``reference_cache.index_scores``); an indexer learns by ``indexer_kl``."""
    q, keys = _same_key_number(q_BSJI, keys)
    return _index_scores(q, keys.rows, w_BSJ, positions_BS, keys.scales, keys.table_BP)


@torch.library.custom_op("lemmata::select_topk", mutates_args=())
def _select_topk(scores_BST: Tensor, k: int) -> Tensor:
    return topk.select_topk(scores_BST, k)


@_select_topk.register_fake
def _(scores_BST: Tensor, k: int) -> Tensor:
    return scores_BST.new_empty(*scores_BST.shape[:-1], min(k, scores_BST.shape[-1]), dtype=torch.int32)


def select_topk(scores_BST: Tensor, k: int) -> Tensor:
    """Selection by given scores (``reference.select_topk``). Raises TypeError for dtypes wider than fp32."""
    return _select_topk(_same_number(scores_BST.detach())[0], k)


@torch.library.custom_op("lemmata::index_topk", mutates_args=())
def _index_topk(
    q_BSJI: Tensor,
    rows: Tensor,
    w_BSJ: Tensor,
    positions_BS: Tensor,
    k: int,
    fuse: bool,
    scales: Tensor | None,
    table_BP: Tensor | None,
) -> Tensor:
    keys = IndexKeys(rows, scales, table_BP)
    if fuse and fused.room(min(k, keys.tokens)):
        return fused.index_topk(q_BSJI, keys, w_BSJ, positions_BS, k)
    batch, queries, _, _ = q_BSJI.shape
    step = max(1, configs.SCRATCH_BYTES // (4 * batch * keys.tokens))
    parts = [slice(first, first + step) for first in range(0, queries, step)]
    chosen = [_select(q_BSJI[:, part], keys, w_BSJ[:, part], positions_BS[:, part], k) for part in parts]
    return chosen[0] if len(chosen) == 1 else torch.cat(chosen, 1)


def _select(q_BSJI: Tensor, keys: IndexKeys, w_BSJ: Tensor, positions_BS: Tensor, k: int) -> Tensor:
    """Returns the selection of queries whose scores fit in scratch memory; scores of later tokens are never touched."""
    return topk.select_topk(scores.causal_scores(q_BSJI, keys, w_BSJ, positions_BS), k, positions_BS)


@_index_topk.register_fake
def _(
    q_BSJI: Tensor,
    rows: Tensor,
    w_BSJ: Tensor,
    positions_BS: Tensor,
    k: int,
    fuse: bool,
    scales: Tensor | None,
    table_BP: Tensor | None,
) -> Tensor:
    width = min(k, IndexKeys(rows, scales, table_BP).tokens)
    return w_BSJ.new_empty(*q_BSJI.shape[:2], width, dtype=torch.int32)


def index_topk(
    q_BSJI: Tensor, keys: Tensor | IndexKeys, w_BSJ: Tensor, positions_BS: Tensor, k: int, *, fused: bool | None = None
) -> Tensor:
    """Selection by the indexer (``reference_cache.index_topk``): fused, or by parts of the queries."""
    q, keys = _same_key_number(q_BSJI.detach(), keys)
    if fused is None:
        fused = 4 * w_BSJ.shape[0] * w_BSJ.shape[1] * keys.tokens > configs.SCRATCH_BYTES
    rows, w_BSJ = keys.rows.detach(), w_BSJ.detach()
    return _index_topk(q, rows, w_BSJ, positions_BS, k, fused, keys.scales, keys.table_BP)


@torch.library.custom_op("lemmata::indexer_kl", mutates_args=())
def _indexer_kl(
    q_BSJI: Tensor,
    k_BTI: Tensor,
    w_BSJ: Tensor,
    q_BSHD: Tensor,
    kv_BTD: Tensor,
    positions_BS: Tensor,
    scale: float,
    indices_BSK: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return kl.indexer_kl(q_BSJI, k_BTI, w_BSJ, q_BSHD, kv_BTD, positions_BS, scale, indices_BSK)


@_indexer_kl.register_fake
def _(q_BSJI: Tensor, k_BTI: Tensor, w_BSJ: Tensor, *_: Any) -> tuple[Tensor, ...]:
    gradients = (tensor.new_empty(tensor.shape) for tensor in (q_BSJI, k_BTI, w_BSJ))
    return (w_BSJ.new_empty((), dtype=torch.float32), *gradients)


def _keep_gradients(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*output[1:])
    ctx.mark_non_differentiable(*output[1:])


def _scale_gradients(ctx: Any, dloss: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
    gradients = (gradient * dloss.to(gradient.dtype) for gradient in ctx.saved_tensors)
    return (*gradients, None, None, None, None, None)


_indexer_kl.register_autograd(_scale_gradients, setup_context=_keep_gradients)


def indexer_kl(
    index: IndexInputs, q_BSHD: Tensor, kv_BTD: Tensor, positions_BS: Tensor, scale: float, indices_BSK: Tensor | None
) -> Tensor:
    """The indexer's loss (``reference_kl.indexer_kl``); gradients are computed with it, and backward scales them."""
    q, k = _same_number(index.q_BSJI, index.k_BTI)
    queries, rows = _same_number(q_BSHD.detach(), kv_BTD.detach())
    return _indexer_kl(q, k, index.w_BSJ, queries, rows, positions_BS, scale, indices_BSK)[0]
