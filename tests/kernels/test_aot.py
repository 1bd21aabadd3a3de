"""Every kernel compiles for every architecture, within its shared memory and within recorded registers and spills.

After a change of kernels or tiles: ``python -m kernels.fast.aot --json | tail -1 > tests/kernels/usage.json``.
"""

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("torch")
triton = pytest.importorskip("triton")

from kernels.fast import aot  # noqa: E402

pytestmark = [
    pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="the interpreter compiles nothing"),
    pytest.mark.slow,
]
RECORD = json.loads((Path(__file__).parent / "usage.json").read_text())


@pytest.mark.parametrize("arch", aot.ARCHITECTURES)
def test_kernels_compile_within_recorded_ceilings(arch: int) -> None:
    """Another Triton allocates otherwise: then the hardware's own bounds are all that is checked."""
    recorded = RECORD["usage"]
    same = triton.__version__ == RECORD["triton"]
    for variant in aot.variants(arch):
        usage = aot.compile_variant(variant, arch)
        print(f"{variant.name:24s} sm{arch} {usage}")
        assert usage.shared <= aot.SHARED_MEMORY[arch], (variant.name, usage)
        if same:
            registers, spilled, shared = recorded[variant.name][str(arch)]
            assert usage.registers <= registers, (variant.name, usage)
            assert usage.spilled <= spilled, (variant.name, usage)
            assert usage.shared <= shared, (variant.name, usage)


def test_the_record_names_the_kernels_there_are() -> None:
    assert RECORD["usage"].keys() == {variant.name for variant in aot.variants(90)}
