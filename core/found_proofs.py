"""Proofs found in published tables: the records of readers, and the access to cells that they share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.columns import Row
from core.errors import LemmataError
from core.finish import STOP
from core.grades import Points, read_points
from core.rubric import answer_part

AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class FoundGrade:
    """A grade of a proof: points of a person or of an automatic grader, whose name is ``author``."""

    grader: str
    author: str
    points: Points
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProof:
    """A proof with what its row says. ``attempt`` tells equal texts of one model apart; None: they are one proof.

    ``finish_reason`` is the server's own where the row states it: an answer that was cut off is no proof.
    """

    statement: str
    proof: str
    model: str = ""
    name: str = ""
    reference: str | None = None
    answer: str | None = None
    guidelines: str | None = None
    attempt: int | None = None
    finish_reason: str = STOP
    grades: tuple[FoundGrade, ...] = ()


def text_cell(row: Row, name: str) -> str:
    value = row.cells.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LemmataError(f"{row.where}: column {name!r} holds no text ({type(value).__name__}): correct the row")
    return value


def optional_cell(row: Row, *names: str) -> str | None:
    for name in names:
        value = row.cells.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, int | float) and not isinstance(value, bool) and value == value:  # noqa: PLR0124 - no NaN
            return str(value)
    return None


def cell_or_empty(row: Row, *names: str) -> str:
    return optional_cell(row, *names) or ""


def found_grades(row: Row, grader: str, author: str, cell: Any, most: float, reason: str = "") -> Iterator[FoundGrade]:
    try:
        points = read_points(cell, most)
    except ValueError as error:
        raise LemmataError(f"{row.where}: the grade {cell!r:.40} by {author} {error}") from error
    if points is not None:
        yield FoundGrade(grader, author, points, reason)


def listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def content_text(content: Any) -> str:
    """Text of a message's content: itself, or its parts of text, without reasoning."""
    if isinstance(content, str):
        return content
    parts = [part for part in listed(content) if isinstance(part, Mapping)]
    return "".join(str(part["text"]) for part in parts if isinstance(part.get("text"), str))


def without_thoughts(text: str) -> str:
    return (answer_part(text) or "").strip()
