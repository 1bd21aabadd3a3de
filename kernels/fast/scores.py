"""Indexer scores: keys lie on a tile's rows, queries x indexer heads on its columns.

The sum over heads then runs along columns, most of it inside a thread. Keys lie in order or in pages, as they are or in
FP8. Suffixes as in ``kernels.reference`` and ``kernels.reference_cache``.
"""

# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false
# (A kernel is launched with options that its signature does not name, and its ranges are no Python ranges.)

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.fast import configs
from kernels.fast.attention import unit_stride
from kernels.fast.fp8 import decoded, held
from kernels.fast.tiles import load_columns
from kernels.reference_cache import IndexKeys, as_keys

PITCH = 16  # numbers that a row of scores is padded to
KEY_TILES = 8  # that one program goes over: its queries are loaded once for all
LEAST_FP8_WIDTH = 32  # of a matrix instruction


@triton.jit
def head_sum(k, q, w, BN: tl.constexpr, BQ: tl.constexpr, BJ: tl.constexpr):
    """Sums over heads [BN, BQ] of keys [BN, I] for queries [BQ * BJ, I] with weights [BQ * BJ]."""
    dots = tl.dot(k, tl.trans(q), input_precision="ieee")
    weighted = tl.maximum(dots, 0.0, propagate_nan=tl.PropagateNan.ALL) * w[None, :]
    return tl.sum(tl.reshape(weighted, (BN, BQ, BJ)), 2)


@triton.jit
def load_queries(
    Q, W, batch, tile, queries, heads, q_batch, q_query, q_head,
    I: tl.constexpr, BI: tl.constexpr, BQ: tl.constexpr, BJ: tl.constexpr,
):  # fmt: skip
    """Queries [BQ * BJ, I] and weights [BQ * BJ] of one tile."""
    column = tl.arange(0, BQ * BJ)
    query, head = tile * BQ + column // BJ, column % BJ
    valid = (query < queries) & (head < heads)
    q = load_columns(Q + batch * q_batch + query.to(tl.int64) * q_query + head * q_head, valid, 0, I, BI)
    w = tl.load(W + (batch * queries + query) * heads + head, mask=valid, other=0.0)
    return decoded(q), w


