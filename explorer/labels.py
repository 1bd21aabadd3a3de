"""Human labels: writing, reporting a statement, withdrawing, and what each person has written."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from core.errors import LemmataError
from core.ids import digest
from core.labels import append_labels
from core.records import Label, StatementReport, Withdrawal
from core.rubric import SCORES
from explorer.index import LogIndex, RecordRow, withdrawn
from explorer.passages import Passage

HUMAN = "human"
Subject = Literal["proof", "analysis"]


@dataclass(frozen=True, slots=True)
class HumanLabel:
    """Label by a person for a proof, or for an analysis of it (``analysis_id``); ``passage`` of the labeled text."""

    proof_id: str
    author: str
    score: float
    reason: str = ""
    analysis_id: str | None = None
    passage: Passage | None = None


@dataclass(frozen=True, slots=True)
class WrittenLabel:
    """Label that a person wrote. ``current``: the latest of this person for its proof or analysis, in effect."""

    log: LogIndex
    row: RecordRow
    current: bool
    withdrawn: bool

    @property
    def subject(self) -> Subject:
        """Kind of record that it labels."""
        return "analysis" if "analysis_id" in self.row.value else "proof"


def write_label(log: LogIndex, given: HumanLabel) -> Label:
    """Appends a label and returns it; an earlier one by the same person stays on file and is superseded.

    Raises:
        LemmataError: no author, a score that is not of the rubric, no such proof, or the file cannot be written.
    """
    author = _author(given.author)
    if given.score not in SCORES:
        raise LemmataError(f"score={given.score!r} is not of the rubric: 0, 0.5 or 1")
    log.refresh()
    about = log.by_id.get(given.analysis_id or given.proof_id)
    kind = "analysis" if given.analysis_id else "proof"
    if about is None or about.kind != kind or (given.analysis_id and about.about != given.proof_id):
        raise LemmataError(f"proof {given.proof_id} or its analysis {given.analysis_id} is not in {log.path.name}")
    passage = given.passage
    label = Label(
        id=_new_id("label", about.id, author),
        problem_id=log.problem_id,
        proof_id=given.proof_id,
        grader=HUMAN,
        author=author,
        score=given.score,
        reason=given.reason.strip(),
        created=_now(),
        analysis_id=given.analysis_id,
        passage=passage.text if passage else None,
        passage_start=passage.start if passage else None,
        passage_end=passage.end if passage else None,
    )
    append_labels(log.path, [label])
    log.refresh()
    return label


def report_statement(log: LogIndex, author: str, reason: str) -> StatementReport:
    """Appends a report that the statement of a problem is flawed. Raises LemmataError as `write_label`."""
    name = _author(author)
    report = StatementReport(
        id=_new_id("report", log.problem_id, name),
        problem_id=log.problem_id,
        author=name,
        reason=reason.strip(),
        created=_now(),
    )
    append_labels(log.path, [report])
    log.refresh()
    return report


def withdraw(log: LogIndex, record_id: str, author: str) -> Withdrawal:
    """Withdraws a label or report; an earlier label by the same person is in effect again.

    Raises:
        LemmataError: there is no such label or report by this person, or it is withdrawn already.
    """
    log.refresh()
    row = log.by_id.get(record_id)
    if row is None or not row.of_person or row.value.get("author") != author.strip() or record_id in withdrawn(log):
        raise LemmataError(f"{log.path.name} has no label or report {record_id} by {author} that can be withdrawn")
    record = Withdrawal(
        id=_new_id("withdrawal", record_id, author),
        problem_id=log.problem_id,
        withdrawn_id=record_id,
        author=author.strip(),
        created=_now(),
    )
    append_labels(log.path, [record])
    log.refresh()
    return record


def written_labels(logs: Iterable[LogIndex], author: str) -> list[WrittenLabel]:
    """Labels that a person wrote in the explorer or imported, the newest first."""
    found = [label for log in logs for label in _written(log).get(author, ())]
    return sorted(found, key=lambda label: label.row.created, reverse=True)


def last_label(logs: Iterable[LogIndex], author: str, subject: Subject) -> WrittenLabel | None:
    """The newest label by a person that can be withdrawn."""
    labels = written_labels(logs, author)
    can = (label for label in labels if label.subject == subject and label.row.of_person and not label.withdrawn)
    return next(can, None)


def reports(log: LogIndex) -> list[RecordRow]:
    """Reports of the statement that are in effect."""
    return [row for row in log.of_kind("report") if row.id not in withdrawn(log)]


def _written(log: LogIndex) -> dict[str, list[WrittenLabel]]:
    return log.computed("written labels", _find_written)


def _find_written(log: LogIndex) -> dict[str, list[WrittenLabel]]:
    """Labels of each person, the newest first."""
    gone = withdrawn(log)
    found: dict[str, list[WrittenLabel]] = {}
    superseded: set[tuple[str, str]] = set()
    for row in reversed(log.of_kind("label")):
        if row.value.get("grader") == HUMAN:
            author = str(row.value.get("author"))
            current = row.id not in gone and (author, row.about) not in superseded
            if current:
                superseded.add((author, row.about))
            found.setdefault(author, []).append(WrittenLabel(log, row, current, row.id in gone))
    return found


def _author(name: str) -> str:
    if not name.strip():
        raise LemmataError("the label has no author: enter the name of the labeler")
    return name.strip()


def _new_id(*parts: str) -> str:
    return digest(*parts, time.time_ns(), os.getpid())


def _now() -> str:
    """Time of a label to the millisecond, so that the last one is known."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
