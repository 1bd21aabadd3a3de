"""Gradients of sparse MLA: a kernel for queries that keeps P and dS, and one for rows that contracts over heads.

One fused kernel spills: it would hold three accumulators of a row's width. At 64 heads a program even the queries' sum
is a kernel of its own, over the dS that are kept. P and dS are kept for a part of the queries at a time. Rows are
summed by atomics in fp32, or, when torch asks for deterministic algorithms, written one by one and added up in the
order of the queries (``kernels.fast.scatter``). Suffixes as in ``kernels.reference``.
"""

# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
# (A kernel is launched with options that its signature does not name, and its ranges are no Python ranges.)

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.fast import configs
from kernels.fast.attention import LOG2_E, blocks, unit_stride
from kernels.fast.scatter import add_rows
from kernels.fast.tiles import (
    latent_logits,
    list_end,
    load_columns,
    load_latent,
    load_row,
    row_logits,
    selected_keys,
    store_columns,
)

HEADS_AT_ONCE = 128  # that a row's gradient is contracted over in one go


@triton.jit
def head_delta(OUT, DOUT, valid, C: tl.constexpr, BC: tl.constexpr, HALVES: tl.constexpr):
    """sum_c out * dout of each head [BH] in fp32, and dout's two blocks."""
    o0, o1 = load_latent(OUT, valid, C, BC, HALVES)
    g0, g1 = load_latent(DOUT, valid, C, BC, HALVES)
    delta = tl.sum(o0.to(tl.float32) * g0.to(tl.float32), 1)
    if HALVES == 2:
        delta += tl.sum(o1.to(tl.float32) * g1.to(tl.float32), 1)
    return delta, g0, g1


@triton.jit
def logit_gradient(
    q0, q1, qr, g0, g1, k0, k1, kr, valid, lse, delta, scale, scale_log2, HALVES: tl.constexpr
):  # fmt: skip
    """P and dS [BH, BK] of one tile, in the keys' dtype. ``delta`` is scaled already."""
    s = row_logits(q0, q1, qr, k0, k1, kr, scale_log2, HALVES)
    p = tl.where(valid[None, :], tl.exp2(s - lse[:, None]), 0.0)
    ds = p * (latent_logits(g0, g1, k0, k1, scale, HALVES) - delta[:, None])
    return p.to(k0.dtype), ds.to(k0.dtype)


