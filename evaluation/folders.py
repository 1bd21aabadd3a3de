"""Run folders of an evaluation or its grades: RUN/ENTRANT/attempt-003/ and RUN/ENTRANT/control/, each like any run."""

import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import LemmataError
from core.ids import derive_seed
from core.store import Run

CONTROL = "control"
_ATTEMPT = re.compile(r"attempt-(\d{3,})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Part:
    """One run folder of an evaluation. ``attempt`` is None for the control; a plain run counts as its own attempt 0."""

    run: Run
    entrant: str
    attempt: int | None

    @property
    def is_control(self) -> bool:
        """True for the run of junk proofs."""
        return self.attempt is None

    def has(self, entrant: str) -> bool:
        """True for the run's entrant, and for that of each model whose proofs the run judges."""
        return entrant == self.entrant or entrant.startswith(model_entrant(self.entrant, ""))


def model_entrant(entrant: str, model: str) -> str:
    """Name of the entrant of one model, where a run judges the proofs of several."""
    return f"{entrant}: {model}"


def attempt_folder(run: Path, entrant: str, attempt: int) -> Path:
    """Folder of an attempt. Raises LemmataError for an entrant's name that cannot be a folder name."""
    return entrant_folder(run, entrant) / f"attempt-{attempt:03d}"


def entrant_folder(run: Path, entrant: str) -> Path:
    """Folder of an entrant. Raises LemmataError for a name that cannot be a folder name."""
    if not _NAME.fullmatch(entrant):
        raise LemmataError(f"entrants: {entrant!r} cannot be a folder name; use letters, digits and . _ - only")
    return run / entrant


def attempt_seed(seed: int, attempt: int) -> int:
    """Root seed of an attempt: independent between attempts, the same for every entrant."""
    return derive_seed("attempt", seed, attempt)


def parts_of(folder: str | Path) -> list[Part]:
    """The run folders of an evaluation in the order of their names; a plain run is its only part.

    Raises:
        LemmataError: ``folder`` is not a run, or an evaluation without attempts.
    """
    run = Run.read(folder)
    name = run.folder.resolve().name
    command = run.manifest["config"].get("command")
    if command not in ("evaluate", "grade"):
        return [Part(run, name, 0)]
    parts = [
        Part(Run.read(path), f"{name}/{path.parent.name}", _attempt(path))
        for path in sorted(run.folder.glob("*/*"))
        if (path / "run.yaml").is_file() and (path.name == CONTROL or _ATTEMPT.fullmatch(path.name))
    ]
    if not parts and command == "grade":
        return [Part(run, name, 0)]
    if not parts:
        raise LemmataError(f"the evaluation {folder} has no attempts; `lemmata evaluate ... run={folder}` makes them")
    return parts


def _attempt(path: Path) -> int | None:
    match = _ATTEMPT.fullmatch(path.name)
    return int(match[1]) if match else None
