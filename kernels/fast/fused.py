"""Selection within the scores' kernel: scores pass through a small ring per query, and S x T of them are never held.

Of the tokens so far each query keeps a list of candidates, in their order, that holds the ``width`` best. When it is
full it is cut down to just those, exactly, and their least score becomes a gate: a later token that is no higher cannot
be selected, as the lowest index wins. So nothing is estimated, no order of the scores can overflow the list, and the
result is ``select_topk(index_scores)`` bit by bit. Random scores cut a list ln(T / width) times, rising ones
T / (room - width) times.
"""

# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
# (A kernel is launched with options that its signature does not name, and its ranges are no Python ranges.)

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.fast import configs
from kernels.fast.scores import load_queries, prepare, score_tile
from kernels.fast.topk import LOWEST, MINUS_INFINITY, ordered, ranked, select_all_at_once, threshold_and_left
from kernels.reference_cache import IndexKeys


@triton.jit
def candidates(KEYS, PLACES, kept, ROOM: tl.constexpr):
    """The candidates' ordered scores and tokens, [ROOM] each; beyond ``kept`` what is never selected."""
    tl.debug_barrier()  # they are read by other threads than wrote them
    place = tl.arange(0, ROOM)
    key = tl.load(KEYS + place, mask=place < kept, other=LOWEST)
    return key, tl.load(PLACES + place, mask=place < kept, other=0)


@triton.jit
def keep_best(KEYS, PLACES, kept, width, ROOM: tl.constexpr):
    """Cut more than ``width`` candidates down to the best, in their order; returns the gate."""
    key, token = candidates(KEYS, PLACES, kept, ROOM)
    threshold, left = threshold_and_left(key, width)
    chosen, place, _ = ranked(key, threshold, left, 0, 0)
    tl.debug_barrier()  # all are read before any is overwritten
    tl.store(KEYS + place, key, mask=chosen)
    tl.store(PLACES + place, token, mask=chosen)
    tl.debug_barrier()
    return threshold


@triton.jit
def add_chunk(RING, KEYS, PLACES, first, end, kept, gate, width, CHUNK: tl.constexpr, ROOM: tl.constexpr):
    """Candidates among the scores of tokens [first, end) in the ring; returns the number kept and the gate."""
    token = first + tl.arange(0, CHUNK)
    key = ordered(tl.load(RING + token - first, mask=token < end, other=float("-inf")))
    if kept + tl.sum((key > gate).to(tl.int32), 0) > ROOM:
        gate = keep_best(KEYS, PLACES, kept, width, ROOM)
        kept = width
    passes = (key > gate).to(tl.int32)
    place = kept + tl.cumsum(passes, 0) - 1
    tl.store(KEYS + place, key, mask=passes == 1)
    tl.store(PLACES + place, token, mask=passes == 1)
    return kept + tl.sum(passes, 0), gate


