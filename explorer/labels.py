"""Human labels: appending to a run, the latest of each person, agreement, export for training."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import filelock

from core.errors import LemmataError
from core.ids import digest
from core.labeled_cases import LabeledCase
from core.log import ProblemLog
from core.records import Analysis, Label, Problem, Proof
from core.rubric import SCORES
from core.statistics import cohens_kappa
from core.store import now
from explorer.index import LogIndex, RecordRow, children
from explorer.metrics import latest_by_author

SECONDS_TO_WAIT = 10.0  # for another labeler, who holds the lock for a moment
HUMAN = "human"
Subject = Literal["proof", "analysis"]


@dataclass(frozen=True, slots=True)
class HumanLabel:
    """Label by a person for a proof, or for an analysis of it (``analysis_id``)."""

    problem_id: str
    proof_id: str
    author: str
    score: float
    reason: str = ""
    analysis_id: str | None = None


def write_label(folder: Path, given: HumanLabel) -> Label:
    """Appends a label to the run and returns it.

    Holds the run's lock while writing, like every command that writes: two labelers wait for each other.

    Raises:
        LemmataError: no author, a score that is not of the rubric, no such proof, or a command is writing the run.
    """
    if not given.author.strip():
        raise LemmataError("the label has no author: enter the name of the labeler")
    if given.score not in SCORES:
        raise LemmataError(f"score={given.score!r} is not of the rubric: 0, 0.5 or 1")
    path = folder / "problems" / f"{given.problem_id}.jsonl"
    with _locked(folder):
        if not path.is_file():
            raise LemmataError(f"{path.name} is missing: the log of this problem was moved or deleted")
        with closing(ProblemLog(path)) as log:
            if given.proof_id not in log or (given.analysis_id and given.analysis_id not in log):
                raise LemmataError(f"proof {given.proof_id} or its analysis is not in this run")
            label = _label(given)
            log.append([label])
    return label


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        with filelock.FileLock(folder / "lock", timeout=SECONDS_TO_WAIT):
            yield
    except filelock.Timeout as error:
        message = "the label was not written: a command is writing this run; try again when it has ended"
        raise LemmataError(message) from error
    except OSError as error:
        raise LemmataError(f"the label was not written: {error}") from error


def _label(given: HumanLabel) -> Label:
    about = given.analysis_id or given.proof_id
    return Label(
        id=digest("label", HUMAN, about, given.author, time.time_ns(), os.getpid()),
        problem_id=given.problem_id,
        proof_id=given.proof_id,
        grader=HUMAN,
        author=given.author.strip(),
        score=given.score,
        reason=given.reason.strip(),
        created=now(),
        analysis_id=given.analysis_id,
    )


def scores_by_author(logs: Iterable[LogIndex], subject: Subject) -> dict[str, dict[str, float]]:
    """Latest score by each person for each proof (or analysis), by author and id."""
    scores: dict[str, dict[str, float]] = {}
    for log in logs:
        for row, by_author in _labeled(log, subject):
            for author, score in by_author.items():
                scores.setdefault(author, {})[row.id] = score
    return scores


def _labeled(log: LogIndex, subject: Subject) -> list[tuple[RecordRow, dict[str, float]]]:
    """Every proof (or analysis) with human scores, the latest by each person."""
    return log.computed(f"{subject} labels", partial(_find_labeled, subject=subject))


def _find_labeled(log: LogIndex, subject: Subject) -> list[tuple[RecordRow, dict[str, float]]]:
    judged = children(log)
    found = [(row, _scores(judged.get(row.id, ()))) for row in log.of_kind(subject)]
    return [(row, scores) for row, scores in found if scores]


def _scores(rows: Sequence[RecordRow]) -> dict[str, float]:
    """Scores by author."""
    labels = latest_by_author([row for row in rows if row.kind == "label"])
    return {str(row.value.get("author")): row.score for row in labels if row.score is not None}


def agreement(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[float | None, int]:
    """Cohen's kappa of two people on what both labeled, and the number of common labels."""
    common = [(first[name], second[name]) for name in first.keys() & second.keys()]
    return cohens_kappa(common), len(common)


@dataclass(frozen=True, slots=True)
class Export:
    """Cases for training, and the numbers of labels left out: ``disputed`` between people, or ``off_rubric``."""

    cases: tuple[LabeledCase, ...]
    disputed: int
    off_rubric: int


def labeled_proofs(logs: Iterable[LogIndex]) -> Export:
    """Exports D_v: proofs with the score on which all their labelers agree."""
    return _export(logs, "proof")


def labeled_analyses(logs: Iterable[LogIndex]) -> Export:
    """Exports D_mv: analyses with the quality on which all their labelers agree, and the proof's label if any."""
    return _export(logs, "analysis")


def _export(logs: Iterable[LogIndex], subject: Subject) -> Export:
    cases: list[LabeledCase] = []
    disputed = off_rubric = 0
    for log in logs:
        for row, by_author in _labeled(log, subject):
            scores = set(by_author.values())
            if len(scores) > 1:
                disputed += 1
            elif not scores <= set(SCORES):
                off_rubric += 1
            else:
                cases.append(_case(log, row, scores.pop(), children(log)))
    return Export(tuple(cases), disputed, off_rubric)


def _case(log: LogIndex, row: RecordRow, score: float, judged: Mapping[str, Sequence[RecordRow]]) -> LabeledCase:
    problem = log.read(log.of_kind("problem")[0])
    record = log.read(row)
    assert isinstance(problem, Problem)
    if isinstance(record, Analysis):
        proof = log.read(log.by_id[record.proof_id])
        assert isinstance(proof, Proof)
        of_proof = set(_scores(judged.get(proof.id, ())).values())
        label = of_proof.pop() if len(of_proof) == 1 and of_proof <= set(SCORES) else None
        return LabeledCase(problem.statement, proof.body or proof.text, label, record.text, score)
    assert isinstance(record, Proof)
    return LabeledCase(problem.statement, record.body or record.text, score)
