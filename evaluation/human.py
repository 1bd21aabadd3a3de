"""Marks of people from a CSV file, as labels beside the proofs they belong to."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from core.config import STRICT, Positive, settings
from core.errors import LemmataError
from core.ids import digest
from core.log import ProblemLog, read_log
from core.records import Label, Problem, Proof, Selection
from core.store import Run, now
from core.tables import open_table
from evaluation.folders import Part

HUMAN = "human"
COLUMNS = ("problem", "attempt", "proof", "score", "max_points", "author", "time", "reason")


@settings(frozen=True, config=STRICT)
class MarksConfig:
    """``max_points`` where a row names none."""

    max_points: Positive = 7


@dataclass(frozen=True, slots=True)
class Mark:
    """One row: a proof by its id, or a problem (by name or id) with the attempt whose final proof is meant."""

    where: str
    proof: str
    problem: str
    entrant: str
    attempt: int | None
    points: float
    max_points: float
    author: str
    time: str
    reason: str


def read_marks(source: str, config: MarksConfig) -> list[Mark]:
    """The rows of a file. Raises LemmataError (file:line) for a row that names no proof, author or possible mark."""
    return [_mark(row.where, row.cells, config) for row in open_table(source, None, None)]


def _mark(where: str, cells: Mapping[str, object], config: MarksConfig) -> Mark:
    values = {key: "" if value is None else str(value).strip() for key, value in cells.items()}
    if missing := [name for name in ("score", "author") if not values.get(name)]:
        raise LemmataError(f"{where}: no {missing[0]}; a row has {', '.join(COLUMNS)}, and score and author are needed")
    if not values.get("proof") and not values.get("problem"):
        raise LemmataError(f"{where}: neither a proof's id nor a problem; give one of the two")
    full = _number(where, "max_points", values.get("max_points") or str(config.max_points))
    points = _number(where, "score", values["score"])
    if not full or points > full:
        raise LemmataError(f"{where}: a score of {points:g} of {full:g}; mend score or max_points")
    attempt = values.get("attempt") or "0"
    if not attempt.isdecimal():
        raise LemmataError(f"{where}: attempt {attempt!r} is no number such as 0")
    return Mark(
        where=where,
        proof=values.get("proof", ""),
        problem=values.get("problem", ""),
        entrant=values.get("entrant", ""),
        attempt=int(attempt),
        points=points,
        max_points=full,
        author=values["author"],
        time=values.get("time") or now(),
        reason=values.get("reason", ""),
    )


def _number(where: str, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise LemmataError(f"{where}: {name} is {text!r}, it must be a number that is not negative")
    return value


def add_marks(parts: Sequence[Part], marks: Sequence[Mark]) -> int:
    """Append the marks as labels; returns how many are new. Nothing is written unless every row finds its proof.

    Raises:
        LemmataError: a row names no proof here, or several; a run is being written by another process.
    """
    found: dict[Path, list[tuple[Path, Label]]] = {}
    index = list(_proofs(parts))
    for mark in marks:
        place = _find(mark, index)
        found.setdefault(place.run, []).append((place.log, _label(mark, place)))
    return sum(_append(run, labels) for run, labels in found.items())


@dataclass(frozen=True, slots=True)
class _Place:
    run: Path
    log: Path
    entrant: str
    attempt: int | None
    problem: Problem
    proof_id: str
    final: bool


def _proofs(parts: Sequence[Part]) -> Iterator[_Place]:
    for part in parts:
        for path in part.run.log_paths():
            problem, ids, chosen = None, [], None
            for record in read_log(path):
                if isinstance(record, Problem):
                    problem = record
                elif isinstance(record, Proof):
                    ids.append(record.id)
                elif isinstance(record, Selection):
                    chosen = record.proof_id
            if problem is not None:
                final = {chosen} if chosen else set(ids) if len(ids) == 1 else set()
                for name in ids:
                    yield _Place(part.run.folder, path, part.entrant, part.attempt, problem, name, name in final)


def _find(mark: Mark, index: Sequence[_Place]) -> _Place:
    matches = [place for place in index if _is_meant(mark, place)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise LemmataError(f"{mark.where}: no proof here is that of {_words(mark)}; `lemmata show RUN` lists problems")
    raise LemmataError(
        f"{mark.where}: {len(matches)} proofs are that of {_words(mark)}: name the proof's id or entrant"
    )


def _is_meant(mark: Mark, place: _Place) -> bool:
    if mark.entrant and mark.entrant not in (place.entrant, place.entrant.rpartition("/")[2]):
        return False
    if mark.proof:
        return place.proof_id == mark.proof
    return place.final and place.attempt == mark.attempt and mark.problem in (place.problem.name, place.problem.id)


def _words(mark: Mark) -> str:
    return f"proof {mark.proof}" if mark.proof else f"problem {mark.problem!r}, attempt {mark.attempt}"


def _label(mark: Mark, place: _Place) -> Label:
    return Label(
        id=digest("label", HUMAN, place.proof_id, mark.author, mark.points, mark.max_points, mark.time, mark.reason),
        problem_id=place.problem.id,
        proof_id=place.proof_id,
        grader=HUMAN,
        author=mark.author,
        score=mark.points / mark.max_points,
        points=mark.points,
        max_points=mark.max_points,
        reason=mark.reason,
        created=mark.time,
    )


def _append(folder: Path, labels: Sequence[tuple[Path, Label]]) -> int:
    new = 0
    with Run.extend(folder):
        for path, label in labels:
            with closing(ProblemLog(path)) as log:
                if label.id not in log:
                    log.append([label])
                    new += 1
    return new
