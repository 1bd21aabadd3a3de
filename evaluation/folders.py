"""Run folders of an evaluation: RUN/ENTRANT/attempt-003/ and RUN/ENTRANT/control/, each like any other run."""

import re
from collections.abc import Iterator
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
    """One run folder of an evaluation. ``attempt`` is None for the control; a plain run is attempt 0 of itself."""

    run: Run
    entrant: str
    attempt: int | None

    @property
    def is_control(self) -> bool:
        """Whether it holds junk proofs."""
        return self.attempt is None


def attempt_folder(run: Path, entrant: str, attempt: int) -> Path:
    """Where an attempt is kept. Raises LemmataError for a entrant's name that can be no folder."""
    return entrant_folder(run, entrant) / f"attempt-{attempt:03d}"


def entrant_folder(run: Path, entrant: str) -> Path:
    """Where a entrant is kept. Raises LemmataError for a name that can be no folder."""
    if not _NAME.fullmatch(entrant):
        raise LemmataError(f"entrants: {entrant!r} can be no folder; use letters, digits and . _ - in its name.")
    return run / entrant


def attempt_seed(seed: int, attempt: int) -> int:
    """The root seed of an attempt: attempts are independent, and the same for every entrant."""
    return derive_seed("attempt", seed, attempt)


def parts_of(folder: str | Path) -> list[Part]:
    """The run folders of a evaluation in the order of their names; a plain run is its only part.

    Raises:
        LemmataError: ``folder`` is no run, or holds nothing.
    """
    run = Run.read(folder)
    name = run.folder.resolve().name
    if run.manifest["config"].get("command") != "evaluate":
        return [Part(run, name, 0)]
    parts = [
        Part(Run.read(path), f"{name}/{path.parent.name}", _attempt(path))
        for path in sorted(run.folder.glob("*/*"))
        if (path / "run.yaml").is_file() and (path.name == CONTROL or _ATTEMPT.fullmatch(path.name))
    ]
    if not parts:
        raise LemmataError(f"evaluation {folder} holds no attempts; `lemmata evaluate ... run={folder}` makes them.")
    return parts


def _attempt(path: Path) -> int | None:
    match = _ATTEMPT.fullmatch(path.name)
    return int(match[1]) if match else None


def attempts(run: Path, entrants: list[str], count: int) -> Iterator[tuple[str, int, Path]]:
    """Entrant, number and folder of every attempt, the entrants in turn."""
    for number in range(count):
        for entrant in entrants:
            yield entrant, number, attempt_folder(run, entrant, number)
