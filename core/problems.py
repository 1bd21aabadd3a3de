"""Problem sets and tables of proofs, from the rows of a table."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from core.columns import (
    Columns,
    Row,
    find,
    listing,
    optional_text,
    other_columns,
    required_text,
    visible_text,
)
from core.errors import LemmataError
from core.ids import clean_text, digest
from core.records import Problem
from core.tables import open_table

LEFT_SIDE = "left_side"  # extra field of the lab's theorems
HEAD = 100  # rows looked through for the columns that the user named, before the first row is handed out


class ProblemSet(Iterator[Problem]):
    """The problems of one source, each statement once. ``rows`` and ``duplicates`` count what was read so far."""

    def __init__(self, rows: Iterator[Row], columns: Columns, limit: int | None) -> None:
        self.rows = 0
        self.duplicates = 0
        self._problems = islice(self._unique(rows, columns), limit)

    def __next__(self) -> Problem:
        return next(self._problems)

    def _unique(self, rows: Iterator[Row], columns: Columns) -> Iterator[Problem]:
        seen: set[int] = set()  # ids as 8-byte numbers: the statements themselves would not fit
        for row in rows:
            self.rows += 1
            problem = problem_of(row, columns)
            number = int(problem.id, 16)
            if number in seen:
                self.duplicates += 1
            else:
                seen.add(number)
                yield problem


def load_problems(
    source: str,
    *,
    columns: Columns | None = None,
    split: str | None = None,
    limit: int | None = None,
    revision: str | None = None,
) -> ProblemSet:
    """Problems of a file, a folder of files or a Hugging Face data set, each statement once, at most ``limit``.

    ``source`` is a .json, .jsonl, .ndjson, .csv or .parquet file, a folder of such files, or, where nothing of that
    name exists, a data set id ``owner/name`` or ``owner/name:configuration``. ``split`` chooses a split of a data set,
    or in a folder the files called ``<split>`` or ``<split>-...``; ``revision`` is for data sets only.

    Raises LemmataError here for a source that is not there, and on iteration for a row that cannot be read. Iterating
    reads the first rows ahead when columns are named, to find a misspelt name before any work is done.
    """
    columns = columns or Columns()
    _check_limit(limit)
    return ProblemSet(_table(source, columns, split, revision), columns, limit)


def problem_rows(source: str, columns: Columns) -> Iterator[Row]:
    """The rows of a table that holds at least one, and the columns that the user named."""
    return _table(source, columns, None, None)


def single_problem(statement: str) -> Problem:
    """The problem of a statement given on the command line. Raises LemmataError when it is empty."""
    text = visible_text(statement, "the given statement", "write the problem between the quotes")
    return Problem(id=problem_id(text), statement=text)


def problem_id(statement: str) -> str:
    """The id of a statement: the same for every spelling of its white space."""
    return digest("problem", _fold(statement))


def problem_of(row: Row, columns: Columns, *, with_extra: bool = True) -> Problem:
    """The problem that a row holds. Raises LemmataError for a statement or another text that cannot be read."""
    statement = required_text(row, columns, "statement")
    return Problem(
        id=problem_id(statement),
        statement=statement,
        name=_fold(optional_text(row, columns, "name") or ""),
        source=clean_text(row.source),
        reference=optional_text(row, columns, "reference"),
        answer=optional_text(row, columns, "answer"),
        guidelines=optional_text(row, columns, "guidelines"),
        extra=other_columns(row, columns) if with_extra else {},
    )


def cluster_of(problem: Problem) -> str:
    """The cluster of a problem in intervals: claims about one left side share most of a proof; else the problem's id.

    The lab states the left side of its theorems in the extra field ``left_side``.
    """
    return str(problem.extra.get(LEFT_SIDE) or problem.id)


def _fold(text: str) -> str:
    return " ".join(text.split())


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise LemmataError(f"limit={limit}: it must be at least 1, or null for all rows")


def _table(source: str, columns: Columns, split: str | None, revision: str | None) -> Iterator[Row]:
    return _with_columns(open_table(source, split, revision), source, columns)


def _with_columns(rows: Iterator[Row], source: str, columns: Columns) -> Iterator[Row]:
    # Several rows, since one of them may well lack an optional column.
    head = list(islice(rows, HEAD if columns.named() else 1))
    if not head:
        raise LemmataError(f"{source} holds no rows")
    for name in columns.named():
        if not any(find(row.cells, name) for row in head):
            raise LemmataError(
                f"{source} has no column {name!r} in its first {len(head)} rows; columns there: {_columns_of(head)}. "
                "Correct the name under columns, or leave it null to have the column found"
            )
    yield from chain(head, rows)


def _columns_of(rows: list[Row]) -> str:
    cells: dict[str, Any] = {}
    for row in rows:
        cells.update({key: value for key, value in row.cells.items() if key not in cells or value is not None})
    return listing(cells)
