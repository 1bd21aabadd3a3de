"""Cases of a user's own tables: problems to prove, proofs with grades by people, analyses with ratings by people."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import ClassVar

from core.columns import ProofColumns, Row
from core.config import STRICT, Name, Share, settings
from core.errors import LemmataError
from core.graded_proofs import LabelConversion, graded_proofs, kind_of
from core.grades import read_points
from core.ids import digest
from core.problems import load_problems, problem_id
from core.tables import open_table
from policy.local_config import model_folder
from rl.tasks.tables import Case, read_case, read_case_rows

Sources = Name | tuple[Name, ...] | None


@settings(frozen=True, kw_only=True, config=STRICT)
class DataColumns(ProofColumns):
    """Column names of the tables of problems and graded proofs."""

    key: ClassVar[str] = "data.columns"


@settings(frozen=True, config=STRICT)
class ValidationTables:
    """Tables of validation: ``problems``, graded ``proofs``, rated ``analyses`` and ``critiques``; None: the lab's
    validation stream.

    ``share``: fraction of the problems of the training tables that validation is on instead; training leaves them out.
    """

    problems: Sources
    proofs: Sources
    analyses: Sources
    critiques: Sources
    share: Share


@dataclass(frozen=True)
class TableReader:
    """Reads cases of the tables of a role; labels of people are converted by ``conversion``."""

    columns: ProofColumns
    conversion: LabelConversion

    def read(self, kind: str, sources: Sources) -> list[Case]:
        """The cases of all ``sources`` of a kind: ``problems``, ``proofs``, ``analyses`` or ``critiques``.

        Raises:
            LemmataError: a source cannot be read, is empty, or no row of it has a label.
        """
        read = {"problems": self._problems, "proofs": self._proofs, "analyses": self._analyses}.get(kind)
        return [case for source in names_of(sources) for case in (read or _critiques)(source_path(source))]

    def _problems(self, source: str) -> list[Case]:
        cases = [
            Case(
                problem.statement,
                "",
                problem=problem.name,
                reference=problem.reference or "",
                guidelines=problem.guidelines or "",
            )
            for problem in load_problems(source, columns=self.columns)
        ]
        return _required(cases, f"{source} has no problems to learn from")

    def _proofs(self, source: str) -> list[Case]:
        if _is_labeled(source):
            return _required(read_case_rows(source, ("label",)), f"{source} has no rows to learn from")
        cases = [
            Case(
                one.problem.statement,
                one.proof.body or "",
                self.conversion.label(one.grade.score),
                problem=one.problem.name,
                model=one.proof.model,
                labelers=tuple(one.grade.scores),
                reference=one.problem.reference or "",
                guidelines=one.problem.guidelines or "",
            )
            for one in graded_proofs(source, self.columns, self.conversion.full_marks)
            if one.grade is not None
        ]
        return _required(cases, f"{source}: no proof has a grade by people: name its column, data.columns.grade=COLUMN")

    def _analyses(self, source: str) -> list[Case]:
        cases = [
            replace(read_case(row, ("analysis",)), quality=quality)
            for row in open_table(source, None, None)
            if (quality := self._quality(row)) is not None
        ]
        return _required(cases, f"{source}: no analysis has a rating: the column is quality")

    def _quality(self, row: Row) -> float | None:
        """The rating of an analysis from 0 to 1, the mean of several graders; None where nobody rated it."""
        cell = row.cells.get("quality")
        try:
            ratings = [read_points(each, 1.0) for each in (cell if isinstance(cell, list) else [cell])]
        except ValueError as error:
            raise LemmataError(f"{row.where}: quality={cell!s:.40} {error}") from error
        scores = [rating.score for rating in ratings if rating is not None]
        return self.conversion.label(fmean(scores)) if scores else None


def names_of(sources: Sources) -> tuple[str, ...]:
    """The sources of a setting that holds none, one or several."""
    return () if sources is None else (sources,) if isinstance(sources, str) else sources


def source_path(source: str) -> str:
    """The path of a source; ``pkg://PACKAGE/FILE`` is a file inside an installed package."""
    return str(model_folder(source)) if source.startswith("pkg://") else source


def split_by_problem(cases: Sequence[Case], share: float, *, held_out: bool) -> list[Case]:
    """The cases of the problems that are held out for validation, a fraction of about ``share``, or all others.

    All cases of a problem are on one side, and a problem is always on the same, whatever else is in the table.
    """
    return [case for case in cases if (_place(case.statement) < share) == held_out]


def _place(statement: str) -> float:
    return int(digest("held out", problem_id(statement), length=8), 16) / 16**8


def _critiques(source: str) -> list[Case]:
    return _required(read_case_rows(source, ("analysis",)), f"{source} has no rows to learn from")


def _is_labeled(source: str) -> bool:
    """True for a table in the format of `core.labeled_cases`, whose labels need no conversion."""
    if kind_of(source) != "table":
        return False
    first = next(iter(open_table(source, None, None)), None)
    return first is not None and {"proof", "label"} <= first.cells.keys()


def _required(cases: list[Case], message: str) -> list[Case]:
    if not cases:
        raise LemmataError(message)
    return cases