@triton.jit
def score_chunk(
    Q, K, SCALES, TABLE, W, POSITIONS, RING, batch, tile, first, end, queries, heads, tokens, pool,
    q_batch, q_query, q_head, k_block, k_row, s_block, s_row,
    I: tl.constexpr, BI: tl.constexpr, BN: tl.constexpr, BQ: tl.constexpr, BJ: tl.constexpr, PAGE: tl.constexpr,
    CHUNK: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Scores of BQ queries for tokens [first, end) into their rings.

    Queries are loaded again for each chunk: they would fill registers that the selection needs.
    """
    q, w = load_queries(Q, W, batch, tile, queries, heads, q_batch, q_query, q_head, I, BI, BQ, BJ)
    lane = tl.arange(0, BQ)
    valid = tile * BQ + lane < queries
    position = tl.load(POSITIONS + batch * queries + tile * BQ + lane, mask=valid, other=-1)
    for start in tl.range(first, end, BN, num_stages=STAGES):
        key = start + tl.arange(0, BN)
        score = score_tile(
            q, w, position, K, SCALES, TABLE, batch, key, tokens, pool, k_block, k_row, s_block, s_row,
            I, BI, BN, BQ, BJ, PAGE,
        )  # fmt: skip
        ring = RING + lane[None, :] * CHUNK + (key - first)[:, None]
        tl.store(ring, score, mask=valid[None, :] & (key < end)[:, None])
    tl.debug_barrier()  # they are read by other threads than wrote them


@triton.jit
def fused_kernel(
    Q, K, SCALES, TABLE, W, POSITIONS, RING, KEYS, PLACES, IDX, batches, queries, heads, tokens, width, pool,
    q_batch, q_query, q_head, k_block, k_row, s_block, s_row,
    I: tl.constexpr, BI: tl.constexpr, BN: tl.constexpr, BQ: tl.constexpr, BJ: tl.constexpr, PAGE: tl.constexpr,
    CHUNK: tl.constexpr, ROOM: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """indices_BSK, tiles of BQ queries dealt out to the programs.

    Of each program, RING: CHUNK scores of each query; KEYS and PLACES: ROOM candidates of each.
    """
    lane, query_tiles = tl.arange(0, BQ), tl.cdiv(queries, BQ)
    mine = tl.program_id(0).to(tl.int64) * BQ
    ring, keys, places = RING + mine * CHUNK, KEYS + mine * ROOM, PLACES + mine * ROOM
    for work in range(tl.program_id(0), batches * query_tiles, tl.num_programs(0)):
        tile, batch = work % query_tiles, (work // query_tiles).to(tl.int64)
        row, here = batch * queries + tile * BQ, tl.minimum(queries - tile * BQ, BQ)
        position = tl.load(POSITIONS + row + lane, mask=lane < here, other=-1)
        seen = tl.minimum(tl.max(position, 0).to(tl.int32) + 1, tokens)
        kept = tl.zeros((BQ,), tl.int32)
        gate = tl.full((BQ,), MINUS_INFINITY, tl.int32)
        for first in range(0, seen, CHUNK):
            end = tl.minimum(first + CHUNK, seen)
            score_chunk(
                Q, K, SCALES, TABLE, W, POSITIONS, ring, batch, tile, first, end, queries, heads, tokens, pool,
                q_batch, q_query, q_head, k_block, k_row, s_block, s_row, I, BI, BN, BQ, BJ, PAGE, CHUNK, STAGES,
            )  # fmt: skip
            for i in range(here):
                kept_i, gate_i = add_chunk(
                    ring + i * CHUNK, keys + i * ROOM, places + i * ROOM, first, end,
                    tl.sum(tl.where(lane == i, kept, 0), 0), tl.sum(tl.where(lane == i, gate, 0), 0),
                    width, CHUNK, ROOM,
                )  # fmt: skip
                kept, gate = tl.where(lane == i, kept_i, kept), tl.where(lane == i, gate_i, gate)
            tl.debug_barrier()  # scores are read before the next overwrite them
        for i in range(here):
            kept_i = tl.sum(tl.where(lane == i, kept, 0), 0)
            key, token = candidates(keys + i * ROOM, places + i * ROOM, kept_i, ROOM)
            threshold, left = threshold_and_left(key, width)
            select_all_at_once(IDX + (row + i) * width, key, token, threshold, left, width)
        tl.debug_barrier()  # so are candidates


def room(width: int) -> int:
    """Candidates that a list of ``width`` needs, or 0 where they would not fit in registers."""
    size = configs.power_of_two(width + configs.LONG_ROW_BLOCK)
    return size if size <= configs.ROWS_IN_REGISTERS else 0


def index_topk(q_BSJI: Tensor, keys: IndexKeys, w_BSJ: Tensor, positions_BS: Tensor, k: int) -> Tensor:
    """Launches the fused kernel of ``reference_cache.index_topk``, for a ``k`` that has ``room``."""
    batch, queries, heads, _ = q_BSJI.shape
    width, chunk = min(k, keys.tokens), configs.LONG_ROW_BLOCK
    size, launch = room(width), prepare(q_BSJI, keys, w_BSJ, positions_BS)
    programs = min(configs.FUSED_PROGRAMS, batch * triton.cdiv(queries, launch.queries))
    rows = programs * launch.queries
    indices_BSK = torch.empty(batch, queries, width, dtype=torch.int32, device=q_BSJI.device)
    ring = torch.empty(rows * chunk, dtype=torch.float32, device=q_BSJI.device)
    kept = torch.empty(2, rows * size, dtype=torch.int32, device=q_BSJI.device)
    fused_kernel[(programs,)](
        *launch.inputs, ring, kept[0], kept[1], indices_BSK, batch, queries, heads, keys.tokens, width, launch.pool,
        *launch.strides, **launch.constants, CHUNK=chunk, ROOM=size, num_warps=launch.warps,
    )  # fmt: skip
    return indices_BSK
