"""benchmarks/on_gpu.sh: one table and one line of JSON, whatever a step does. The steps' Python is a script here."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "on_gpu.sh"
PYTHON = """#!/bin/sh
echo "ran $*"
case "$*" in
    *benchmarks.kernels*) echo '{"benchmark": "kernels", "value": 3}' ;;
    *test_engine_on_gpu*|*kernel_tuning*) exit 4 ;;
esac
"""


def run(tmp_path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Any]:
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    command = ["bash", str(SCRIPT), *arguments, str(tmp_path / "logs")]
    environment = os.environ | {"PYTHON": str(python), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("dry", [False, True])
def test_table_and_json_of_all_steps(tmp_path: Path, dry: bool) -> None:
    done, record = run(tmp_path, *["--dry-run"] * dry)
    steps = record["steps"]
    assert record["dry_run"] is dry
    assert done.returncode == 1  # a step has failed
    assert len(done.stdout.splitlines()) == len(steps) + 2
    assert steps["kernels"]["result"] == "passed"
    assert steps["kernels"]["report"] == {"benchmark": "kernels", "value": 3}
    failed = {name for name, step in steps.items() if step["result"] == "exit code 4"}
    assert failed == (
        {"collected-tests", "tiles"} if dry else {"engine-tests", "tiles-backward", "tiles-attend", "tiles-index"}
    )
    assert (tmp_path / "logs" / "kernels.log").read_text().startswith("ran -m benchmarks.kernels")


def test_the_limits_of_the_steps_stay_under_twelve_minutes() -> None:
    lines = SCRIPT.read_text().partition("\nelse\n")[2].splitlines()
    side_by_side = [
        int(line.split()[2]) for line in lines if line.split()[:1] == ["step"] and int(line.split()[2]) == 240
    ]
    in_turn = [int(line.split()[2]) for line in lines if line.split()[:1] == ["step"] and int(line.split()[2]) != 240]
    assert len(side_by_side) == 3
    assert max(side_by_side) + sum(in_turn) <= 12 * 60
