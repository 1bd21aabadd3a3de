"""Proofs of a table as records: published formats, logs of inspect_ai, and any table with statement and proof columns.

Several models may share a table. Grades in it become labels, each with its grader; proofs without one are counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from core.columns import ProofColumns, Row, any_value, optional_text, required_text, visible_text
from core.config import STRICT, settings
from core.errors import LemmataError
from core.finish import LENGTH
from core.found_proofs import FoundGrade, FoundProof
from core.grades import HUMAN, UNIT_SCALE, Points, read_points, scale_warning
from core.ids import clean_text, digest
from core.imported import Group, imported_attempt
from core.inspect_log import inspect_proofs, is_inspect_log
from core.nested_rows import flat_rows
from core.problems import problem_id, problem_rows
from core.proof_formats import Format, format_of
from core.records import Label, Problem, Proof
from core.sections import answer_part, split_proof
from core.store import now


@settings(frozen=True, config=STRICT)
class TableGrades:
    """Grades of a table without a known format: their ``grader``, and ``author`` and ``max_points`` of rows that state
    none (None: the name of the file).
    """

    grader: Literal["human", "automatic"] = HUMAN
    author: str | None = None
    max_points: Annotated[float, Field(gt=0)] = 7


@dataclass
class ImportNotes:
    """Counts of an import: ``formats`` found, proofs with and without a grade, answers ``without_proof``; the grades of
    plain tables, for a warning about their scale.
    """

    formats: dict[str, int] = field(default_factory=dict)
    graded: int = 0
    ungraded: int = 0
    without_proof: int = 0
    plain_grades: list[Points] = field(default_factory=list)

    def lines(self, source: str) -> list[str]:
        """The notes in words, one line each."""
        lines = [f"{source}: {number} rows of the format {name}" for name, number in self.formats.items()]
        if self.graded and self.ungraded:
            lines.append(f"{self.ungraded} of {self.graded + self.ungraded} proofs have no grade")
        if self.without_proof:
            total = self.graded + self.ungraded
            lines.append(f"{self.without_proof} of {total} answers are empty or cut off: attempts without a proof")
        warning = scale_warning(self.plain_grades, source)
        return [*lines, f"Warning: {warning}"] if warning else lines


def records_of_table(
    source: str, columns: ProofColumns, grades: TableGrades | None = None, notes: ImportNotes | None = None
) -> Iterator[Group]:
    """The proofs of a table with their labels, one row after the other.

    Raises:
        LemmataError: a row (file:line) cannot be read.
    """
    notes, reader = notes or ImportNotes(), _RowReader(columns, grades or TableGrades())
    copies: dict[tuple[str, str], list[tuple[str, int | None]]] = {}
    for where, name, found in reader.found(source, notes):
        problem = _problem(where, name, found)
        text, end = _answer(clean_text(found.proof), found.finish_reason)
        owners = copies.setdefault((problem.id, digest(text)), [])
        owner = (found.model, found.attempt)
        if owner not in owners:
            owners.append(owner)
        number = owners.index(owner)
        copy = f"{found.model} {found.attempt}" if number else ""
        proof = imported_attempt(problem, text, model=found.model, copy=copy, finish_reason=end)
        notes.graded += bool(found.grades)
        notes.ungraded += not found.grades
        notes.without_proof += proof.body is None
        yield problem, [proof, *(_label(proof, grade) for grade in found.grades)]
    if notes.without_proof == notes.ungraded > 0 and not notes.graded:
        raise LemmataError(
            f"{source}: none of its {notes.without_proof} rows holds a whole answer (all are empty or cut off): "
            "name the column of the proofs, proof_columns.proof=<column>, or take the file with the models' answers"
        )


def _answer(text: str, finish_reason: str) -> tuple[str, str]:
    """An answer without thoughts and without its author's own evaluation, which no judge may see; its finish reason.

    One whose thoughts never close was cut off in them.
    """
    if "</think>" in text or text.lstrip().startswith("<think>"):
        answer = answer_part(text)
        text, finish_reason = ("", LENGTH) if answer is None else (answer.strip(), finish_reason)
    sections = split_proof(text)
    return sections.body if sections.body and sections.self_evaluation else text, finish_reason


def _problem(where: str, source: str, found: FoundProof) -> Problem:
    statement = visible_text(found.statement, f"{where}: the statement", "fill it in, or delete the row")
    reference, answer, guidelines = (
        None if text is None else clean_text(text) for text in (found.reference, found.answer, found.guidelines)
    )
    return Problem(
        id=problem_id(statement),
        statement=statement,
        name=" ".join(clean_text(found.name).split()),
        source=clean_text(source),
        reference=reference,
        answer=answer,
        guidelines=guidelines,
    )


def _label(proof: Proof, grade: FoundGrade) -> Label:
    points = grade.points
    in_points = points.max_points != 1
    return Label(
        id=digest("label", "imported", proof.id, grade.grader, grade.author, points.points, points.max_points),
        problem_id=proof.problem_id,
        proof_id=proof.id,
        grader=grade.grader,
        author=clean_text(grade.author),
        score=points.score,
        points=points.points if in_points else None,
        max_points=points.max_points if in_points else None,
        reason=clean_text(grade.reason),
        created=now(),
    )


@dataclass(frozen=True)
class _RowReader:
    """Reads the rows of a source in whatever form they have."""

    columns: ProofColumns
    grades: TableGrades

    def found(self, source: str, notes: ImportNotes) -> Iterator[tuple[str, str, FoundProof]]:
        """Yields place, source name and proof of each row."""
        path = Path(source)
        if is_inspect_log(path):
            for where, found in inspect_proofs(path):
                notes.formats["inspect_ai log"] = notes.formats.get("inspect_ai log", 0) + 1
                yield where, path.name, found
            return
        rows = problem_rows(source, self.columns)
        if self.columns.named():
            first, known = next(rows), None
        else:
            rows = chain.from_iterable(map(flat_rows, rows))
            first = next(rows)
            known = format_of(first.cells)
        for row in chain([first], rows):
            if known is not None:
                notes.formats[known.name] = notes.formats.get(known.name, 0) + 1
            yield row.where, row.source, self._plain(row, notes) if known is None else _of_format(row, known)

    def _plain(self, row: Row, notes: ImportNotes) -> FoundProof:
        columns = self.columns
        proof = required_text(row, columns, "proof")
        grades = tuple(self._grades(row))
        notes.plain_grades += [grade.points for grade in grades]
        return FoundProof(
            statement=required_text(row, columns, "statement"),
            proof=proof,
            model=optional_text(row, columns, "model") or "",
            name=optional_text(row, columns, "name") or "",
            reference=optional_text(row, columns, "reference"),
            answer=optional_text(row, columns, "answer"),
            guidelines=optional_text(row, columns, "guidelines"),
            grades=grades,
        )

    def _grades(self, row: Row) -> Iterator[FoundGrade]:
        cell, column = any_value(row, self.columns, "grade")
        authors, _ = any_value(row, self.columns, "author")
        cells = cell if isinstance(cell, list) else [cell]
        for number, each in enumerate(cells):
            points = self._points(row, each, column)
            if points is not None:
                yield FoundGrade(self.grades.grader, self._author(row, authors, number, len(cells)), points)

    def _points(self, row: Row, cell: Any, column: str) -> Points | None:
        most, _ = any_value(row, self.columns, "max_points")
        default = 1.0 if column.casefold() in UNIT_SCALE else self.grades.max_points
        try:
            stated = read_points(most, 1e9)
            maximum = stated.points if stated else default
            if maximum <= 0:
                raise ValueError(f"has max_points={maximum:g}: it must be above 0")
            return read_points(cell, maximum, stated=stated is not None)
        except ValueError as error:
            raise LemmataError(f"{row.where}: column {column!r}: {cell!s:.40} {error}") from error

    def _author(self, row: Row, authors: Any, number: int, of: int) -> str:
        if isinstance(authors, list):
            authors = authors[number] if number < len(authors) else None
            of = 1
        name = str(authors) if authors not in (None, "") else self.grades.author or row.source
        return f"{name} {number + 1}" if of > 1 else name


def _of_format(row: Row, known: Format) -> FoundProof:
    if not known.matches(row.cells):
        raise LemmataError(
            f"{row.where}: not a row of the format {known.name}, as the first one is; it needs the columns "
            f"{', '.join(known.columns)}"
        )
    return known.read(row)
