"""Ahead-of-time compilation of every kernel for every architecture, on a machine without a GPU.

``python -m kernels.fast.aot`` prints registers, spilled bytes and shared memory per kernel and architecture as a table
(``--json``: as the record that the tests compare with). Must run without TRITON_INTERPRET.
"""

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from kernels.fast import attention, backward, configs, decode_fp8, fused, kl_kernels, scatter, scores, topk

ARCHITECTURES = (80, 86, 89, 90, 100, 120)
SHARED_MEMORY = {80: 163, 86: 99, 89: 99, 90: 227, 100: 227, 120: 99}  # KiB that a program may have
BINARIES = Path(triton.__file__).parent / "backends/nvidia/bin"
ROW = {"C": 512, "R": 64, "BC": 256, "BR": 64, "HALVES": 2}
POINTERS: dict[str, str] = dict.fromkeys(("LSE", "W", "SCORES", "MASS", "SLOPE", "DW", "SCALES", "RING"), "*fp32")
POINTERS |= dict.fromkeys(("IDX", "KEYS", "PLACES", "LIMITS", "TABLE"), "*i32")
POINTERS |= dict.fromkeys(("POSITIONS", "ORDER", "STARTS"), "*i64")
# Sizes of which nothing is known; other integers divide by 16.
ODD = {"queries", "tokens", "splits", "per_split", "batches", "pool", "s_block", "s_row", "units"}


class EmptyKernelError(RuntimeError):
    """A kernel that no longer stores anything: Triton does so silently where tensor memory (sm100) does not suffice."""


class Variant(NamedTuple):
    """One kernel with one set of constants."""

    name: str
    kernel: Any
    constants: dict[str, Any]
    warps: int
    stages: int = 3
    types: Mapping[str, str] = MappingProxyType({})  # of arguments typed otherwise than other kernels' of that name


class KernelResources(NamedTuple):
    """Resources of one compiled kernel: registers per thread, spilled bytes per thread, shared memory in KiB."""

    registers: int
    spilled: int
    shared: int


def architecture_class(arch: int) -> int:
    """The row of the configuration table that serves an architecture."""
    return arch if arch in (80, 90, 100) else 86


def fp8_type(arch: int) -> str:
    """Returns the type of e4m3 numbers as kernel arguments."""
    return "*fp8e4nv" if divmod(arch, 10) >= configs.OLDEST_FP8 else "*u8"


def attention_variants(arch: int) -> Iterator[Variant]:
    """Prefill at few and many heads, decode, and its combination."""
    for heads in (16, 64):
        tile = configs.ATTENTION["attend"][architecture_class(arch)][configs.HEAD_TILES.index(heads)]
        constants = ROW | configs.tile_constants(tile)
        yield Variant(f"prefill h{heads}", attention.prefill_kernel, constants, tile.warps)
    yield Variant("decode h64", attention.decode_kernel, constants, tile.warps, types={"PART": "*fp32"})
    for heads in (16, 64):
        tile = configs.ATTENTION["attend_fp8"][architecture_class(arch)][configs.HEAD_TILES.index(heads)]
        constants = {"C": 512, "R": 64, "BC": 128, "BR": 64, "GROUPS": 4}
        constants |= {"BH": tile.rows, "BK": tile.columns, "STAGES": tile.stages}
        types = {"PART": "*fp32", "VALUES": fp8_type(arch)}
        yield Variant(f"decode fp8 h{heads}", decode_fp8.decode_kernel, constants, tile.warps, types=types)
    yield Variant("combine", attention.combine_kernel, {"C": 512, "BC": 512}, 4, types={"PART": "*fp32"})


