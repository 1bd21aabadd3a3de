"""A model of ours on one problem of the lab, live: a command of its own writes a run, the page reads it meanwhile."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import LemmataError
from lab.checker import check
from lab.defects import Defect, Verdict
from lab.language import read
from lab.limits import Refused
from lab.statements import Unsupported, read_statement
from policy.local_config import model_folder

SHIPPED = "pkg://model/shipped"
WEIGHTS = ("*.safetensors",)


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of a proof: a sentence or what stands between; ``defects`` are what the checker finds wrong there."""

    text: str
    counted: bool
    defects: tuple[Defect, ...] = ()


def weights_in(model: str) -> bool:
    """Whether the folder that ``model`` names holds a model's weights."""
    try:
        folder = model_folder(model)
    except LemmataError:
        return False
    return any(next(folder.glob(pattern), None) for pattern in WEIGHTS)


def steps(body: str, verdict: Verdict) -> list[Step]:
    """A proof cut at the sentences of the lab's language, each with the defects that the checker puts in it."""
    try:
        spans = [sentence.span for sentence in read(body)]
    except Refused:
        spans = []
    pieces, position = [], 0
    for start, end in spans or [(0, len(body))]:
        if start > position:
            pieces.append(Step(body[position:start], counted=False))
        found = tuple(defect for defect in verdict.defects if start <= defect.place.start < end)
        pieces.append(Step(body[start:end], counted=True, defects=found))
        position = end
    return [*pieces, Step(body[position:], counted=False)] if position < len(body) else pieces


def at_the_end(body: str, verdict: Verdict) -> list[Defect]:
    """What the proof lacks at its end."""
    return [defect for defect in verdict.defects if defect.place.start >= len(body.rstrip())]


def exact(statement: str, body: str) -> Verdict | str:
    """The checker's verdict of a proof, or in words why the lab cannot decide the statement."""
    proposition = read_statement(statement)
    return proposition.reason if isinstance(proposition, Unsupported) else check(proposition, body)


class Live:
    """A command that proves and judges one statement in the background; its run folder goes with it."""

    def __init__(self, model: str, statement: str, proofs: int, seed: int) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="lemmata-lab-")
        self.folder = Path(self._temporary.name) / "run"
        self._said = Path(self._temporary.name) / "said"
        with self._said.open("wb") as file:
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
            *("refine.top=2", "refine.pairs=1", "refine.judge.analyses=4", "refine.judge.reviews=1"),
        ]

    @property
    def running(self) -> bool:
        """Whether the command is at work."""
        return self._process.poll() is None

    @property
    def trouble(self) -> str:
        """The last line that it said, where it failed."""
        if self.running or self._process.returncode in (0, 2):
            return ""
        return self._said.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._temporary.cleanup()


def _quoted(value: str) -> str:
    """A value in Hydra's grammar, whatever is in it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _environment() -> Mapping[str, str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONPATH": paths}
