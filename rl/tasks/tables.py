"""Tables that roles learn from: labeled proofs (D_v), labeled analyses (D_mv), and proofs with critiques to refine.

A row has ``statement`` and ``proof``, and as its use wants ``label``, ``analysis`` and ``quality``. With the columns
``family, level, seed, split`` it is a theorem of the lab, whose truth is then known to the log.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from core.errors import LemmataError
from core.rubric import SCORES
from core.tables import open_table
from lab import generate
from lab.theorem import Theorem
from rl.json_lines import write_json_lines

COORDINATES = ("family", "level", "seed", "split")


@dataclass(frozen=True, slots=True)
class Case:
    """What a judge or a refiner is shown: a proof, maybe with an analysis of it, and the labels that are known."""

    statement: str
    proof: str
    label: float | None = None
    analysis: str = ""
    quality: float | None = None
    theorem: Theorem | None = None


class Cases(Protocol):
    """Cases by number, endlessly."""

    def case(self, number: int) -> Case:
        """Case ``number``."""
        ...


@dataclass(frozen=True)
class Table:
    """The rows of a table over and over."""

    rows: Sequence[Case]

    def case(self, number: int) -> Case:
        """As Cases.case."""
        return self.rows[number % len(self.rows)]


@dataclass(frozen=True)
class InTurn:
    """Cases of several sources in turn."""

    sources: Sequence[Cases]

    def case(self, number: int) -> Case:
        """As Cases.case."""
        turn, place = divmod(number, len(self.sources))
        return self.sources[place].case(turn)


def read_cases(path: str, needed: Sequence[str]) -> Table:
    """The cases of a table in any form that `proofs.tables` reads.

    Raises:
        LemmataError: it cannot be read, is empty, or a row lacks one of the ``needed`` columns or has no such label.
    """
    rows = [_case(row.where, row.cells, needed) for row in open_table(path, None, None)]
    if not rows:
        raise LemmataError(f"{path} has no rows to learn from")
    return Table(rows)


def write_cases(path: Path, cases: Iterable[Case]) -> int:
    """Write cases as JSON lines, whole or not at all; how many there were."""
    return write_json_lines(path, map(_row, cases))


def _row(case: Case) -> dict[str, Any]:
    fields = {name: getattr(case, name) for name in ("statement", "proof", "label", "analysis", "quality")}
    theorem = case.theorem
    return fields if theorem is None else fields | {name: getattr(theorem, name) for name in COORDINATES}


def _case(where: str, cells: Mapping[str, Any], needed: Sequence[str]) -> Case:
    for name in ("statement", "proof", *needed):
        if cells.get(name) is None:
            raise LemmataError(f"{where}: the column {name} is missing or empty")
    for name in ("label", "quality"):
        if name in needed and cells[name] not in SCORES:
            raise LemmataError(f"{where}: {name}={cells[name]!r} is not one of 0, 0.5 and 1")
    return Case(
        statement=str(cells["statement"]),
        proof=str(cells["proof"]),
        label=cells.get("label"),
        analysis=str(cells.get("analysis") or ""),
        quality=cells.get("quality"),
        theorem=_theorem(where, cells),
    )


def _theorem(where: str, cells: Mapping[str, Any]) -> Theorem | None:
    if any(cells.get(name) is None for name in COORDINATES):
        return None
    try:
        theorem = generate(str(cells["family"]), int(cells["level"]), int(cells["seed"]), str(cells["split"]))
    except ValueError as error:
        raise LemmataError(f"{where}: {error}") from error
    if theorem.statement != cells["statement"]:
        raise LemmataError(f"{where}: the statement is not that of the lab's theorem of its family, level and seed")
    return theorem
