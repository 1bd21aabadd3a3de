"""Tries tiles for the configuration table on the GPU at hand; prints milliseconds, best first. Changes nothing.

``python -m benchmarks.kernel_tuning [--only attend]``.
"""

import argparse
from collections.abc import Callable, Sequence

import torch
from triton.runtime.errors import OutOfResources

from benchmarks.kernel_inputs import attention_inputs, decode_inputs, index_inputs
from benchmarks.kernel_limits import seconds
from kernels.fast import attention, backward, configs, scores, topk
from kernels.fast.configs import Tile

SCALE = 576**-0.5


def attempt(name: str, tiles: Sequence[Tile], call: Callable[[], object], install: Callable[[Tile], None]) -> None:
    """Time a call under each tile."""
    timed = []
    for tile in tiles:
        install(tile)
        try:
            timed.append((seconds(call, 30) * 1e3, tuple(tile)))
        except OutOfResources as error:
            print(f"{name} {tuple(tile)}: {str(error)[:80]}")
    print(name, "  ".join(f"{tile}: {taken:.3f}" for taken, tile in sorted(timed)), flush=True)


def attention_rows(kernel: str, place: int) -> Callable[[Tile], None]:
    """Sets one entry of the attention table for every class of GPU."""

    def install(tile: Tile) -> None:
        for gpu, row in configs.ATTENTION[kernel].items():
            configs.ATTENTION[kernel][gpu] = (*row[:place], tile, *row[place + 1 :])

    return install


def plain_row(kernel: str) -> Callable[[Tile], None]:
    """Sets one entry of the table of plain kernels for every class of GPU."""

    def install(tile: Tile) -> None:
        for gpu in configs.PLAIN[kernel]:
            configs.PLAIN[kernel][gpu] = tile

    return install


def tune_attend() -> None:
    """Prefill and decode."""
    many = [Tile(64, 64, 8, 2), Tile(64, 64, 8, 1), Tile(64, 32, 8, 3)]
    for branch in (64, 1000):
        configs.BRANCH_FROM = branch
        q, kv, indices = attention_inputs(4096, 8192, 128)
        install = attention_rows("attend", 2)
        name = f"prefill H=128 branch from {branch}"
        attempt(name, many, lambda a=(q, kv, indices): attention.prefill(*a, SCALE, 512), install)
        q, rows, indices = decode_inputs(64, 8192, 128)
        name = f"decode B=64 H=128 branch from {branch}"
        attempt(name, many, lambda a=(q, rows, indices): attention.decode(*a, SCALE, 512), install)


def tune_backward() -> None:
    """Both kernels of the backward pass, the one not varied as the table has it."""
    large = [Tile(64, 64, 8, 1), Tile(64, 32, 8, 1), Tile(64, 32, 8, 2), Tile(64, 16, 8, 2)]
    large += [Tile(32, 32, 8, 2), Tile(32, 64, 8, 1)]
    rows = [Tile(128, 64, 4, 1), Tile(64, 64, 8, 1), Tile(64, 64, 4, 1), Tile(128, 64, 8, 1)]
    q, kv, indices = attention_inputs(4096, 8192, 64)
    out, lse = attention.prefill(q, kv, indices, SCALE, 512)
    arguments = (torch.randn_like(out), q, kv, indices, out, lse, SCALE, 512)
    install = attention_rows("query_gradient", 2)
    for branch, apart in ((64, 64), (1000, 64), (64, 1000), (1000, 1000)):
        configs.BRANCH_FROM, configs.QUERY_SUM_FROM = branch, apart
        name = f"query gradient H=64 branch from {branch}, summed apart from {apart}"
        attempt(name, large, lambda: backward.sparse_mla_backward(*arguments), install)
    configs.BRANCH_FROM, configs.QUERY_SUM_FROM = 64, 64
    sums = [Tile(64, 64, 8, 2), Tile(64, 64, 8, 1), Tile(64, 32, 8, 2)]
    for configs.QUERY_SUM in sums:
        attempt(f"{configs.QUERY_SUM}", large[:3], lambda: backward.sparse_mla_backward(*arguments), install)
    configs.QUERY_SUM = sums[0]
    install(Tile(64, 32, 8, 2))
    attempt("row gradient H=64", rows, lambda: backward.sparse_mla_backward(*arguments), plain_row("row_gradient"))


def tune_index() -> None:
    """Scores and selection."""
    tiles = [Tile(128, 128, 4, 2), Tile(128, 64, 4, 2), Tile(128, 64, 4, 3), Tile(256, 64, 4, 2), Tile(256, 128, 8, 2)]
    arguments = index_inputs(8192, 8192)
    attempt("index scores", tiles, lambda: scores.index_scores(*arguments), plain_row("index_scores"))
    plain_row("index_scores")(tiles[0])
    found = scores.index_scores(*index_inputs(4096, 8192))
    print(f"select T=8192: {seconds(lambda: topk.select_topk(found, 2048), 20) * 1e3:.3f}", flush=True)
    found = scores.index_scores(*index_inputs(4096, 131072))
    for configs.LONG_ROW_WARPS in (2, 4, 8):
        for configs.LONG_ROW_BLOCK in (1024, 2048, 4096, 8192):
            taken = seconds(lambda: topk.select_topk(found, 2048), 20)
            setting = f"warps={configs.LONG_ROW_WARPS} block={configs.LONG_ROW_BLOCK}"
            print(f"select T=131072 {setting}: {taken * 1e3:.3f}", flush=True)


def main() -> None:
    """All of them, or the one named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    for name, tune in (("attend", tune_attend), ("backward", tune_backward), ("index", tune_index)):
        if name.startswith(only):
            tune()


if __name__ == "__main__":
    main()
