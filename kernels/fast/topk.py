"""Exact, deterministic selection: a threshold by counting, then indices in ascending order; no atomics.

A score becomes an integer of the same order, -0.0 becoming 0.0 and NaN no more than -inf. Where a row fits in
registers, its k-th largest integer is found by counting, a bit a round. Of a longer row a sample gives a gate that
somewhat more than k scores pass; those are kept and the threshold is found among them. If too many or too few pass
(rows full of ties), histograms of 8 bits a pass find it whatever the row. Among scores on the threshold the lowest
indices win.
"""

# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
# (A kernel is launched with options that its signature does not name, and its ranges are no Python ranges.)

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.fast import configs

LOWEST = tl.constexpr(-(2**31))
PLUS_INFINITY = tl.constexpr(2139095040)  # the ordered integer of inf
MINUS_INFINITY = tl.constexpr(-2139095041)  # the ordered integer of -inf


@triton.jit
def ordered(score):
    """Integers [.] in the order of fp32 scores; both zeros become 0, and NaN what -inf becomes or less."""
    bits = tl.where(score == 0.0, 0.0, score).to(tl.int32, bitcast=True)
    bits = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    return tl.where(bits > PLUS_INFINITY, MINUS_INFINITY, bits)


@triton.jit
def count_at_least(key, candidate):
    """Returns the number of ``key`` that are at least the threshold."""
    return tl.sum((key >= candidate).to(tl.int32), 0)


@triton.jit
def threshold_by_bits(key, k):
    """A threshold with k of ``key`` on or above it and fewer than k above, or exactly k on or above; LOWEST if fewer.

    Bit by bit from the highest, stopping where exactly k are left: most rows need some twenty rounds of the 32.
    """
    count = count_at_least(key, 0)
    threshold = tl.where(count >= k, 0, LOWEST)
    bit = 30
    while (bit >= 0) & (count != k):
        candidate = threshold + (1 << bit)
        count = count_at_least(key, candidate)
        threshold = tl.where(count >= k, candidate, threshold)
        bit -= 1
    return threshold


@triton.jit
def ranked(key, threshold, level_left, above_before, level_before):
    """Returns the chosen of one block of at most 2^15, their places, and 1 if above or 2^16 if on the threshold."""
    above = ((key > threshold) & (key > MINUS_INFINITY)).to(tl.int32)
    level = ((key == threshold) & (key > MINUS_INFINITY)).to(tl.int32)
    marks = above + (level << 16)
    ranks = tl.cumsum(marks, 0)
    above_rank, level_rank = above_before + (ranks & 0xFFFF), level_before + (ranks >> 16)
    chosen = (above == 1) | ((level == 1) & (level_rank <= level_left))
    return chosen, above_rank + tl.minimum(level_rank, level_left) - 1, marks


@triton.jit
def emit(OUT, key, index, threshold, level_left, above_before, level_before):
    """Store the chosen of one block; returns the counts of those above and on the threshold so far."""
    chosen, place, marks = ranked(key, threshold, level_left, above_before, level_before)
    tl.store(OUT + place, index, mask=chosen)
    counts = tl.sum(marks, 0)
    return above_before + (counts & 0xFFFF), level_before + (counts >> 16)


@triton.jit
def pad(OUT, chosen, width, BLOCK: tl.constexpr):
    """-1 in places [chosen, width)."""
    for start in range(chosen, width, BLOCK):
        place = start + tl.arange(0, BLOCK)
        tl.store(OUT + place, -1, mask=place < width)


@triton.jit
def threshold_and_left(key, width):
    """The threshold, and how many on it are chosen."""
    threshold = threshold_by_bits(key, width)
    return threshold, width - tl.sum((key > threshold).to(tl.int32), 0)


@triton.jit
def select_all_at_once(OUT, key, index, threshold, left, width):
    """Store the selection of a row, or of its candidates, that lies in registers."""
    above, level = emit(OUT, key, index, threshold, left, 0, 0)
    pad(OUT, above + tl.minimum(level, left), width, 1024)


@triton.jit
def seen_tokens(POSITIONS, row, tokens):
    """The tokens of a row that may be selected: those up to its position or, without POSITIONS, all."""
    if POSITIONS is not None:
        tokens = tl.minimum(tl.load(POSITIONS + row).to(tl.int32) + 1, tokens)
    return tokens


@triton.jit
def select_kernel(SCORES, IDX, POSITIONS, tokens, width, pitch, BLOCK: tl.constexpr):
    """Indices of one row that fits in registers."""
    row = tl.program_id(0).to(tl.int64)
    index = tl.arange(0, BLOCK)
    seen = seen_tokens(POSITIONS, row, tokens)
    score = tl.load(SCORES + row * pitch + index, mask=index < seen, other=float("-inf"))
    key = ordered(score)
    threshold, left = threshold_and_left(key, width)
    select_all_at_once(IDX + row * width, key, index, threshold, left, width)