@triton.jit
def query_gradient_kernel(
    Q, KV, IDX, OUT, DOUT, LSE, DQ, P, DS, scale, scale_log2, first, queries, heads, all_heads, tokens, selected,
    q_batch, q_query, q_head, kv_batch, kv_row,
    C: tl.constexpr, R: tl.constexpr, BC: tl.constexpr, BR: tl.constexpr, HALVES: tl.constexpr,
    BH: tl.constexpr, BK: tl.constexpr, STAGES: tl.constexpr, BRANCH: tl.constexpr, SUM: tl.constexpr,
):  # fmt: skip
    """P and dS [n, heads, K] of query ``first`` + n and BH heads and, where SUM, dq."""
    head_tiles = tl.cdiv(heads, BH)
    local = (tl.program_id(0) // head_tiles).to(tl.int64)
    head = (tl.program_id(0) % head_tiles) * BH + tl.arange(0, BH)
    in_head, query = head < heads, first + local
    batch, place = query // queries, query * all_heads + head
    q_rows = Q + batch * q_batch + (query % queries) * q_query + head * q_head
    q0, q1, qr = load_row(q_rows, in_head, C, R, BC, BR, HALVES)
    delta, g0, g1 = head_delta(OUT + place * C, DOUT + place * C, in_head, C, BC, HALVES)
    delta, lse = delta * scale, tl.load(LSE + place, mask=in_head, other=0.0)
    dq0, dqr = tl.zeros((BH, BC), tl.float32), tl.zeros((BH, BR), tl.float32)
    dq1 = tl.zeros((BH, BC if HALVES == 2 else 16), tl.float32)
    idx, kept = IDX + query * selected, (local * heads + head)[:, None] * selected
    end = list_end(idx, 0, selected, 1024)
    p, ds = tl.zeros((BH, BK), q0.dtype), tl.zeros((BH, BK), q0.dtype)
    for start in tl.range(0, end, BK, num_stages=STAGES):
        index, valid = selected_keys(idx, start, selected, tokens, BK)
        k0, k1, kr = load_row(KV + batch * kv_batch + index * kv_row, valid, C, R, BC, BR, HALVES)
        if not BRANCH:  # noqa: SIM114
            p, ds = logit_gradient(q0, q1, qr, g0, g1, k0, k1, kr, valid, lse, delta, scale, scale_log2, HALVES)
        elif start < end:  # always: see ``tiles.attend``
            p, ds = logit_gradient(q0, q1, qr, g0, g1, k0, k1, kr, valid, lse, delta, scale, scale_log2, HALVES)
        column = start + tl.arange(0, BK)[None, :]
        tl.store(P + kept + column, p, mask=in_head[:, None] & (column < selected))
        tl.store(DS + kept + column, ds, mask=in_head[:, None] & (column < selected))
        if SUM:
            dq0, dq1, dqr = add_rows_times(ds, k0, k1, kr, dq0, dq1, dqr, HALVES)
    if SUM:
        store_row(DQ + place * (C + R), in_head, dq0, dq1, dqr, C, R, BC, BR, HALVES)


@triton.jit
def add_rows_times(ds, k0, k1, kr, dq0, dq1, dqr, HALVES: tl.constexpr):
    """The running sums of dq [BH, D] with one more tile: dS [BH, BK] times rows [BK, D]."""
    dq0 = tl.dot(ds, k0, acc=dq0, input_precision="ieee")
    if HALVES == 2:
        dq1 = tl.dot(ds, k1, acc=dq1, input_precision="ieee")
    return dq0, dq1, tl.dot(ds, kr, acc=dqr, input_precision="ieee")


@triton.jit
def store_row(
    rows, valid, x0, x1, xr, C: tl.constexpr, R: tl.constexpr, BC: tl.constexpr, BR: tl.constexpr, HALVES: tl.constexpr
):
    """Rows of three blocks, the inverse of ``load_row``."""
    store_columns(rows, valid, 0, C, BC, x0)
    if HALVES == 2:
        store_columns(rows, valid, BC, C, BC, x1)
    store_columns(rows + C, valid, 0, R, BR, xr)


@triton.jit
def query_sum_kernel(
    KV, IDX, DS, DQ, first, queries, heads, all_heads, tokens, selected, kv_batch, kv_row,
    C: tl.constexpr, R: tl.constexpr, BC: tl.constexpr, BR: tl.constexpr, HALVES: tl.constexpr,
    BH: tl.constexpr, BK: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """dq of query ``first`` + n and BH heads from the dS that ``query_gradient_kernel`` has kept."""
    head_tiles = tl.cdiv(heads, BH)
    local = (tl.program_id(0) // head_tiles).to(tl.int64)
    head = (tl.program_id(0) % head_tiles) * BH + tl.arange(0, BH)
    in_head, query = head < heads, first + local
    batch, idx = query // queries, IDX + query * selected
    dq0, dqr = tl.zeros((BH, BC), tl.float32), tl.zeros((BH, BR), tl.float32)
    dq1 = tl.zeros((BH, BC if HALVES == 2 else 16), tl.float32)
    kept = DS + (local * heads + head)[:, None] * selected
    for start in tl.range(0, list_end(idx, 0, selected, 1024), BK, num_stages=STAGES):
        index, valid = selected_keys(idx, start, selected, tokens, BK)
        k0, k1, kr = load_row(KV + batch * kv_batch + index * kv_row, valid, C, R, BC, BR, HALVES)
        column = start + tl.arange(0, BK)[None, :]
        # The mask of the load follows from the shapes, so that it is wide; of padding nothing may have been written.
        ds = tl.load(kept + column, mask=in_head[:, None] & (column < selected), other=0.0)
        ds = tl.where(valid[None, :], ds, 0.0)
        dq0, dq1, dqr = add_rows_times(ds, k0, k1, kr, dq0, dq1, dqr, HALVES)
    store_row(DQ + (query * all_heads + head) * (C + R), in_head, dq0, dq1, dqr, C, R, BC, BR, HALVES)


@triton.jit
def row_gradient_kernel(
    Q, IDX, DOUT, P, DS, ROWS, first, queries, heads, all_heads, tokens, selected, q_batch, q_query, q_head,
    C: tl.constexpr, R: tl.constexpr, BR: tl.constexpr,
    BH: tl.constexpr, BK: tl.constexpr, BD: tl.constexpr, ATOMIC: tl.constexpr,
):  # fmt: skip
    """Gradient [BK, D] of BK rows that query ``first`` + n selected: dS^T q, and P^T dout in the latent part.

    Added to its row of dkv [B * T, D], or stored at its place of [n, K, D].
    """
    key_tiles = tl.cdiv(selected, BK)
    local, start = (tl.program_id(0) // key_tiles).to(tl.int64), (tl.program_id(0) % key_tiles) * BK
    query = first + local
    index, valid = selected_keys(IDX + query * selected, start, selected, tokens, BK)
    if tl.max(valid.to(tl.int32), 0) == 0:
        return
    head, column = tl.arange(0, BH), start + tl.arange(0, BK)
    in_head = head < heads
    kept = (local * heads + head)[:, None] * selected + column[None, :]
    # The mask of the loads follows from the shapes, so that they are wide; of padding nothing may have been written.
    mask, valid_1K = in_head[:, None] & (column < selected)[None, :], valid[None, :]
    p = tl.trans(tl.where(valid_1K, tl.load(P + kept, mask=mask, other=0.0), 0.0))
    ds = tl.trans(tl.where(valid_1K, tl.load(DS + kept, mask=mask, other=0.0), 0.0))
    q_rows = Q + (query // queries) * q_batch + (query % queries) * q_query + head * q_head
    g_rows = DOUT + (query * all_heads + head) * C
    row = (query // queries) * tokens + index if ATOMIC else local * selected + column
    out = ROWS + row * (C + R)
    for part in range(0, C, BD):
        d = part + tl.arange(0, BD)
        inside = in_head[:, None] & (d < C)[None, :]
        q = tl.load(q_rows[:, None] + d[None, :], mask=inside, other=0.0)
        g = tl.load(g_rows[:, None] + d[None, :], mask=inside, other=0.0)
        gradient = tl.dot(p, g, acc=tl.dot(ds, q, input_precision="ieee"), input_precision="ieee")
        add_or_store(out[:, None] + d[None, :], gradient, valid[:, None] & (d < C)[None, :], ATOMIC)
    qr = load_columns(q_rows + C, in_head, 0, R, BR)
    d = C + tl.arange(0, BR)
    gradient = tl.dot(ds, qr, input_precision="ieee")
    add_or_store(out[:, None] + d[None, :], gradient, valid[:, None] & (d < C + R)[None, :], ATOMIC)


@triton.jit
def add_or_store(pointers, values, mask, ATOMIC: tl.constexpr):
    """Add by atomics, or store in the pointers' dtype."""
    if ATOMIC:
        tl.atomic_add(pointers, values, mask=mask, sem="relaxed")
    else:
        tl.store(pointers, values.to(pointers.dtype.element_ty), mask=mask)


def sparse_mla_backward(
    dout_BSHC: Tensor, q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, out_BSHC: Tensor, lse_BSH: Tensor,
    scale: float, latent: int,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Gradients dq_BSHD and dkv_BTD, in their inputs' dtypes; ``out``, ``lse`` are those of ``attention.prefill``."""
    q_BSHD, kv_BTD, indices_BSK = unit_stride(q_BSHD), unit_stride(kv_BTD), indices_BSK.contiguous()
    dout_BSHC = dout_BSHC.contiguous()
    batch, queries, heads, width = q_BSHD.shape
    dq_BSHD = torch.empty(q_BSHD.shape, dtype=q_BSHD.dtype, device=q_BSHD.device)
    dkv_ND = kv_BTD.new_zeros(batch * kv_BTD.shape[1], width, dtype=torch.float32)
    step = _queries_at_once(q_BSHD, indices_BSK.shape[-1])
    for head in range(0, heads, HEADS_AT_ONCE):
        group = slice(head, min(head + HEADS_AT_ONCE, heads))
        for first in range(0, batch * queries, step):
            count = min(step, batch * queries - first)
            _block(
                dout_BSHC[:, :, group], q_BSHD[:, :, group], kv_BTD, indices_BSK, out_BSHC[:, :, group],
                lse_BSH[:, :, group], dq_BSHD[:, :, group], dkv_ND, first, count, heads, scale, latent,
            )  # fmt: skip
    return dq_BSHD, dkv_ND.view(batch, -1, width).to(kv_BTD.dtype)


def _queries_at_once(q_BSHD: Tensor, selected: int) -> int:
    """Queries whose P and dS (and rows' gradients, in deterministic mode) fit in the scratch memory."""
    _, _, heads, width = q_BSHD.shape
    per_key = 2 * min(heads, HEADS_AT_ONCE) + (width if torch.are_deterministic_algorithms_enabled() else 0)
    return max(1, configs.SCRATCH_BYTES // (per_key * selected * q_BSHD.element_size()))


def _block(
    dout_BSHC: Tensor, q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, out_BSHC: Tensor, lse_BSH: Tensor,
    dq_BSHD: Tensor, dkv_ND: Tensor, first: int, count: int, all_heads: int, scale: float, latent: int,
) -> None:  # fmt: skip
    """dq of ``count`` queries from ``first`` on and at most HEADS_AT_ONCE heads; adds their part of dkv."""
    _, queries, heads, width = q_BSHD.shape
    tokens, selected, sizes = kv_BTD.shape[1], indices_BSK.shape[-1], blocks(width, latent)
    p_nHK, ds_nHK = (kv_BTD.new_empty(count, heads, selected) for _ in range(2))
    tile = configs.attention_tile("query_gradient", heads, q_BSHD)
    shape = (first, queries, heads, all_heads, tokens, selected)
    apart = tile.rows >= configs.QUERY_SUM_FROM
    query_gradient_kernel[(count * triton.cdiv(heads, tile.rows),)](
        q_BSHD, kv_BTD, indices_BSK, out_BSHC, dout_BSHC, lse_BSH, dq_BSHD, p_nHK, ds_nHK, scale, scale * LOG2_E,
        *shape, *q_BSHD.stride()[:3], *kv_BTD.stride()[:2], **sizes,
        **configs.tile_constants(tile), SUM=not apart, num_warps=tile.warps,
    )  # fmt: skip
    if apart:
        tile = configs.QUERY_SUM
        query_sum_kernel[(count * triton.cdiv(heads, tile.rows),)](
            kv_BTD, indices_BSK, ds_nHK, dq_BSHD, *shape, *kv_BTD.stride()[:2], **sizes,
            BH=tile.rows, BK=tile.columns, STAGES=tile.stages, num_warps=tile.warps,
        )  # fmt: skip
    atomic = not torch.are_deterministic_algorithms_enabled()
    rows = dkv_ND if atomic else kv_BTD.new_empty(count * selected, width)
    tile = configs.plain_tile("row_gradient", q_BSHD)
    row_gradient_kernel[(count * triton.cdiv(selected, tile.rows),)](
        q_BSHD, indices_BSK, dout_BSHC, p_nHK, ds_nHK, rows, *shape, *q_BSHD.stride()[:3],
        latent, width - latent, sizes["BR"], BH=configs.power_of_two(heads), BK=tile.rows,
        BD=min(tile.columns, configs.power_of_two(latent)), ATOMIC=atomic, num_warps=tile.warps,
        num_stages=tile.stages,
    )  # fmt: skip
    if not atomic:
        add_rows(rows, indices_BSK.flatten(0, 1)[first : first + count], first, queries, tokens, dkv_ND)
