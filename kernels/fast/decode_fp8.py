"""Decoding over an FP8 cache: rows of e4m3 latents with a scale per 128, and rope parts in bf16.

Latents are only ever converted, never scaled one by one: a group's scale multiplies the logits of its part of the row,
and the weights with which its values are summed. Suffixes as in ``kernels.reference_fp8``; N splits of a list.
"""

# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
# (A kernel is launched with options that its signature does not name, and its ranges are no Python ranges.)

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.fast import configs
from kernels.fast.attention import LOG2_E, combine, split, unit_stride
from kernels.fast.fp8 import decoded, held
from kernels.fast.tiles import NO_LOGIT, list_end, load_columns, selected_keys, store_columns
from kernels.reference_fp8 import FIELD, GROUP, fields


@triton.jit
def load_queries(rows, valid, C: tl.constexpr, BC: tl.constexpr, GROUPS: tl.constexpr):
    """The latent part of queries as four blocks of BC; those there are not repeat the first."""
    q0 = load_columns(rows, valid, 0, C, BC)
    q1, q2, q3 = q0, q0, q0
    if GROUPS > 1:
        q1 = load_columns(rows, valid, BC, C, BC)
    if GROUPS > 2:
        q2 = load_columns(rows, valid, 2 * BC, C, BC)
    if GROUPS > 3:
        q3 = load_columns(rows, valid, 3 * BC, C, BC)
    return q0, q1, q2, q3


@triton.jit
def load_group(VALUES, SCALES, row, valid, g: tl.constexpr, C: tl.constexpr, BC: tl.constexpr):
    """One group of rows as stored, [k, BC], and its scales [k]; ``row`` [k] counts 16 bytes, as a field's alignment."""
    values = load_columns(VALUES + row * 16, valid, g * BC, C, BC)
    return values, tl.load(SCALES + row * 4 + g, mask=valid, other=0.0)


@triton.jit
def load_groups(VALUES, SCALES, row, valid, C: tl.constexpr, BC: tl.constexpr, GROUPS: tl.constexpr):
    """All groups of rows and their scales; those there are not repeat the first."""
    v0, c0 = load_group(VALUES, SCALES, row, valid, 0, C, BC)
    v1, c1, v2, c2, v3, c3 = v0, c0, v0, c0, v0, c0
    if GROUPS > 1:
        v1, c1 = load_group(VALUES, SCALES, row, valid, 1, C, BC)
    if GROUPS > 2:
        v2, c2 = load_group(VALUES, SCALES, row, valid, 2, C, BC)
    if GROUPS > 3:
        v3, c3 = load_group(VALUES, SCALES, row, valid, 3, C, BC)
    return v0, v1, v2, v3, c0, c1, c2, c3


@triton.jit
def group_logits(q, values, scales):
    """A group's part of the logits [h, k]."""
    return tl.dot(q, tl.trans(decoded(values).to(q.dtype)), input_precision="ieee") * scales[None, :]


@triton.jit
def softmax_step(
    q0, q1, q2, q3, qr, v0, v1, v2, v3, c0, c1, c2, c3, kr, valid, top, total, scale_log2, GROUPS: tl.constexpr
):  # fmt: skip
    """One tile of the running softmax: its weights p [h, k] in fp32, and the factor of what came before."""
    s = tl.dot(qr, tl.trans(kr), input_precision="ieee") + group_logits(q0, v0, c0)
    if GROUPS > 1:
        s += group_logits(q1, v1, c1)
    if GROUPS > 2:
        s += group_logits(q2, v2, c2)
    if GROUPS > 3:
        s += group_logits(q3, v3, c3)
    s = tl.where(valid[None, :], s * scale_log2, float("-inf"))
    higher = tl.maximum(top, tl.max(s, 1))
    shrink = tl.exp2(top - higher)
    p = tl.exp2(s - higher[:, None])
    return p, shrink, higher, total * shrink + tl.sum(p, 1)


@triton.jit
def add_group(out, p, values, scales, shrink, dtype: tl.constexpr):
    """A group's running sum [h, BC] with one more tile of weights p [h, k]."""
    weights = (p * scales[None, :]).to(dtype)
    return tl.dot(weights, decoded(values).to(dtype), acc=out * shrink[:, None], input_precision="ieee")


