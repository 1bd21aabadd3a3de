"""Device functions that the attention kernels share: loads of rows cut in blocks, logits, the running softmax.

A row of width D = C + R lies in one or two blocks of BC columns for the latent and one of BR for the rope part (sides
of a Triton tile are powers of two); columns beyond a width are masked. Suffixes of tiles: h heads, k selected keys.
"""

# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
# (A kernel is launched with options that its signature does not name, and its ranges are no Python ranges.)

import triton
import triton.language as tl

NO_LOGIT = tl.constexpr(-1e30)  # finite, so that a tile without any valid key leaves no NaN


@triton.jit
def load_columns(rows, valid, first: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Columns [first, first + BLOCK) of the rows that pointers [N] name: [N, BLOCK], zeros where not valid [N]."""
    columns = first + tl.arange(0, BLOCK)
    mask = valid[:, None]
    if first + BLOCK > WIDTH:
        mask = mask & (columns < WIDTH)[None, :]
    return tl.load(rows[:, None] + columns[None, :], mask=mask, other=0.0)


@triton.jit
def load_latent(rows, valid, C: tl.constexpr, BC: tl.constexpr, HALVES: tl.constexpr):
    """The latent part of rows as its two blocks; the second is the first again where there is one."""
    x0 = load_columns(rows, valid, 0, C, BC)
    x1 = x0
    if HALVES == 2:
        x1 = load_columns(rows, valid, BC, C, BC)
    return x0, x1


@triton.jit
def load_row(rows, valid, C: tl.constexpr, R: tl.constexpr, BC: tl.constexpr, BR: tl.constexpr, HALVES: tl.constexpr):
    """Rows as three blocks: the latent's two and the rope part."""
    x0, x1 = load_latent(rows, valid, C, BC, HALVES)
    return x0, x1, load_columns(rows + C, valid, 0, R, BR)


@triton.jit
def store_columns(rows, valid, first: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, values):
    """Columns [first, first + BLOCK) of rows: the inverse of ``load_columns``."""
    columns = first + tl.arange(0, BLOCK)
    mask = valid[:, None] & (columns < WIDTH)[None, :]
    tl.store(rows[:, None] + columns[None, :], values.to(rows.dtype.element_ty), mask=mask)


@triton.jit
def latent_logits(x0, x1, k0, k1, scale, HALVES: tl.constexpr):
    """scale * x [h, C] times k [k, C] transposed: [h, k] in fp32.

    Each product is scaled apart: Triton would otherwise chain them through their accumulator, and of a chain it lays
    all warps along the heads, so that with fewer than 16 heads a warp several compute the same.
    """
    s = tl.dot(x0, tl.trans(k0), input_precision="ieee") * scale
    if HALVES == 2:
        s += tl.dot(x1, tl.trans(k1), input_precision="ieee") * scale
    return s


@triton.jit
def row_logits(x0, x1, xr, k0, k1, kr, scale, HALVES: tl.constexpr):
    """Returns the logits of ``latent_logits`` over whole rows."""
    return latent_logits(x0, x1, k0, k1, scale, HALVES) + tl.dot(xr, tl.trans(kr), input_precision="ieee") * scale


@triton.jit
def selected_keys(IDX, start, end, tokens, BK: tl.constexpr):
    """Row numbers [BK] of one tile of a query's list, and which of them name a token: not -1, nor past the end."""
    place = start + tl.arange(0, BK)
    index = tl.load(IDX + place, mask=place < end, other=-1).to(tl.int64)
    valid = (index >= 0) & (index < tokens)
    return tl.where(valid, index, 0), valid


@triton.jit
def list_end(IDX, begin, end, BLOCK: tl.constexpr):
    """One past the last entry of a list's part [begin, end) that is not negative; ``begin`` for want of any."""
    last = begin
    for start in range(begin, end, BLOCK):
        place = start + tl.arange(0, BLOCK)
        index = tl.load(IDX + place, mask=place < end, other=-1)
        last = tl.maximum(last, tl.max(tl.where(index >= 0, place + 1, begin), 0))
    return last


@triton.jit
def softmax_step(q0, q1, qr, k0, k1, kr, valid, top, total, scale_log2, HALVES: tl.constexpr):
    """One tile of the running softmax: its weights p [h, k] in the keys' dtype, and the factor of what came before."""
    s = row_logits(q0, q1, qr, k0, k1, kr, scale_log2, HALVES)
    s = tl.where(valid[None, :], s, float("-inf"))
    higher = tl.maximum(top, tl.max(s, 1))
    shrink = tl.exp2(top - higher)
    p = tl.exp2(s - higher[:, None])
    return p.to(k0.dtype), shrink, higher, total * shrink + tl.sum(p, 1)


@triton.jit
def attend(
    q0, q1, qr, KV, IDX, begin, end, tokens, row_stride, scale_log2,
    C: tl.constexpr, R: tl.constexpr, BC: tl.constexpr, BR: tl.constexpr, HALVES: tl.constexpr,
    BH: tl.constexpr, BK: tl.constexpr, STAGES: tl.constexpr, BRANCH: tl.constexpr,
):  # fmt: skip
    """Softmax attention of BH heads over entries [begin, end) of a list.

    Returns the maximum and the sum of the softmax, base 2, and the unnormalized latents [BH, BC] twice.
    """
    top = tl.full((BH,), NO_LOGIT, tl.float32)
    total = tl.zeros((BH,), tl.float32)
    out0 = tl.zeros((BH, BC), tl.float32)
    out1 = tl.zeros((BH, BC if HALVES == 2 else 16), tl.float32)
    p = tl.zeros((BH, BK), q0.dtype)
    for start in tl.range(begin, end, BK, num_stages=STAGES):
        index, valid = selected_keys(IDX, start, end, tokens, BK)
        k0, k1, kr = load_row(KV + index * row_stride, valid, C, R, BC, BR, HALVES)
        shrink = tl.zeros((BH,), tl.float32)
        if not BRANCH:  # noqa: SIM114
            p, shrink, top, total = softmax_step(q0, q1, qr, k0, k1, kr, valid, top, total, scale_log2, HALVES)
        elif start < end:  # always: a branch hides from Triton that p is multiplied again (see ``latent_logits``)
            p, shrink, top, total = softmax_step(q0, q1, qr, k0, k1, kr, valid, top, total, scale_log2, HALVES)
        out0 = tl.dot(p, k0, acc=out0 * shrink[:, None], input_precision="ieee")
        if HALVES == 2:
            out1 = tl.dot(p, k1, acc=out1 * shrink[:, None], input_precision="ieee")
    return top, total, out0, out1


@triton.jit
def store_latent(rows, valid, out0, out1, C: tl.constexpr, BC: tl.constexpr, HALVES: tl.constexpr):
    """Both latent blocks into rows, in the rows' dtype."""
    store_columns(rows, valid, 0, C, BC, out0)
    if HALVES == 2:
        store_columns(rows, valid, BC, C, BC, out1)