@triton.jit
def score_tile(
    q, w, position, K, SCALES, TABLE, batch, key, tokens, pool, k_block, k_row, s_block, s_row,
    I: tl.constexpr, BI: tl.constexpr, BN: tl.constexpr, BQ: tl.constexpr, BJ: tl.constexpr, PAGE: tl.constexpr,
):  # fmt: skip
    """Scores [BN, BQ] of keys ``key`` [BN] of one sequence; -inf where later than the query or on no page.

    A block of rows is a page of the pool or, where ``PAGE`` is 0, a sequence.
    """
    valid, block, row = key < tokens, batch, key.to(tl.int64)
    if PAGE > 0:
        block = tl.load(TABLE + batch * (tokens // PAGE) + key // PAGE, mask=valid, other=-1).to(tl.int64)
        valid, row = valid & (block >= 0) & (block < pool), row % PAGE
    k = load_columns(K + block * k_block + row * k_row, valid, 0, I, BI)
    score = head_sum(decoded(k), q, w, BN, BQ, BJ)
    if SCALES is not None:
        score *= tl.load(SCALES + block * s_block + row * s_row, mask=valid, other=0.0)[:, None]
    score += 0.0  # -0.0 + 0.0 is 0.0: the plateau is one value
    seen = key[:, None] <= position[None, :]
    if PAGE > 0:
        seen = seen & valid[:, None]
    return tl.where(seen, score, float("-inf"))


@triton.jit
def scores_kernel(
    Q, K, SCALES, TABLE, W, POSITIONS, OUT, queries, heads, tokens, groups, pool, pitch,
    q_batch, q_query, q_head, k_block, k_row, s_block, s_row,
    I: tl.constexpr, BI: tl.constexpr, BN: tl.constexpr, BQ: tl.constexpr, BJ: tl.constexpr, PAGE: tl.constexpr,
    KEY_TILES: tl.constexpr, STAGES: tl.constexpr, FILL: tl.constexpr,
):  # fmt: skip
    """scores_BST of BQ queries over KEY_TILES tiles of BN keys, rows ``pitch`` apart.

    Tiles later than all queries are filled with -inf unread or, without FILL, left as they are.
    """
    query_tiles = tl.cdiv(queries, BQ)
    tile = tl.program_id(0) % query_tiles
    group = (tl.program_id(0) // query_tiles) % groups
    batch = (tl.program_id(0) // (query_tiles * groups)).to(tl.int64)
    q, w = load_queries(Q, W, batch, tile, queries, heads, q_batch, q_query, q_head, I, BI, BQ, BJ)
    own = tile * BQ + tl.arange(0, BQ)
    position = tl.load(POSITIONS + batch * queries + own, mask=own < queries, other=-1)
    out = OUT + (batch * queries + own) * pitch
    begin = group * KEY_TILES * BN
    end = tl.minimum(begin + KEY_TILES * BN, tokens)
    seen = tl.minimum(tl.maximum(tl.max(position, 0).to(tl.int32) + 1, begin), end)
    for start in tl.range(begin, seen, BN, num_stages=STAGES):
        key = start + tl.arange(0, BN)
        score = score_tile(
            q, w, position, K, SCALES, TABLE, batch, key, tokens, pool, k_block, k_row, s_block, s_row,
            I, BI, BN, BQ, BJ, PAGE,
        )  # fmt: skip
        tl.store(out[None, :] + key[:, None], score, mask=(key < tokens)[:, None] & (own < queries)[None, :])
    if FILL:
        for start in range(begin + tl.cdiv(seen - begin, BN) * BN, end, BN):
            key = start + tl.arange(0, BN)
            later = tl.full((BN, BQ), float("-inf"), tl.float32)
            tl.store(out[None, :] + key[:, None], later, mask=(key < tokens)[:, None] & (own < queries)[None, :])


class Launch(NamedTuple):
    """Launch arguments of the scoring kernels, in parts; ``queries`` is BQ, the queries of one program."""

    inputs: tuple[Tensor | None, ...]  # Q to POSITIONS
    pool: int
    strides: tuple[int, ...]
    constants: dict[str, int]
    warps: int

    @property
    def queries(self) -> int:
        """BQ."""
        return self.constants["BQ"]


def prepare(q_BSJI: Tensor, keys: IndexKeys, w_BSJ: Tensor, positions_BS: Tensor) -> Launch:
    """Arguments for tensors as the reference takes them."""
    heads, width = q_BSJI.shape[2:]
    q_BSJI, rows = held(unit_stride(q_BSJI)), held(unit_stride(keys.rows))
    least = 16 if keys.scales is None else LEAST_FP8_WIDTH
    tile, padded = configs.plain_tile("index_scores", q_BSJI), configs.power_of_two(heads, 1)
    table_BP = None if keys.table_BP is None else keys.table_BP.contiguous()
    constants = {"I": width, "BI": configs.power_of_two(width, least), "BN": tile.rows, "BJ": padded}
    constants |= {"BQ": max(tile.columns // padded, 1, 16 // padded), "STAGES": tile.stages}
    constants |= {"PAGE": 0 if table_BP is None else rows.shape[1]}
    scale_strides = (0, 0) if keys.scales is None else keys.scales.stride()
    inputs = (q_BSJI, rows, keys.scales, table_BP, w_BSJ.float().contiguous(), positions_BS.contiguous())
    strides = (*q_BSJI.stride()[:3], *rows.stride()[:2], *scale_strides)
    return Launch(inputs, rows.shape[0], strides, constants, tile.warps)


def index_scores(q_BSJI: Tensor, keys: Tensor | IndexKeys, w_BSJ: Tensor, positions_BS: Tensor) -> Tensor:
    """Launches the kernel of ``reference_cache.index_scores``, without gradient."""
    keys = as_keys(keys)
    scores_BST = q_BSJI.new_empty(*q_BSJI.shape[:2], keys.tokens, dtype=torch.float32)
    _launch(q_BSJI, keys, w_BSJ, positions_BS, scores_BST, fill=True)
    return scores_BST


def causal_scores(q_BSJI: Tensor, keys: IndexKeys, w_BSJ: Tensor, positions_BS: Tensor) -> Tensor:
    """Returns the scores for a selection that knows the positions: those of later tokens may be anything.

    Rows begin at multiples of ``PITCH`` numbers, so that they are loaded 16 bytes at a time.
    """
    pitch = triton.cdiv(keys.tokens, PITCH) * PITCH
    scores_BST = q_BSJI.new_empty(*q_BSJI.shape[:2], pitch, dtype=torch.float32)[..., : keys.tokens]
    _launch(q_BSJI, keys, w_BSJ, positions_BS, scores_BST, fill=False)
    return scores_BST


def _launch(
    q_BSJI: Tensor, keys: IndexKeys, w_BSJ: Tensor, positions_BS: Tensor, scores_BST: Tensor, *, fill: bool
) -> None:
    batch, queries, heads, _ = q_BSJI.shape
    launch = prepare(q_BSJI, keys, w_BSJ, positions_BS)
    groups = triton.cdiv(keys.tokens, launch.constants["BN"] * KEY_TILES)
    sizes: Any = (queries, heads, keys.tokens, groups, launch.pool, scores_BST.stride(1))
    scores_kernel[(batch * groups * triton.cdiv(queries, launch.queries),)](
        *launch.inputs, scores_BST, *sizes, *launch.strides, **launch.constants, KEY_TILES=KEY_TILES, FILL=fill,
        num_warps=launch.warps,
    )  # fmt: skip
