"""Block configurations: one table for every kernel and architecture. Nothing is tuned at import or at run time.

Rows of the table are classes of GPUs by shared memory and matrix instructions: 80 (A100, 164 KB), 90 (Hopper, 227 KB,
wgmma), 100 (B200, 227 KB), 86 (sm86, sm89, sm120: about 99 KB). ``python -m kernels.fast.aot`` prints what each entry
needs of registers and shared memory.
"""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

HEAD_TILES = (16, 32, 64)  # the tensor cores' smallest tile; beyond 64 the accumulator fills the registers
LARGEST_LATENT = 512  # two halves of 256


class Tile(NamedTuple):
    """Rows by columns of a program's tile, its warps, and its loads in flight."""

    rows: int
    columns: int
    warps: int
    stages: int


# At 64 heads the accumulators fill the tensor memory of sm100, and Triton then compiles a bare trap: 32 heads there.
# kernel -> GPU class -> tile. Attention kernels hold one entry per head tile: rows are heads, columns selected keys.
ATTENTION: dict[str, dict[int, tuple[Tile, ...]]] = {
    "attend": {
        80: (Tile(16, 32, 4, 2), Tile(32, 32, 4, 2), Tile(64, 32, 8, 2)),
        86: (Tile(16, 32, 4, 2), Tile(32, 16, 4, 2), Tile(32, 16, 4, 2)),
        90: (Tile(16, 64, 4, 2), Tile(32, 64, 4, 2), Tile(64, 64, 8, 2)),
        100: (Tile(16, 64, 4, 2), Tile(32, 64, 8, 2), Tile(32, 64, 8, 2)),
    },
    "attend_fp8": {
        80: (Tile(16, 32, 8, 2), Tile(32, 32, 8, 2), Tile(32, 32, 8, 2)),
        86: (Tile(16, 32, 8, 2), Tile(32, 32, 8, 2), Tile(32, 32, 8, 2)),
        90: (Tile(16, 64, 8, 2), Tile(32, 32, 8, 2), Tile(64, 32, 8, 2)),
        100: (Tile(16, 64, 8, 2), Tile(32, 32, 8, 2), Tile(32, 32, 8, 2)),
    },
    "query_gradient": {
        80: (Tile(16, 32, 4, 1), Tile(32, 32, 8, 1), Tile(32, 32, 8, 1)),
        86: (Tile(16, 32, 4, 1), Tile(16, 32, 4, 1), Tile(16, 32, 4, 1)),
        90: (Tile(16, 32, 4, 2), Tile(32, 64, 8, 1), Tile(64, 32, 8, 2)),
        100: (Tile(16, 32, 4, 2), Tile(32, 32, 8, 1), Tile(32, 32, 8, 1)),
    },
}
# Rows are keys, columns what lies across them: queries x indexer heads, or a slice of a row's width.
PLAIN: dict[str, dict[int, Tile]] = {
    "index_scores": {
        80: Tile(64, 128, 4, 2),
        86: Tile(64, 64, 4, 2),
        90: Tile(128, 128, 4, 2),
        100: Tile(128, 128, 4, 2),
    },
    "listed_scores": {80: Tile(64, 0, 4, 1), 86: Tile(64, 0, 4, 1), 90: Tile(128, 0, 4, 1), 100: Tile(128, 0, 4, 1)},
    "indexer_gradient": {80: Tile(64, 0, 4, 1), 86: Tile(64, 0, 4, 1), 90: Tile(64, 0, 4, 1), 100: Tile(64, 0, 4, 1)},
    "row_gradient": {80: Tile(64, 64, 4, 1), 86: Tile(64, 64, 4, 1), 90: Tile(64, 64, 8, 1), 100: Tile(64, 64, 8, 1)},
}
FP32_ATTENTION = Tile(16, 16, 4, 1)  # exactness, not speed: fp32 rows are twice as wide
FP32_PLAIN = Tile(32, 32, 4, 1)

QUERY_SUM_FROM = 64  # heads of a tile from which the queries' gradient is summed in a kernel of its own
QUERY_SUM = Tile(64, 64, 8, 2)
BRANCH_FROM = 64  # heads of a tile from which logits are computed in a branch (``tiles.attend`` says why)
SCRATCH_BYTES = 1 << 30  # of intermediate results that a backward pass holds at once
LEAST_SPLITS, MOST_SPLITS = 4, 16  # of a decode step's selected tokens; few heads have few programs without
ROWS_IN_REGISTERS = 16384  # scores of one row that a program of select_topk holds at once
LONG_ROW_BLOCK = 2048  # scores per step of a longer row
LONG_ROW_WARPS = 4
SAMPLE = 4096  # scores that set a longer row's gate
CANDIDATES = 4096  # that may pass it, or twice k
FUSED_PROGRAMS = 528  # of the fused selection: 4 for each of 132 multiprocessors, each with scratch memory of its own
OLDEST_FP8 = (8, 9)  # compute capability from which Triton has e4m3


@cache
def _class_of(device: torch.device) -> int:
    """The table's row for a device; the interpreter's programs take Hopper's tiles."""
    if device.type != "cuda":
        return 90
    major, minor = torch.cuda.get_device_capability(device)
    return {(8, 0): 80, (9, 0): 90, (10, 0): 100, (10, 3): 100}.get((major, minor), 86)


def knows_fp8(device: torch.device) -> bool:
    """Returns True if kernels for this device (or the interpreter) support e4m3 directly."""
    return device.type != "cuda" or torch.cuda.get_device_capability(device) >= OLDEST_FP8


def attention_tile(kernel: str, heads: int, like: Tensor) -> Tile:
    """The tile of an attention kernel for so many heads and tensors ``like`` this one."""
    if like.dtype == torch.float32:
        return FP32_ATTENTION
    place = next((i for i, size in enumerate(HEAD_TILES) if heads <= size), len(HEAD_TILES) - 1)
    return ATTENTION[kernel][_class_of(like.device)][place]


def decode_splits(heads: int) -> int:
    """Splits of a decode step's list by heads: never a function of the batch, so that results are not either."""
    return max(LEAST_SPLITS, min(MOST_SPLITS, 256 // heads))


def tile_constants(tile: Tile) -> dict[str, int | bool]:
    """An attention kernel's constants."""
    return {"BH": tile.rows, "BK": tile.columns, "STAGES": tile.stages, "BRANCH": tile.rows >= BRANCH_FROM}


def plain_tile(kernel: str, like: Tensor) -> Tile:
    """The tile of a kernel that has one entry per GPU class."""
    return FP32_PLAIN if like.dtype == torch.float32 else PLAIN[kernel][_class_of(like.device)]


def select_warps(block: int) -> int:
    """Warps that hold so many scores in their registers."""
    return 8 if block > 8192 else 4


def power_of_two(size: int, least: int = 16) -> int:
    """The least power of two that holds ``size``; a matrix instruction takes no side below 16."""
    return max(least, 1 << max(0, size - 1).bit_length())
