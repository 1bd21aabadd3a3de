"""Cases that roles learn from: tables of labeled proofs (D_v), labeled analyses (D_mv), and proofs with critiques.

The columns are those of `core.labeled_cases`. With the columns ``family, level, seed, split`` a row is a theorem of the
lab, whose exact truth can then be logged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from typing_extensions import override

from core.columns import Row
from core.errors import LemmataError
from core.labeled_cases import LabeledCase, case_fields
from core.tables import open_table
from lab import generate
from lab.theorem import Theorem

COORDINATES = ("family", "level", "seed", "split")


@dataclass(frozen=True, slots=True)
class Case(LabeledCase):
    """The input of a role, with the known labels; ``theorem`` where it is the lab's.

    ``reference``: a proof that is known to be right; ``guidelines``: a rubric of the problem. No policy is shown them.
    """

    theorem: Theorem | None = None
    reference: str = field(default="", kw_only=True)
    guidelines: str = field(default="", kw_only=True)

    @override
    def row(self) -> dict[str, Any]:
        theorem = self.theorem
        own = {} if theorem is None else {name: getattr(theorem, name) for name in COORDINATES}
        return LabeledCase.row(self) | own  # super() without arguments fails in a class with slots


class Cases(Protocol):
    """An endless sequence of cases, by number."""

    def case(self, number: int) -> Case:
        """Returns case ``number``."""
        ...


@dataclass(frozen=True)
class RepeatedTable(Cases):
    """The rows of a table, repeated."""

    rows: Sequence[Case]

    @override
    def case(self, number: int) -> Case:
        return self.rows[number % len(self.rows)]


@dataclass(frozen=True)
class RoundRobin(Cases):
    """Cases of several sources in turn."""

    sources: Sequence[Cases]

    @override
    def case(self, number: int) -> Case:
        turn, place = divmod(number, len(self.sources))
        return self.sources[place].case(turn)


def read_cases(path: str, required: Sequence[str]) -> RepeatedTable:
    """Reads the cases of a table in any form that `core.tables` reads.

    Raises:
        LemmataError: it cannot be read, is empty, or a row lacks one of the ``required`` columns or has no such label.
    """
    rows = read_case_rows(path, required)
    if not rows:
        raise LemmataError(f"{path} has no rows to learn from")
    return RepeatedTable(rows)


def read_case_rows(path: str, required: Sequence[str]) -> list[Case]:
    """Reads the cases of a table that may be empty, in which case there is nothing to measure."""
    return [read_case(row, required) for row in open_table(path, None, None)]


def read_case(row: Row, required: Sequence[str]) -> Case:
    """Reads one row. Raises LemmataError as `read_cases`."""
    return Case(**case_fields(row.where, row.cells, required), theorem=theorem_of(row.where, row.cells))


def theorem_of(where: str, cells: Mapping[str, Any]) -> Theorem | None:
    """The theorem of the lab that a row names; None where it names none. Raises LemmataError as `read_cases`."""
    if any(cells.get(name) is None for name in COORDINATES):
        return None
    try:
        theorem = generate(str(cells["family"]), int(cells["level"]), int(cells["seed"]), str(cells["split"]))
    except ValueError as error:
        raise LemmataError(f"{where}: {error}") from error
    if theorem.statement != cells["statement"]:
        raise LemmataError(f"{where}: the statement is not that of the lab's theorem of its family, level and seed")
    return theorem
