"""Faults of a run's answers: their number by kind of record and reason, in one line and as a table."""

import re
from collections import Counter
from dataclasses import dataclass, field

from rich.table import Table

from core.records import Analysis, Comparison, Grading, Proof, Record, Refusal, Review
from lemmata.terminal import plain
from refine.acceptance import NOT_JUDGED

MAX_ROWS = 15
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")  # what one answer holds: faults of one kind are counted together
_MAX_WORDS = 100  # characters of a reason


@dataclass
class FaultCounts:
    """Number of records by kind, and of each of their faults."""

    records: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        """Counts one record."""
        kind = record.role if isinstance(record, Refusal) else record.kind
        self.records[kind] += isinstance(record, Proof | Analysis | Review | Grading | Comparison | Refusal)
        for fault in faults_of(record):
            self.faults[kind, fault] += 1

    def line(self, kind: str) -> str:
        """The faults of one kind of record: "39 no key phrase announces a verdict, 9 cut off"."""
        found = [(number, fault) for (one, fault), number in self.faults.most_common() if one == kind]
        return ", ".join(f"{number} {fault}" for number, fault in found)

    def table(self) -> Table | None:
        """The faults, the most frequent first; None without any."""
        if not self.faults:
            return None
        table = Table(box=None, pad_edge=False)
        for column in ("faults of", "number", "share", "fault"):
            table.add_column(column, justify="right" if column in ("number", "share") else "left", overflow="fold")
        for (kind, fault), number in self.faults.most_common(MAX_ROWS):
            share = f"{100 * number / self.records[kind]:.0f} %"
            table.add_row(kind, f"{number:,}", share, plain(fault))
        return table


def faults_of(record: Record) -> list[str]:
    """The faults of an answer in words, without what it holds."""
    found: list[str] = []
    if isinstance(record, Proof):
        found = list(record.faults)
    elif isinstance(record, Analysis | Review | Grading | Comparison):
        found = [record.fault] if record.fault else []
    elif isinstance(record, Refusal) and not record.error.startswith(NOT_JUDGED):
        found = [f"set aside: {record.error}"]
    return [_QUOTED.sub("'...'", fault)[:_MAX_WORDS] for fault in found]
