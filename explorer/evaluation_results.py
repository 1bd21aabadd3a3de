"""Results of an evaluation as its report has them: leaderboard, groups, and each proof behind a cell of the matrix.

Logs are read one by one, each once per state, so that a page shows what it has within its time.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.document import Table, natural
from core.errors import LemmataError
from core.statistics import IntervalConfig
from evaluation.folders import Part, parts_of
from evaluation.gather import ReportData, gather_read
from evaluation.graded_proofs import GradedProof, ProblemOutcome, read_problem
from evaluation.leaderboard import group_section, leaderboard_section, main_grader
from evaluation.scores import scores
from evaluation.sections import junk_section
from explorer.index import stamp_of
from refine.acceptance import recorded_rule

Stamp = tuple[object, ...]
Read = tuple[ProblemOutcome, list[GradedProof]]


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """Final proof of one attempt. ``score`` by the main grader; ``proof_id`` is None where there is none (yet)."""

    part: Part
    proof_id: str | None
    score: float | None
    accepted: bool


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A problem with the cells of each entrant, in the order of their attempts."""

    problem_id: str
    problem: str
    source: str
    groups: str
    cells: dict[str, list[MatrixCell]]

    def mean(self, entrant: str) -> float | None:
        """Mean score of an entrant; None without a scored proof."""
        known = [cell.score for cell in self.cells.get(entrant, ()) if cell.score is not None]
        return sum(known) / len(known) if known else None

    @property
    def spread(self) -> float | None:
        """Difference of the best and the worst entrant."""
        means = [mean for entrant in self.cells if (mean := self.mean(entrant)) is not None]
        return max(means) - min(means) if means else None


@dataclass(frozen=True, slots=True)
class EvaluationResults:
    """Contents of an evaluation's page. ``tables``: leaderboard, groups and junk proofs, by title."""

    grader: str | None
    entrants: tuple[str, ...]
    models: dict[str, str]
    tables: dict[str, Table]
    matrix: tuple[MatrixRow, ...]


class EvaluationReader:
    """Reader of one evaluation's logs. Pages in several threads can share one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[Stamp, Part, Read | None]] = {}
        self._results: tuple[tuple[Stamp, ...], EvaluationResults] | None = None
        self._lock = threading.Lock()

    def refresh(self, seconds: float) -> float:
        """Reads new and changed logs for at most ``seconds``; returns the share of all logs that is read.

        Raises LemmataError where the folder is no evaluation with attempts.
        """
        deadline = time.monotonic() + seconds
        with self._lock:
            logs = [(part, path) for part in parts_of(self.folder) for path in part.run.log_paths()]
            known = {path for _, path in logs}
            self._read = {path: entry for path, entry in self._read.items() if path in known}
            for place, (part, path) in enumerate(logs):
                stamp = (stamp_of(path), stamp_of(path.parent.parent / "labels" / path.name))
                if path not in self._read or self._read[path][0] != stamp:
                    self._read[path] = (stamp, part, self._problem(part, path))
                    if time.monotonic() > deadline:
                        return (place + 1) / len(logs)
        return 1.0

    def _problem(self, part: Part, path: Path) -> Read | None:
        try:
            return read_problem(part, path, recorded_rule(part.run.manifest["config"]))
        except LemmataError:
            return None  # a damaged log; the page of its run says so

    def results(self) -> EvaluationResults:
        """Results of what is read."""
        with self._lock:
            state = tuple(entry[0] for entry in self._read.values())
            if self._results is None or self._results[0] != state:
                read = [(part, found) for _, part, found in self._read.values() if found is not None]
                self._results = (state, _results(read))
            return self._results[1]


def _results(read: Sequence[tuple[Part, Read]]) -> EvaluationResults:
    data, config = gather_read([part for part, _ in read], (found for _, found in read)), IntervalConfig()
    blocks = {
        "Leaderboard": leaderboard_section(data, scores(data, config), config),
        "Parts, categories and levels": group_section(data, config),
        "Junk proofs": junk_section(data),
    }
    tables = {title: block for title, found in blocks.items() for block in found if isinstance(block, Table)}
    return EvaluationResults(
        grader=main_grader(data),
        entrants=tuple(data.entrants),
        models={name: data.models(name) for name in data.entrants},
        tables=tables,
        matrix=tuple(_matrix(data)),
    )


def _matrix(data: ReportData) -> list[MatrixRow]:
    grader = main_grader(data)
    rows: dict[str, MatrixRow] = {}
    for outcome in data.attempts:
        row = rows.setdefault(
            outcome.problem_id,
            MatrixRow(outcome.problem_id, outcome.problem, outcome.source, " · ".join(outcome.groups.values()), {}),
        )
        part = next(part for part in data.parts if part.attempt == outcome.attempt and part.has(outcome.entrant))
        row.cells.setdefault(outcome.entrant, []).append(_cell(data, part, outcome, grader))
    for row in rows.values():
        for cells in row.cells.values():
            cells.sort(key=lambda cell: cell.part.attempt or 0)
    return sorted(rows.values(), key=lambda row: (natural(row.source), natural(row.problem)))


def _cell(data: ReportData, part: Part, outcome: ProblemOutcome, grader: str | None) -> MatrixCell:
    entry = outcome.chosen
    if entry is None and not outcome.finished:  # a run that chooses no proof: the graded ones are in the log's page
        own = (one for one in data.candidates if one.entrant == outcome.entrant and one.attempt == outcome.attempt)
        entry = next((one for one in own if one.problem_id == outcome.problem_id), None)
    if entry is None:
        return MatrixCell(part, None, None, accepted=False)
    grade = entry.grades.get(grader) if grader else None
    return MatrixCell(part, entry.proof_id, grade.score if grade else None, accepted=outcome.accepted)
