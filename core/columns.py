"""Columns of tables by role: names given by the user, else known aliases, with dotted paths into objects.

The values are checked here too: a text that must be there is there, and nothing is kept that JSON cannot hold.
"""

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from core.config import STRICT, settings
from core.errors import LemmataError
from core.ids import clean_text

SMALL = 500  # characters up to which a column without a role is kept
JSON_TYPES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
}

Cells = Mapping[str, Any]

ALIASES: Mapping[str, tuple[str, ...]] = {
    "statement": ("statement", "problem", "question", "problem_statement", "informal_statement", "theorem"),
    "name": ("name", "problem_idx", "problem_id", "problem_name", "id", "uuid"),
    "reference": ("reference", "reference_solution", "reference_proof", "solution"),
    "answer": ("answer", "short_answer", "final_answer", "expected_answer"),
    "guidelines": ("guidelines", "grading_guidelines", "grading_scheme", "rubric"),
    "proof": ("proof", "solution_attempt", "response", "model_prediction.proof", "model_solution", "generated_proof"),
    "model": ("model", "model_name", "generator", "model_id"),
    "grade": (
        "points",
        "score",
        "grade",
        "human_rating",
        "human_score",
        "human_points",
        "correct",
        "is_correct",
        "passed",
    ),
    "max_points": ("max_points", "max", "max_score", "out_of", "full_points"),
    "author": ("author", "grader", "annotator", "rater"),
}


class Row(NamedTuple):
    """One row of a table. ``where`` is for messages (file:line), ``source`` is the file's name or the data set's id."""

    where: str
    source: str
    cells: Cells


@settings(frozen=True, kw_only=True, config=STRICT)
class Columns:
    """Column names of a problem set. None: found by the known aliases. An empty string: there is none.

    Case does not matter, nor ``_`` and ``-`` for a blank; a dot enters a nested object (``model_prediction.proof``).
    Small scalars of all other columns are kept anyway; ``extra`` adds columns that would not be (nested or long).
    """

    statement: str | None = None
    name: str | None = None
    reference: str | None = None
    answer: str | None = None
    guidelines: str | None = None
    extra: tuple[str, ...] = ()
    key: ClassVar[str] = "columns"  # their key in the settings

    def chosen(self, role: str) -> str | None:
        """The name that the user gave for ``role``."""
        return getattr(self, role, None)

    def named(self) -> tuple[str, ...]:
        """Every column that the user asked for by name."""
        return (*(name for role in ALIASES if (name := self.chosen(role))), *self.extra)


@settings(frozen=True, kw_only=True, config=STRICT)
class ProofColumns(Columns):
    """Column names of a table of finished proofs.

    ``grade``: points of a proof, of ``max_points``, by ``author``; a cell may hold a list, of several graders.
    """

    proof: str | None = None
    model: str | None = None
    grade: str | None = None
    max_points: str | None = None
    author: str | None = None
    key: ClassVar[str] = "proof_columns"


def find(cells: Cells, name: str) -> tuple[str, ...] | None:
    """Keys that lead to the column ``name``, or None. A key that holds the dot itself wins over the nested object."""
    key = _key(cells, name)
    if key is not None:
        return (key,)
    for dot in re.finditer(r"\.", name):
        key = _key(cells, name[: dot.start()])
        if key is not None and isinstance(cells[key], Mapping):
            rest = find(cells[key], name[dot.end() :])
            if rest is not None:
                return (key, *rest)
    return None


def value_at(cells: Cells, path: tuple[str, ...]) -> Any:
    """The value at the end of ``path``."""
    value: Any = cells
    for key in path:
        value = value[key]
    return value


def listing(cells: Cells) -> str:
    """The columns of a row as a user would name them, for messages."""
    names: list[str] = []
    for key, value in cells.items():
        names += [f"{key}.{inner}" for inner in value] if isinstance(value, Mapping) and value else [key]
    shown = ", ".join(name[:60] for name in names[:40]) + (", ..." if len(names) > 40 else "")
    return shown or "none"