@triton.jit
def attend(
    q0, q1, q2, q3, qr, VALUES, SCALES, ROPE, IDX, begin, end, tokens, units, scale_log2,
    C: tl.constexpr, R: tl.constexpr, BC: tl.constexpr, BR: tl.constexpr, GROUPS: tl.constexpr,
    BH: tl.constexpr, BK: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Softmax attention of BH heads over entries [begin, end) of a list, as ``tiles.attend``; latents in four groups.

    Without that one's branch: here it costs spills (sm90, 64 heads: 144 bytes instead of 16).
    """
    top, total = tl.full((BH,), NO_LOGIT, tl.float32), tl.zeros((BH,), tl.float32)
    out0 = tl.zeros((BH, BC), tl.float32)
    out1 = tl.zeros((BH, BC if GROUPS > 1 else 16), tl.float32)
    out2 = tl.zeros((BH, BC if GROUPS > 2 else 16), tl.float32)
    out3 = tl.zeros((BH, BC if GROUPS > 3 else 16), tl.float32)
    for start in tl.range(begin, end, BK, num_stages=STAGES):
        index, valid = selected_keys(IDX, start, end, tokens, BK)
        row = index * units
        v0, v1, v2, v3, c0, c1, c2, c3 = load_groups(VALUES, SCALES, row, valid, C, BC, GROUPS)
        kr = load_columns(ROPE + row * 8, valid, 0, R, BR).to(q0.dtype)
        p, shrink, top, total = softmax_step(
            q0, q1, q2, q3, qr, v0, v1, v2, v3, c0, c1, c2, c3, kr, valid, top, total, scale_log2, GROUPS
        )  # fmt: skip
        out0 = add_group(out0, p, v0, c0, shrink, q0.dtype)
        if GROUPS > 1:
            out1 = add_group(out1, p, v1, c1, shrink, q0.dtype)
        if GROUPS > 2:
            out2 = add_group(out2, p, v2, c2, shrink, q0.dtype)
        if GROUPS > 3:
            out3 = add_group(out3, p, v3, c3, shrink, q0.dtype)
    return top, total, out0, out1, out2, out3


@triton.jit
def decode_kernel(
    Q, VALUES, SCALES, ROPE, IDX, PART, LSE, scale_log2, heads, tokens, selected, per_split, q_batch, q_head, units,
    C: tl.constexpr, R: tl.constexpr, BC: tl.constexpr, BR: tl.constexpr, GROUPS: tl.constexpr,
    BH: tl.constexpr, BK: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """part_BNHC, normalized within its split, and lse_BNH of one sequence, one split of its list, and BH heads.

    Rows lie ``units`` times 16 bytes apart: so Triton knows that each field may be loaded 16 bytes at a time.
    """
    sequence, part, splits = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.num_programs(1)
    head = tl.program_id(2) * BH + tl.arange(0, BH)
    in_head = head < heads
    q_rows = Q + sequence * q_batch + head * q_head
    q0, q1, q2, q3 = load_queries(q_rows, in_head, C, BC, GROUPS)
    qr = load_columns(q_rows + C, in_head, 0, R, BR)
    idx = IDX + sequence * selected
    begin = part * per_split
    end = list_end(idx, begin, tl.minimum(begin + per_split, selected), 256)
    top, total, out0, out1, out2, out3 = attend(
        q0, q1, q2, q3, qr, VALUES, SCALES, ROPE, idx, begin, end, tokens, units, scale_log2,
        C, R, BC, BR, GROUPS, BH, BK, STAGES,
    )  # fmt: skip
    share = tl.where(total > 0, 1.0 / total, 0.0)[:, None]
    place = (sequence * splits + part) * heads + head
    rows = PART + place * C
    store_columns(rows, in_head, 0, C, BC, out0 * share)
    if GROUPS > 1:
        store_columns(rows, in_head, BC, C, BC, out1 * share)
    if GROUPS > 2:
        store_columns(rows, in_head, 2 * BC, C, BC, out2 * share)
    if GROUPS > 3:
        store_columns(rows, in_head, 3 * BC, C, BC, out3 * share)
    tl.store(LSE + place, tl.where(total > 0, top + tl.log2(total), float("-inf")), mask=in_head)


def blocks(width: int, latent: int) -> dict[str, int]:
    """The constants C, R, BC, BR, GROUPS for rows of this width. Raises ValueError if too wide."""
    if not 0 < latent <= configs.LARGEST_LATENT:
        raise ValueError(f"the kernels take latents up to {configs.LARGEST_LATENT} wide, not {latent}")
    groups, rope = -(-latent // GROUP), width - latent
    block = GROUP if groups > 1 else configs.power_of_two(latent)
    return {"C": latent, "R": rope, "BC": block, "BR": configs.power_of_two(rope), "GROUPS": groups}


def aligned(rows_NX: Tensor) -> Tensor:
    """The rows, copied if they do not all start at a multiple of 16 bytes."""
    starts = rows_NX.stride(-1) == 1 and rows_NX.stride(0) % FIELD == 0 and rows_NX.data_ptr() % FIELD == 0
    return rows_NX if starts else rows_NX.clone(memory_format=torch.contiguous_format)


def decode(q_BHD: Tensor, rows_NX: Tensor, indices_BK: Tensor, scale: float, latent: int) -> Tensor:
    """Launches the kernels of ``reference_fp8.sparse_mla_decode_fp8``."""
    batch, heads, width = q_BHD.shape
    constants = blocks(width, latent)
    q_BHD, indices_BK = unit_stride(q_BHD), indices_BK.contiguous()
    rows_NX = aligned(rows_NX)
    values, scales, rope = fields(rows_NX, latent, width - latent)
    tile, selected = configs.attention_tile("attend_fp8", heads, q_BHD), indices_BK.shape[-1]
    splits, per_split = split(selected, tile.columns, heads)
    part_BNHC = q_BHD.new_empty(batch, splits, heads, latent, dtype=torch.float32)
    lse_BNH = q_BHD.new_empty(batch, splits, heads, dtype=torch.float32)
    decode_kernel[(batch, splits, triton.cdiv(heads, tile.rows))](
        q_BHD, held(values), scales, rope, indices_BK, part_BNHC, lse_BNH, scale * LOG2_E,
        heads, rows_NX.shape[0], selected, per_split, *q_BHD.stride()[:2],
        rows_NX.stride(0) // FIELD, **constants,
        BH=tile.rows, BK=tile.columns, STAGES=tile.stages, num_warps=tile.warps,
    )  # fmt: skip
    return combine(part_BNHC, lse_BNH, q_BHD.dtype)
