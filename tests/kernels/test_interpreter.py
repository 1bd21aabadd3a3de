"""Runs the tests of ``interpreted`` with Triton's interpreter, which a process chooses before it imports Triton."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("triton")

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).resolve().parent / "interpreted"


@pytest.mark.parametrize("module", sorted(path.stem for path in FOLDER.glob("test_*.py")))
def test_kernels_in_the_interpreter(module: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(FOLDER / f"{module}.py")]
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=FOLDER.parents[2])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