def required_text(row: Row, columns: Columns, role: str) -> str:
    """The text of a column that every row must have. Raises LemmataError where it is missing, empty or no text."""
    path = _locate(row.cells, columns, role)
    if path is None:
        raise LemmataError(
            f"{row.where}: no column holds the {role}; columns here: {listing(row.cells)}. "
            f"Name it: {columns.key}.{role}=<column>"
        )
    value = value_at(row.cells, path)
    if _absent(value):
        value = ""
    if not isinstance(value, str):
        raise _wrong_type(row, path, role, value, columns)
    return visible_text(value, f"{row.where}: the {role} (column {'.'.join(path)!r})", "fill it in, or delete the row")


def visible_text(value: str, what: str, fix: str) -> str:
    """``value`` as valid UTF-8. Raises LemmataError where no character of it is visible."""
    text = clean_text(value)
    if not any(char.isprintable() and not char.isspace() for char in text):
        raise LemmataError(f"{what} is empty: {fix}")
    return text


def optional_text(row: Row, columns: Columns, role: str) -> str | None:
    """The text of a column, None where it is missing or empty. Raises LemmataError where it is a list or an object."""
    path = _locate(row.cells, columns, role)
    value = None if path is None else value_at(row.cells, path)
    if path is None or _absent(value):
        return None
    if isinstance(value, str):
        # The DeepSeekMath-V2 inputs write a missing answer as the text "null".
        return clean_text(value) if value.strip() not in ("", "null") else None
    if isinstance(value, int | float):
        return str(value)
    raise _wrong_type(row, path, role, value, columns, f', or none: {columns.key}.{role}=""')


def any_value(row: Row, columns: Columns, role: str) -> tuple[Any, str]:
    """The value of a column, whatever its type, and the column's name; None and "" where there is no such column."""
    path = _locate(row.cells, columns, role)
    return (None, "") if path is None else (value_at(row.cells, path), path[-1])


def other_columns(row: Row, columns: Columns) -> dict[str, Any]:
    """The columns without a role, as far as they are small JSON scalars, and those that ``columns.extra`` names."""
    used = {path[0] for role in ALIASES if (path := _locate(row.cells, columns, role)) is not None}
    others = {
        clean_text(key): clean_text(value) if isinstance(value, str) else value
        for key, value in row.cells.items()
        if key and key not in used and _is_small(value)
    }
    for name in columns.extra:
        path = find(row.cells, name)
        if path is not None:
            others[clean_text(name)] = _plain(value_at(row.cells, path), f"{row.where}: column {name!r}")
    return others


def _locate(cells: Cells, columns: Columns, role: str) -> tuple[str, ...] | None:
    """Keys that lead to the value of ``role`` in this row: the column named by the user, else the first known alias."""
    if not hasattr(columns, role):
        return None
    chosen = columns.chosen(role)
    names = ALIASES[role] if chosen is None else (chosen,) if chosen else ()
    return next((path for name in _possible(tuple(cells), names) if (path := find(cells, name)) is not None), None)


def _wrong_type(
    row: Row, path: tuple[str, ...], role: str, value: Any, columns: Columns, fix: str = ""
) -> LemmataError:
    return LemmataError(
        f"{row.where}: column {'.'.join(path)!r} holds {type_name(value)}, the {role} must be text. "
        f"Name another column: {columns.key}.{role}=<column>{fix}"
    )


def type_name(value: Any) -> str:
    """JSON's name of the type of ``value``, for messages."""
    return "null" if value is None else JSON_TYPES.get(type(value), f"a value of type {type(value).__name__}")


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))  # data frames write a missing text as NaN


def _is_small(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= SMALL
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and abs(value) < 2**63  # what is larger has no type in Parquet


def _plain(value: Any, what: str) -> Any:
    try:
        return json.loads(clean_text(json.dumps(value, ensure_ascii=False, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise LemmataError(f"{what} cannot be kept as JSON ({error}): take it out of columns.extra") from error


@lru_cache(maxsize=1024)
def _possible(keys: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    # Cached by the keys of the row, since nearly all rows of a table have the same: reading is several times as fast.
    return tuple(name for name in names if any(_key(dict.fromkeys(keys), part) is not None for part in _heads(name)))


def _heads(name: str) -> list[str]:
    return [name, *(name[: dot.start()] for dot in re.finditer(r"\.", name))]


def _key(cells: Cells, name: str) -> str | None:
    if name in cells:
        return name
    folded = _fold(name)
    return next((key for key in cells if _fold(key) == folded), None)


def _fold(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()
