"""All proofs of the evaluated runs, once: into a parquet table, and into what the report keeps in memory."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.parquet import write_parquet
from evaluation.entries import VERIFIER, Entry, Grade, Outcome, read_part
from evaluation.folders import Part

# Kept apart in the table and in every figure; a later label of a grader replaces its earlier one.
GRADERS = (VERIFIER, "judge", "automatic", "auto", "exact", "answer", "human")
_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(),
          int | None: pa.int64(), float | None: pa.float64(), str | None: pa.string()}  # fmt: skip


@dataclass
class Gathered:
    """What the report is made of. ``entries``: proofs that were chosen, are junk, or were marked from outside.

    ``rounds``: sum and number of mean verdicts by (entrant, problem, round).
    """

    parts: Sequence[Part]
    outcomes: list[Outcome] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    rounds: defaultdict[tuple[str, str, int], list[float]] = field(
        default_factory=lambda: defaultdict(lambda: [0.0, 0.0])
    )
    proofs: int = 0

    @property
    def entrants(self) -> list[str]:
        """In the order of their folders."""
        return list(dict.fromkeys(part.entrant for part in self.parts))

    @property
    def attempts(self) -> list[Outcome]:
        """Every problem of every attempt, the control left out."""
        return [outcome for outcome in self.outcomes if outcome.attempt is not None]

    @property
    def marked(self) -> list[Entry]:
        """The proofs that are no junk."""
        return [entry for entry in self.entries if entry.attempt is not None]

    @property
    def junk(self) -> list[Entry]:
        """The junk proofs of the control."""
        return [entry for entry in self.entries if entry.attempt is None]


def gather(parts: Sequence[Part], table: Path) -> Gathered:
    """Read every run, and write ``table`` with one row per proof.

    Raises:
        LemmataError: the table cannot be written, or a run cannot be read.
    """
    gathered = Gathered(parts)
    write_parquet(table, _schema(), _rows(gathered), "out=FOLDER")
    return gathered


def _rows(gathered: Gathered) -> Iterator[dict[str, Any]]:
    for part in gathered.parts:
        for outcome, entries in read_part(part):
            gathered.outcomes.append(outcome)
            for entry in entries:
                _keep(gathered, entry)
                yield _row(entry)


def _keep(gathered: Gathered, entry: Entry) -> None:
    gathered.proofs += 1
    verdict = entry.grades.get(VERIFIER)
    if verdict is not None and verdict.score is not None and entry.attempt is not None:
        total = gathered.rounds[entry.entrant, entry.problem, entry.round]
        total[0] += verdict.score
        total[1] += 1
    if entry.selected or entry.attempt is None or entry.grades.keys() - {VERIFIER}:
        gathered.entries.append(entry)


def _schema() -> pa.Schema:
    own = [(each.name, _TYPES[each.type]) for each in fields(Entry) if each.name != "grades"]
    marks = [(f"{grader}_{each.name}", _TYPES[each.type]) for grader in GRADERS for each in fields(Grade)]
    return pa.schema(own + marks)


def _row(entry: Entry) -> dict[str, Any]:
    row = {each.name: getattr(entry, each.name) for each in fields(entry) if each.name != "grades"}
    for grader, grade in entry.grades.items():
        row |= {f"{grader}_{each.name}": getattr(grade, each.name) for each in fields(grade)}
    return row
