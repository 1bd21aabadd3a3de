"""Sparse MLA: prefill, and decode in splits that are combined in a fixed order.

One program serves one query and a tile of its heads; all heads share the rows, so that a gathered row is used by the
whole tile (KERNELS: "keys once per head tile"). Suffixes as in ``kernels.reference``; N splits.
"""

# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
# (A kernel is launched with options that its signature does not name, and its ranges are no Python ranges.)

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.fast import configs
from kernels.fast.tiles import attend, list_end, load_row, store_latent

LOG2_E = math.log2(math.e)


@triton.jit
def prefill_kernel(
    Q, KV, IDX, OUT, LSE, scale_log2, queries, heads, tokens, selected,
    q_batch, q_query, q_head, kv_batch, kv_row,
    C: tl.constexpr, R: tl.constexpr, BC: tl.constexpr, BR: tl.constexpr, HALVES: tl.constexpr,
    BH: tl.constexpr, BK: tl.constexpr, STAGES: tl.constexpr, BRANCH: tl.constexpr,
):  # fmt: skip
    """out_BSHC and, base 2, lse_BSH of one query and BH heads; head tiles of a query run side by side, sharing rows."""
    head_tiles = tl.cdiv(heads, BH)
    query = (tl.program_id(0) // head_tiles).to(tl.int64)
    head = (tl.program_id(0) % head_tiles) * BH + tl.arange(0, BH)
    in_head = head < heads
    batch = query // queries
    q_rows = Q + batch * q_batch + (query % queries) * q_query + head * q_head
    q0, q1, qr = load_row(q_rows, in_head, C, R, BC, BR, HALVES)
    idx = IDX + query * selected
    end = list_end(idx, 0, selected, 1024)
    top, total, out0, out1 = attend(
        q0, q1, qr, KV + batch * kv_batch, idx, 0, end, tokens, kv_row, scale_log2, C, R, BC, BR, HALVES, BH, BK,
        STAGES, BRANCH,
    )  # fmt: skip
    share = tl.where(total > 0, 1.0 / total, 0.0)[:, None]
    store_latent(OUT + (query * heads + head) * C, in_head, out0 * share, out1 * share, C, BC, HALVES)
    tl.store(LSE + query * heads + head, tl.where(total > 0, top + tl.log2(total), float("-inf")), mask=in_head)


@triton.jit
def decode_kernel(
    Q, ROWS, IDX, PART, LSE, scale_log2, heads, tokens, selected, per_split, q_batch, q_head, row_stride,
    C: tl.constexpr, R: tl.constexpr, BC: tl.constexpr, BR: tl.constexpr, HALVES: tl.constexpr,
    BH: tl.constexpr, BK: tl.constexpr, STAGES: tl.constexpr, BRANCH: tl.constexpr,
):  # fmt: skip
    """part_BNHC, normalized within its split, and lse_BNH of one sequence, one split of its list, and BH heads."""
    sequence, split, splits = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.num_programs(1)
    head = tl.program_id(2) * BH + tl.arange(0, BH)
    in_head = head < heads
    q0, q1, qr = load_row(Q + sequence * q_batch + head * q_head, in_head, C, R, BC, BR, HALVES)
    idx = IDX + sequence * selected
    begin = split * per_split
    end = list_end(idx, begin, tl.minimum(begin + per_split, selected), 256)
    top, total, out0, out1 = attend(
        q0, q1, qr, ROWS, idx, begin, end, tokens, row_stride, scale_log2, C, R, BC, BR, HALVES, BH, BK,
        STAGES, BRANCH,
    )  # fmt: skip
    share = tl.where(total > 0, 1.0 / total, 0.0)[:, None]
    place = (sequence * splits + split) * heads + head
    store_latent(PART + place * C, in_head, out0 * share, out1 * share, C, BC, HALVES)
    tl.store(LSE + place, tl.where(total > 0, top + tl.log2(total), float("-inf")), mask=in_head)


@triton.jit
def combine_kernel(PART, LSE, OUT, heads, splits, C: tl.constexpr, BC: tl.constexpr):
    """out_BHC of one sequence and head from its splits, taken in order whatever the batch."""
    sequence, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    column = tl.arange(0, BC)
    top = tl.full((), -1e30, tl.float32)
    total = tl.zeros((), tl.float32)
    out = tl.zeros((BC,), tl.float32)
    for split in range(splits):
        place = (sequence * splits + split) * heads + head
        lse = tl.load(LSE + place)
        higher = tl.maximum(top, lse)
        shrink, weight = tl.exp2(top - higher), tl.exp2(lse - higher)
        out = out * shrink + weight * tl.load(PART + place * C + column, mask=column < C, other=0.0)
        total = total * shrink + weight
        top = higher
    out = tl.where(total > 0, out / total, 0.0)
    tl.store(OUT + (sequence * heads + head) * C + column, out.to(OUT.dtype.element_ty), mask=column < C)


def blocks(width: int, latent: int) -> dict[str, int]:
    """The constants of a kernel that loads rows of this width: C, R, BC, BR, HALVES. Raises ValueError if too wide."""
    if not 0 < latent <= configs.LARGEST_LATENT:
        raise ValueError(f"the kernels take latents up to {configs.LARGEST_LATENT} wide, not {latent}")
    halves = 1 if latent <= 256 else 2
    block = configs.power_of_two(-(-latent // halves))
    rope = width - latent
    return {"C": latent, "R": rope, "BC": block, "BR": configs.power_of_two(rope), "HALVES": halves}


def unit_stride(x: Tensor) -> Tensor:
    """The tensor with its last axis contiguous."""
    return x if x.stride(-1) == 1 else x.contiguous()


def prefill(q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, scale: float, latent: int) -> tuple[Tensor, Tensor]:
    """out_BSHC in the dtype of ``q_BSHD`` and the log-sum-exp lse_BSH, base 2, in fp32."""
    batch, queries, heads, width = q_BSHD.shape
    q_BSHD, kv_BTD, indices_BSK = unit_stride(q_BSHD), unit_stride(kv_BTD), indices_BSK.contiguous()
    out_BSHC = q_BSHD.new_empty(batch, queries, heads, latent)
    lse_BSH = q_BSHD.new_empty(batch, queries, heads, dtype=torch.float32)
    tile = configs.attention_tile("attend", heads, q_BSHD)
    prefill_kernel[(batch * queries * triton.cdiv(heads, tile.rows),)](
        q_BSHD, kv_BTD, indices_BSK, out_BSHC, lse_BSH, scale * LOG2_E, queries, heads, kv_BTD.shape[1],
        indices_BSK.shape[-1], *q_BSHD.stride()[:3], *kv_BTD.stride()[:2], **blocks(width, latent),
        **configs.tile_constants(tile), num_warps=tile.warps,
    )  # fmt: skip
    return out_BSHC, lse_BSH


def split(selected: int, columns: int, heads: int) -> tuple[int, int]:
    """Splits of a list and the entries of each, whole tiles: a function of K and the heads, whatever the batch."""
    per_split = -(-selected // (configs.decode_splits(heads) * columns)) * columns
    return -(-selected // per_split), per_split


def combine(part_BNHC: Tensor, lse_BNH: Tensor, dtype: torch.dtype) -> Tensor:
    """out_BHC of all splits."""
    batch, splits, heads, latent = part_BNHC.shape
    out_BHC = part_BNHC.new_empty(batch, heads, latent, dtype=dtype)
    combine_kernel[(batch, heads)](part_BNHC, lse_BNH, out_BHC, heads, splits, latent, configs.power_of_two(latent))
    return out_BHC


def decode(q_BHD: Tensor, rows_ND: Tensor, indices_BK: Tensor, scale: float, latent: int) -> Tensor:
    """out_BHC; ``indices_BK`` are rows of the flat cache."""
    batch, heads, width = q_BHD.shape
    q_BHD, rows_ND, indices_BK = unit_stride(q_BHD), unit_stride(rows_ND), indices_BK.contiguous()
    tile, selected = configs.attention_tile("attend", heads, q_BHD), indices_BK.shape[-1]
    splits, per_split = split(selected, tile.columns, heads)
    part_BNHC = q_BHD.new_empty(batch, splits, heads, latent, dtype=torch.float32)
    lse_BNH = q_BHD.new_empty(batch, splits, heads, dtype=torch.float32)
    decode_kernel[(batch, splits, triton.cdiv(heads, tile.rows))](
        q_BHD, rows_ND, indices_BK, part_BNHC, lse_BNH, scale * LOG2_E, heads, rows_ND.shape[0], selected, per_split,
        *q_BHD.stride()[:2], rows_ND.stride(0), **blocks(width, latent),
        **configs.tile_constants(tile), num_warps=tile.warps,
    )  # fmt: skip
    return combine(part_BNHC, lse_BNH, q_BHD.dtype)