def indexer_variants(arch: int) -> Iterator[Variant]:
    """Scores of 64 heads of width 128 and selections, apart and fused."""
    tile = configs.PLAIN["index_scores"][architecture_class(arch)]
    base = {"I": 128, "BI": 128, "BN": tile.rows, "BQ": tile.columns // 64, "BJ": 64, "STAGES": tile.stages}
    fp8 = {"Q": fp8_type(arch), "K": fp8_type(arch)}
    plain, paged = base | {"TABLE": None, "PAGE": 0}, base | {"PAGE": 64}
    kinds = (("", plain | {"SCALES": None}, {}), (" paged", paged | {"SCALES": None}, {}), (" fp8", plain, fp8))
    kinds = (*kinds, (" fp8 paged", paged, fp8))
    for kind, constants, types in kinds:
        scored = constants | {"KEY_TILES": scores.KEY_TILES, "FILL": False}
        yield Variant(f"index scores{kind}", scores.scores_kernel, scored, tile.warps, types=types | {"OUT": "*fp32"})
    room = {"CHUNK": configs.LONG_ROW_BLOCK, "ROOM": fused.room(2048)}
    for kind, constants, types in (kinds[0], kinds[-1]):
        yield Variant(f"fused selection{kind}", fused.fused_kernel, constants | room, tile.warps, types=types)
    constants = {"BLOCK": configs.ROWS_IN_REGISTERS}
    yield Variant("select", topk.select_kernel, constants, configs.select_warps(configs.ROWS_IN_REGISTERS))
    constants = {"BLOCK": configs.LONG_ROW_BLOCK, "ROOM": configs.CANDIDATES, "SAMPLE": configs.SAMPLE}
    yield Variant("select long", topk.select_long_kernel, constants, configs.LONG_ROW_WARPS)


def backward_variants(arch: int) -> Iterator[Variant]:
    """Both kernels of the backward pass, atomic and deterministic, and the fixed-order sum."""
    for heads in (16, 64):
        tile = configs.ATTENTION["query_gradient"][architecture_class(arch)][configs.HEAD_TILES.index(heads)]
        constants = ROW | configs.tile_constants(tile) | {"SUM": tile.rows < configs.QUERY_SUM_FROM}
        yield Variant(f"query gradient h{heads}", backward.query_gradient_kernel, constants, tile.warps)
    if arch == 90:  # elsewhere no tile has so many heads
        tile = configs.QUERY_SUM
        constants = ROW | {"BH": tile.rows, "BK": tile.columns, "STAGES": tile.stages}
        yield Variant("query sum h64", backward.query_sum_kernel, constants, tile.warps)
    tile = configs.PLAIN["row_gradient"][architecture_class(arch)]
    for heads, atomic in ((16, True), (128, True), (128, False)):
        constants = {"C": 512, "R": 64, "BR": 64, "BH": heads, "BK": tile.rows, "BD": tile.columns, "ATOMIC": atomic}
        name = f"row gradient h{heads}" + ("" if atomic else " ordered")
        types = {"ROWS": "*fp32"} if atomic else {}
        yield Variant(name, backward.row_gradient_kernel, constants, tile.warps, tile.stages, types)
    constants = {"BLOCK": 256, "ENTRIES": scatter.ENTRIES}
    yield Variant("add rows", scatter.add_rows_kernel, constants, 4, types={"OUT": "*fp32"})


def loss_variants(arch: int) -> Iterator[Variant]:
    """The kernels of the indexer's loss: both stages where they differ, 64 heads of both kinds."""
    row = architecture_class(arch)
    tile = configs.ATTENTION["attend"][row][-1]
    constants = ROW | {"BH": tile.rows, "BK": tile.columns}
    index = {"I": 128, "BI": 128, "BJ": 64}
    gradient = configs.PLAIN["indexer_gradient"][row]
    for stage, dense in (("sparse", False), ("warmup", True)):
        staged = constants | {"DENSE": dense}
        yield Variant(f"lse {stage}", kl_kernels.lse_kernel, staged | {"STAGES": tile.stages}, tile.warps)
        yield Variant(f"mass {stage}", kl_kernels.mass_kernel, staged, tile.warps)
        staged = index | {"BK": gradient.rows, "DENSE": dense, "ATOMIC": True}
        name = f"indexer gradient {stage}"
        yield Variant(name, kl_kernels.indexer_gradient_kernel, staged, gradient.warps, types={"ROWS": "*fp32"})
    tile = configs.PLAIN["listed_scores"][row]
    constants, types = index | {"BK": tile.rows}, {"OUT": "*fp32"}
    yield Variant("listed scores", kl_kernels.listed_scores_kernel, constants, tile.warps, types=types)


def variants(arch: int) -> list[Variant]:
    """Every kernel, as the configuration table has it for this architecture."""
    groups = (attention_variants, indexer_variants, backward_variants, loss_variants)
    return [variant for group in groups for variant in group(arch)]


def _type_of(argument: str, overrides: Mapping[str, str]) -> str:
    """Arguments in capitals are pointers, to bf16 unless named here."""
    if argument in overrides:
        return overrides[argument]
    if argument.isupper():
        return POINTERS.get(argument, "*bf16")
    return "fp32" if argument.startswith("scale") else "i32"


def compile_variant(variant: Variant, arch: int) -> KernelResources:
    """Compile for one architecture and read the cubin's resource usage."""
    names = variant.kernel.arg_names
    signature = {name: "constexpr" if name in variant.constants else _type_of(name, variant.types) for name in names}
    constants = {(names.index(name),): value for name, value in variant.constants.items()}
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, name in enumerate(names)
        if signature[name].startswith("*") or (signature[name] == "i32" and name not in ODD)
    }
    source = ASTSource(fn=variant.kernel, signature=signature, constexprs=constants, attrs=aligned)  # pyright: ignore[reportArgumentType]
    options = {"num_warps": variant.warps, "num_stages": variant.stages}
    compiled: Any = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    if not re.search(r"\b(st|red|atom)\.\S*global", compiled.asm["ptx"]):
        raise EmptyKernelError(f"{variant.name} for sm{arch}: Triton left nothing of it but a trap")
    return _usage(compiled.asm["cubin"], compiled.metadata.shared)


def _usage(cubin: bytes, shared: int) -> KernelResources:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [BINARIES / "cuobjdump", "--dump-resource-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Cubins for sm100 hold small functions of the assembler's own beside the kernel.
    registers, spilled = zip(*re.findall(r"REG:(\d+) STACK:(\d+)", text), strict=True)
    return KernelResources(max(map(int, registers)), max(map(int, spilled)), -(-shared // 1024))


def table(architectures: Iterable[int] = ARCHITECTURES, only: str = "") -> Iterator[tuple[str, int, KernelResources]]:
    """Name, architecture and usage of every variant whose name starts with ``only``."""
    for arch in architectures:
        for variant in variants(arch):
            if variant.name.startswith(only):
                yield variant.name, arch, compile_variant(variant, arch)


def main() -> None:
    """The table, or the JSON record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--arch", type=int, nargs="*", default=ARCHITECTURES)
    parser.add_argument("--only", default="", help="kernels whose name starts so")
    arguments = parser.parse_args()
    record: dict[str, dict[str, list[int]]] = {}
    print(f"Triton {triton.__version__}\n{'kernel':26s}{'sm':>5s}{'registers':>11s}{'spilled':>9s}{'shared KiB':>12s}")
    for name, arch, usage in table(arguments.arch, arguments.only):
        record.setdefault(name, {})[str(arch)] = list(usage)
        print(f"{name:26s}{arch:5d}{usage.registers:11d}{usage.spilled:9d}{usage.shared:12d}", flush=True)
    if arguments.json:
        print(json.dumps({"triton": triton.__version__, "usage": record}))


if __name__ == "__main__":
    main()
