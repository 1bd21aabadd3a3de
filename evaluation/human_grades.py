"""Human grades: a table of grades as labels beside the proofs of the runs that it names; several graders are kept."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from core.columns import Cells, find, listing, value_at
from core.config import STRICT, settings
from core.errors import LemmataError
from core.grades import HUMAN, UNIT_SCALE, Points, latest_by_author, read_points, scale_warning
from core.ids import digest
from core.labels import append_labels, labels_path, read_with_labels
from core.log import read_log
from core.records import Label, Problem, Proof, Selection
from core.store import now
from core.tables import open_table
from evaluation.folders import Part

# Names under which each column is found.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "score": ("score", "points", "grade", "human_rating", "human_score", "human_points", "correct", "is_correct",
              "passed", "pass"),
    "max_points": ("max_points", "max", "max_score", "out_of", "full_points"),
    "author": ("author", "grader", "annotator", "rater", "judge"),
    "proof": ("proof", "proof_id"),
    "problem": ("problem", "problem_name", "problem_id", "problem_idx", "name"),
    "entrant": ("entrant",),
    "attempt": ("attempt",),
    "time": ("time", "date"),
    "reason": ("reason", "comment", "feedback", "note"),
}  # fmt: skip


@settings(frozen=True, config=STRICT)
class HumanGradesConfig:
    """``max_points`` and ``author`` of the rows that state none."""

    max_points: Annotated[float, Field(gt=0)] = 7
    author: str | None = None


@dataclass(frozen=True, slots=True)
class HumanGrade:
    """One row: a proof by its id, or a problem (name or id) with the attempt whose final proof is meant.

    ``where``: file and line, for messages. ``time``: "" where the row states none.
    """

    where: str
    proof: str
    problem: str
    entrant: str
    attempt: int | None
    points: Points
    author: str
    time: str
    reason: str


@dataclass
class HumanGrades:
    """Rows of a table: its grades, and the places of the rows that state none (ungraded)."""

    grades: list[HumanGrade] = field(default_factory=list)
    ungraded: list[str] = field(default_factory=list)
    warning: str | None = None


def read_human_grades(source: str, config: HumanGradesConfig) -> HumanGrades:
    """Reads the rows of a file; a row without a score is counted as ungraded.

    Raises:
        LemmataError: the file has no column of scores, or a row (file:line) lacks the proof or the author, or its
            score cannot be read or is off its scale.
    """
    found = HumanGrades()
    for row in open_table(source, None, None):
        grade = _grade(row.where, row.cells, config)
        if grade is None:
            found.ungraded.append(row.where)
        else:
            found.grades.append(grade)
    found.warning = scale_warning([grade.points for grade in found.grades], source)
    return found


def _grade(where: str, cells: Cells, config: HumanGradesConfig) -> HumanGrade | None:
    values = {role: _cell(cells, names) for role, names in ALIASES.items()}
    score, name = _score_cell(where, cells)
    if not values["proof"] and not values["problem"]:
        raise LemmataError(f"{where}: neither a proof's id nor a problem: give one of the two")
    points = _points(where, score, values["max_points"], 1.0 if name in UNIT_SCALE else config.max_points)
    if points is None:
        return None
    author = values["author"] or config.author
    if not author:
        raise LemmataError(f"{where}: no author of the grade: fill in the column author, or give author=NAME")
    attempt = values["attempt"] or "0"
    if not (attempt.isascii() and attempt.isdecimal()):
        raise LemmataError(f"{where}: attempt={attempt!r} is not a number such as 0")
    return HumanGrade(
        where=where,
        proof=values["proof"],
        problem=values["problem"],
        entrant=values["entrant"],
        attempt=int(attempt),
        points=points,
        author=author,
        time=values["time"],
        reason=values["reason"],
    )


def _cell(cells: Cells, names: Sequence[str]) -> str:
    """The text of the first of the columns ``names`` that has one."""
    for name in names:
        if (path := find(cells, name)) is not None and (value := value_at(cells, path)) is not None:
            text = str(value).strip()
            if text and text != "nan":
                return text
    return ""


def _score_cell(where: str, cells: Cells) -> tuple[object, str]:
    """The cell with the score and the name of its column; the first of the known columns that states one counts."""
    known = [(value_at(cells, path), name) for name in ALIASES["score"] if (path := find(cells, name)) is not None]
    if not known:
        raise LemmataError(
            f"{where}: no column holds the score; columns here: {listing(cells)}; known: {', '.join(ALIASES['score'])}"
        )
    return next((pair for pair in known if str(pair[0] or "").strip() or pair[0] in (0, False)), known[0])


def _points(where: str, cell: object, max_points: str, default: float) -> Points | None:
    maximum = default
    if max_points:
        try:
            maximum = float(max_points)
        except ValueError:
            maximum = 0.0
        if not (math.isfinite(maximum) and maximum > 0):
            raise LemmataError(f"{where}: max_points={max_points:.40} must be a number above 0")
    try:
        return read_points(cell, maximum, stated=bool(max_points))
    except ValueError as error:
        raise LemmataError(f"{where}: score={cell!s:.40} {error}") from error


def add_human_grades(parts: Sequence[Part], grades: Sequence[HumanGrade]) -> int:
    """Appends grades as labels and returns the number of new ones; writes nothing unless every row finds its proof.

    A grade that its author's latest label of the proof states already is not written again.

    Raises:
        LemmataError: a row matches no proof here, or several; two rows state different grades of one proof by one
            author; the labels cannot be written.
    """
    index = list(_proofs(parts))
    found = [(grade, _find(grade, index)) for grade in grades]
    _check_distinct(found)
    by_log: dict[Path, list[tuple[HumanGrade, _IndexedProof]]] = {}
    for grade, proof in sorted(found, key=lambda pair: pair[0].time):
        by_log.setdefault(proof.log, []).append((grade, proof))
    return sum(append_labels(log, _new_labels(log, part)) for log, part in by_log.items())


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


def _check_distinct(found: Sequence[tuple[HumanGrade, _IndexedProof]]) -> None:
    seen: dict[tuple[str, str, str, str], HumanGrade] = {}
    for grade, proof in found:
        first = seen.setdefault((str(proof.log), proof.proof_id, grade.author, grade.time), grade)
        if first.points != grade.points:
            raise LemmataError(
                f"{grade.where}: another grade of the same proof by {grade.author} stands in {first.where}; "
                "delete one, or state the time of each"
            )


def _new_labels(log: Path, found: Sequence[tuple[HumanGrade, _IndexedProof]]) -> list[Label]:
    """Labels of the grades that their author's latest label of the proof does not state already."""
    path = labels_path(log)
    written = [record for record in read_log(path) if isinstance(record, Label)] if path.is_file() else []
    current = [record for record in read_with_labels(log) if isinstance(record, Label)]
    labels = [_new_label(grade, proof, written, current) for grade, proof in found]
    return list({label.id: label for label in labels if label is not None}.values())


def _new_label(
    grade: HumanGrade, proof: _IndexedProof, written: Sequence[Label], current: Sequence[Label]
) -> Label | None:
    def by_author(label: Label) -> bool:
        about_proof = label.proof_id == proof.proof_id and label.analysis_id is None
        return label.grader == HUMAN and about_proof and label.author == grade.author

    latest = latest_by_author(filter(by_author, current))
    content = (grade.points.points, grade.points.max_points, grade.reason)
    if latest and not grade.time and (latest[0].points, latest[0].max_points, latest[0].reason) == content:
        return None
    # Without a stated time, the same grade may be given again after another one: the count keeps the two apart.
    occasion = grade.time or sum(map(by_author, written))
    return Label(
        id=digest("label", HUMAN, proof.proof_id, grade.author, *content, occasion),
        problem_id=proof.problem.id,
        proof_id=proof.proof_id,
        grader=HUMAN,
        author=grade.author,
        score=grade.points.score,
        points=grade.points.points,
        max_points=grade.points.max_points,
        reason=grade.reason,
        created=grade.time or now(),
    )