@triton.jit
def gate_of_sample(SCORES, tokens, width, SAMPLE: tl.constexpr):
    """The ordered integer that somewhat more than ``width`` scores reach, by evenly spread runs of 8 of the row."""
    place = tl.arange(0, SAMPLE)
    index = (place // 8).to(tl.int64) * tokens // (SAMPLE // 8) // 8 * 8 + place % 8
    key = ordered(tl.load(SCORES + index, mask=index < tokens, other=float("-inf")))
    expected = width * SAMPLE / tokens
    rank = (expected + 3.5 * tl.sqrt(expected) + 2.0).to(tl.int32)  # so many deviations that one row in 1,000 is short
    return tl.maximum(threshold_by_bits(key, rank), MINUS_INFINITY + 1)


@triton.jit
def keep_candidates(SCORES, KEYS, PLACES, tokens, gate, BLOCK: tl.constexpr, ROOM: tl.constexpr):
    """Ordered integers and indices of the scores that reach the gate, in the row's order; returns their number."""
    kept = tl.full((), 0, tl.int32)
    for start in tl.range(0, tokens, BLOCK, num_stages=2):
        index = start + tl.arange(0, BLOCK)
        key = ordered(tl.load(SCORES + index, mask=index < tokens, other=float("-inf")))
        passes = (key >= gate).to(tl.int32)
        place = kept + tl.cumsum(passes, 0) - 1
        mask = (passes == 1) & (place < ROOM)
        tl.store(KEYS + place, key, mask=mask)
        tl.store(PLACES + place, index, mask=mask)
        kept += tl.sum(passes, 0)
    return kept


@triton.jit
def threshold_by_digits(SCORES, tokens, k, BLOCK: tl.constexpr):
    """The k-th largest ordered integer of a long row, and how many on it are chosen: 4 passes of 8 bits."""
    prefix = tl.full((), 0, tl.uint32)
    left = k
    for step in tl.static_range(4):
        shift = 24 - 8 * step
        counts = tl.zeros((256,), tl.int32)
        for start in range(0, tokens, BLOCK):
            index = start + tl.arange(0, BLOCK)
            score = tl.load(SCORES + index, mask=index < tokens, other=float("-inf"))
            key = ordered(score).to(tl.uint32, bitcast=True) ^ 0x80000000
            inside = index < tokens
            if step > 0:
                inside = inside & ((key >> (shift + 8)) == (prefix >> (shift + 8)))
            counts += tl.histogram(((key >> shift) & 255).to(tl.int32), 256, mask=inside)
        digits = tl.arange(0, 256)
        digit = tl.max(tl.where(tl.cumsum(counts, 0, reverse=True) >= left, digits, 0), 0)
        left -= tl.sum(tl.where(digits > digit, counts, 0), 0)
        prefix = prefix | (digit.to(tl.uint32) << shift)
    return (prefix ^ 0x80000000).to(tl.int32, bitcast=True), left


@triton.jit
def select_long_kernel(
    SCORES, IDX, POSITIONS, KEYS, PLACES, tokens, width, pitch,
    BLOCK: tl.constexpr, ROOM: tl.constexpr, SAMPLE: tl.constexpr,
):  # fmt: skip
    """Indices of one row of any length; ``width`` is below ``tokens``. KEYS and PLACES: ROOM candidates of each row."""
    row = tl.program_id(0).to(tl.int64)
    scores, out, seen = SCORES + row * pitch, IDX + row * width, seen_tokens(POSITIONS, row, tokens)
    kept, gate = tl.full((), 0, tl.int32), tl.full((), 0, tl.int32)
    if (width <= ROOM // 2) & (seen > 0):
        gate = gate_of_sample(scores, seen, width, SAMPLE)
        kept = keep_candidates(scores, KEYS + row * ROOM, PLACES + row * ROOM, seen, gate, BLOCK, ROOM)
        tl.debug_barrier()  # candidates are read by other threads than wrote them
    # A gate just above -inf leaves out nothing that could be selected, however few have passed it.
    if (kept <= ROOM) & ((kept >= width) | (gate == MINUS_INFINITY + 1)):
        place = tl.arange(0, ROOM)
        key = tl.load(KEYS + row * ROOM + place, mask=place < kept, other=LOWEST)
        threshold, left = threshold_and_left(key, width)
        index = tl.load(PLACES + row * ROOM + place, mask=place < kept, other=0)
        select_all_at_once(out, key, index, threshold, left, width)
    else:
        threshold, left = threshold_by_digits(scores, seen, width, BLOCK)
        above, level = tl.full((), 0, tl.int32), tl.full((), 0, tl.int32)
        for start in range(0, seen, BLOCK):
            index = start + tl.arange(0, BLOCK)
            key = ordered(tl.load(scores + index, mask=index < seen, other=float("-inf")))
            above, level = emit(out, key, index, threshold, left, above, level)
        pad(out, above + tl.minimum(level, left), width, 1024)


def select_topk(scores_BST: Tensor, k: int, positions_BS: Tensor | None = None) -> Tensor:
    """Launches the kernels of ``reference.select_topk``; rows of scores may lie any distance apart.

    ``positions_BS``: later tokens are not selected, and their scores are not read.
    """
    tokens = scores_BST.shape[-1]
    scores_NT = scores_BST.detach().float().flatten(0, -2)
    scores_NT = scores_NT if scores_NT.stride(-1) == 1 else scores_NT.contiguous()
    positions = None if positions_BS is None else positions_BS.contiguous()
    width, rows = min(k, tokens), len(scores_NT)
    indices_BSK = torch.empty(*scores_BST.shape[:-1], width, dtype=torch.int32, device=scores_BST.device)
    sizes = (tokens, width, scores_NT.stride(0))
    if tokens <= configs.ROWS_IN_REGISTERS:
        block = configs.power_of_two(tokens)
        warps = configs.select_warps(block)
        select_kernel[(rows,)](scores_NT, indices_BSK, positions, *sizes, block, num_warps=warps)
    else:
        room = max(configs.CANDIDATES, min(2 * configs.power_of_two(width), configs.ROWS_IN_REGISTERS))
        kept = torch.empty(2, rows, room, dtype=torch.int32, device=scores_BST.device)
        select_long_kernel[(rows,)](
            scores_NT, indices_BSK, positions, kept[0], kept[1], *sizes, configs.LONG_ROW_BLOCK, room,
            configs.SAMPLE, num_warps=configs.LONG_ROW_WARPS,
        )  # fmt: skip
    return indices_BSK
