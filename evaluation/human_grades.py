"""Human grades: points from a CSV file, appended as labels to the runs that contain the graded proofs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.config import STRICT, Positive, settings
from core.errors import LemmataError
from core.ids import digest
from core.labels import append_labels
from core.log import read_log
from core.records import Label, Problem, Proof, Selection
from core.store import now
from core.tables import open_table
from evaluation.folders import Part

HUMAN = "human"
COLUMNS = ("problem", "attempt", "proof", "score", "max_points", "author", "time", "reason")


@settings(frozen=True, config=STRICT)
class HumanGradesConfig:
    """Scale of the grades: ``max_points`` of the rows that do not state theirs."""

    max_points: Positive = 7


@dataclass(frozen=True, slots=True)
class HumanGrade:
    """One row: a proof by its id, or a problem (name or id) with the attempt whose final proof is meant.

    ``where``: file and line, for messages.
    """

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


def read_human_grades(source: str, config: HumanGradesConfig) -> list[HumanGrade]:
    """Reads the rows of a file.

    Raises:
        LemmataError: a row (file:line) lacks the proof, the author or the score, or its score is off the scale.
    """
    return [_grade(row.where, row.cells, config) for row in open_table(source, None, None)]


def _grade(where: str, cells: Mapping[str, object], config: HumanGradesConfig) -> HumanGrade:
    values = {key: "" if value is None else str(value).strip() for key, value in cells.items()}
    if missing := [name for name in ("score", "author") if not values.get(name)]:
        raise LemmataError(f"{where}: no {missing[0]}; the columns are {', '.join(COLUMNS)}")
    if not values.get("proof") and not values.get("problem"):
        raise LemmataError(f"{where}: neither a proof's id nor a problem; give one of the two")
    maximum = _number(where, "max_points", values.get("max_points") or str(config.max_points))
    points = _number(where, "score", values["score"])
    if not maximum or points > maximum:
        raise LemmataError(f"{where}: score={points:g} is above max_points={maximum:g}; correct one of them")
    attempt = values.get("attempt") or "0"
    if not attempt.isdecimal():
        raise LemmataError(f"{where}: attempt={attempt!r} is not a number such as 0")
    return HumanGrade(
        where=where,
        proof=values.get("proof", ""),
        problem=values.get("problem", ""),
        entrant=values.get("entrant", ""),
        attempt=int(attempt),
        points=points,
        max_points=maximum,
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
        raise LemmataError(f"{where}: {name}={text!r} must be a number that is not negative")
    return value


def add_human_grades(parts: Sequence[Part], grades: Sequence[HumanGrade]) -> int:
    """Appends grades as labels and returns the number of new ones; writes nothing unless every row finds its proof.

    Raises:
        LemmataError: a row matches no proof here, or several; the labels cannot be written.
    """
    labels: dict[Path, list[Label]] = {}
    index = list(_proofs(parts))
    for grade in grades:
        proof = _find(grade, index)
        labels.setdefault(proof.log, []).append(_label(grade, proof))
    return sum(append_labels(log, log_labels) for log, log_labels in labels.items())


@dataclass(frozen=True, slots=True)
class _IndexedProof:
    """A proof and its log; ``final``: the chosen proof of its problem, or the only one."""

    log: Path
    entrant: str
    attempt: int | None
    problem: Problem
    proof_id: str
    final: bool


def _proofs(parts: Sequence[Part]) -> Iterator[_IndexedProof]:
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
                    yield _IndexedProof(path, part.entrant, part.attempt, problem, name, name in final)


def _find(grade: HumanGrade, index: Sequence[_IndexedProof]) -> _IndexedProof:
    matches = [proof for proof in index if _is_meant(grade, proof)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise LemmataError(f"{grade.where}: no proof here matches {_words(grade)}; `lemmata show RUN` lists problems")
    raise LemmataError(
        f"{grade.where}: {len(matches)} proofs match {_words(grade)}; state the proof's id or the entrant"
    )


def _is_meant(grade: HumanGrade, proof: _IndexedProof) -> bool:
    if grade.entrant and grade.entrant not in (proof.entrant, proof.entrant.rpartition("/")[2]):
        return False
    if grade.proof:
        return proof.proof_id == grade.proof
    return proof.final and proof.attempt == grade.attempt and grade.problem in (proof.problem.name, proof.problem.id)


def _words(grade: HumanGrade) -> str:
    return f"proof {grade.proof}" if grade.proof else f"problem {grade.problem!r}, attempt {grade.attempt}"


def _label(grade: HumanGrade, proof: _IndexedProof) -> Label:
    row = (grade.author, grade.points, grade.max_points, grade.time, grade.reason)
    return Label(
        id=digest("label", HUMAN, proof.proof_id, *row),
        problem_id=proof.problem.id,
        proof_id=proof.proof_id,
        grader=HUMAN,
        author=grade.author,
        score=grade.points / grade.max_points,
        points=grade.points,
        max_points=grade.max_points,
        reason=grade.reason,
        created=grade.time,
    )
