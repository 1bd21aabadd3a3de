"""Live lab run: a `lemmata refine` process that writes a run folder, which a page reads meanwhile."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from core.errors import LemmataError
from policy.local_config import model_folder

WEIGHTS = ("*.safetensors",)


def has_weights(model: str) -> bool:
    """True where the folder of ``model`` contains weights."""
    try:
        folder = model_folder(model)
    except LemmataError:
        return False
    return any(next(folder.glob(pattern), None) for pattern in WEIGHTS)


class LiveRun:
    """Background process that proves and judges one statement in a temporary run folder."""

    def __init__(self, model: str, statement: str, proofs: int, seed: int) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="lemmata-lab-")
        self.folder = Path(self._temporary.name) / "run"
        self._output = Path(self._temporary.name) / "output"
        with self._output.open("wb") as file:
            self._process = subprocess.Popen(
                self._command(model, statement, proofs, seed), stdout=file, stderr=file, env=_environment()
            )

    def _command(self, model: str, statement: str, proofs: int, seed: int) -> list[str]:
        return [
            *(sys.executable, "-m", "lemmata", "refine", f"problem={statement}", f"run={self.folder}"),
            *(
                "policy=shipped",
                f"policy.model={_quoted(model)}",
                f"seed={seed}",
                f"refine.proofs={proofs}",
                "refine.rounds=2",
            ),
            *("refine.top=2", "refine.pairs=1", "judge.analyses=4", "judge.reviews=1"),
        ]

    @property
    def is_running(self) -> bool:
        """True until the process has ended."""
        return self._process.poll() is None

    @property
    def error(self) -> str:
        """Last line of the output of a failed process; empty otherwise."""
        if self.is_running or self._process.returncode in (0, 2):
            return ""
        return self._output.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]

    def stop(self) -> None:
        """Ends the process and deletes the run folder."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._temporary.cleanup()


def _quoted(value: str) -> str:
    """A value quoted for Hydra's grammar."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _environment() -> Mapping[str, str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": paths}
