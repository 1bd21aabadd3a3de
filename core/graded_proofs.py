"""Proofs with grades by people, from any source that holds them: a table, a published format, CHAMP, or a run.

Several grades of one proof, in one row or in several, are averaged (`core.grades.combined`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Literal

from core.champ import is_champ, read_champ
from core.columns import ProofColumns
from core.config import STRICT, PositiveFloat, Share, settings
from core.errors import LemmataError
from core.grades import HUMAN, CombinedGrade, combined
from core.ids import digest
from core.imported import Group, is_released, records_of_released, records_of_run
from core.imported_table import TableGrades, records_of_table
from core.records import Label, Problem, Proof
from core.store import Run
from core.tables import open_table

SourceKind = Literal["run", "champ", "released", "table"]
FULL = 1 - 1e-9  # score from which a grade is full marks; sums of floats may miss 1 by their last bits


@settings(frozen=True, config=STRICT)
class LabelConversion:
    """Conversion of grades to labels from 0 to 1.

    ``full_marks``: points of a complete proof, where a table does not state them. ``scale``: ``exact`` takes the grade
    as a fraction of full marks; ``rubric`` gives 1 for full marks, 0.5 from the fraction ``half_from`` on, else 0.
    """

    full_marks: PositiveFloat
    scale: Literal["rubric", "exact"]
    half_from: Share

    def label(self, score: float) -> float:
        """The label of a grade ``score``, a fraction of full marks."""
        if self.scale == "exact":
            return score
        return 1.0 if score >= FULL else 0.5 if score >= self.half_from else 0.0


@dataclass(frozen=True, slots=True)
class HumanGradedProof:
    """A proof of ``problem`` with the grade by people; None: nobody graded it."""

    problem: Problem
    proof: Proof
    grade: CombinedGrade | None


def graded_proofs(source: str, columns: ProofColumns, full_marks: float) -> list[HumanGradedProof]:
    """The proofs of a source, each once, in the order of their first rows.

    ``source``: a run folder, the outputs of DeepSeekMath-V2, the data file of CHAMP, or a table in any form that
    `lemmata import` reads.

    Raises:
        LemmataError: the source, or a row of it (file:line), cannot be read.
    """
    found: dict[str, tuple[Problem, Proof]] = {}
    labels: dict[str, list[Label]] = {}
    for problem, records in _groups(source, columns, full_marks):
        for record in records:
            if isinstance(record, Proof) and record.body:
                found.setdefault(record.id, (problem, record))
            elif isinstance(record, Label) and record.grader == HUMAN and record.analysis_id is None:
                labels.setdefault(record.proof_id, []).append(record)
    return [HumanGradedProof(*pair, combined(labels.get(name, ()))) for name, pair in found.items()]


def kind_of(source: str) -> SourceKind:
    """The kind of a source, by its first bytes."""
    if (Path(source) / "run.yaml").is_file():
        return "run"
    if is_champ(Path(source)):
        return "champ"
    return "released" if is_released(source) else "table"


def source_summary(source: str) -> str:
    """A summary of a source that changes with its content. Raises LemmataError where it cannot be read."""
    folder = Path(source)
    match kind_of(source):
        case "run":
            files = [*sorted(folder.glob("problems/*.jsonl")), *sorted(folder.glob("labels/*.jsonl"))]
            return f"{len(files)} logs, digest {digest(*_file_digests(files))}"
        case "champ":
            return f"digest {digest(*_file_digests([folder]))}"
        case _:
            rows = [repr(sorted(row.cells.items())) for row in open_table(source, None, None)]
            return f"{len(rows)} rows, digest {digest(*rows)}"


def _groups(source: str, columns: ProofColumns, full_marks: float) -> Iterable[Group]:
    match kind_of(source):
        case "run":
            return records_of_run(Run.read(source), lambda record: isinstance(record, Proof | Label))
        case "champ":
            return read_champ(Path(source))
        case "released":
            return records_of_released(source)
        case _:
            return records_of_table(source, columns, TableGrades(max_points=full_marks))


def _file_digests(files: Iterable[Path]) -> Iterator[str]:
    for path in files:
        try:
            with path.open("rb") as file:
                yield path.name
                yield file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise LemmataError(f"{path} cannot be read: {error}") from error
