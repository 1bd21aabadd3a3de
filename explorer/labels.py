"""Labels by people: appended to a run, read as the latest of each person, agreed upon, exported for training."""

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
from explorer.figures import latest_by_author
from explorer.index import LogIndex, Row, children

SECONDS_TO_WAIT = 10.0  # for another labeler, who holds the lock for a moment
HUMAN = "human"
Subject = Literal["proof", "analysis"]


@dataclass(frozen=True, slots=True)
class Judgment:
    """What a person says of a proof, or of an analysis of it."""

    problem_id: str
    proof_id: str
    author: str
    score: float
    reason: str = ""
    analysis_id: str | None = None


def write_label(folder: Path, judgment: Judgment) -> Label:
    """Append a label to the run; the label.

    The run's lock is held meanwhile, as by every command that writes: two labelers wait for each other.

    Raises:
        LemmataError: no author, no score of the rubric, no such proof, or a command is writing the run.
    """
    if not judgment.author.strip():
        raise LemmataError("say who labels: a label carries its author")
    if judgment.score not in SCORES:
        raise LemmataError(f"{judgment.score!r} is no score of the rubric: 0, 0.5 or 1")
    path = folder / "problems" / f"{judgment.problem_id}.jsonl"
    with _locked(folder):
        if not path.is_file():
            raise LemmataError(f"{path.name} is missing: the log of this problem was moved or deleted")
        with closing(ProblemLog(path)) as log:
            if judgment.proof_id not in log or (judgment.analysis_id and judgment.analysis_id not in log):
                raise LemmataError("what is to be labeled is not in this run")
            label = _label(judgment)
            log.append([label])
    return label


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        with filelock.FileLock(folder / "lock", timeout=SECONDS_TO_WAIT):
            yield
    except filelock.Timeout as error:
        raise LemmataError("a command is writing this run; label when it has ended, nothing was written now") from error
    except OSError as error:
        raise LemmataError(f"the label cannot be written: {error}") from error


def _label(judgment: Judgment) -> Label:
    about = judgment.analysis_id or judgment.proof_id
    return Label(
        id=digest("label", HUMAN, about, judgment.author, time.time_ns(), os.getpid()),
        problem_id=judgment.problem_id,
        proof_id=judgment.proof_id,
        grader=HUMAN,
        author=judgment.author.strip(),
        score=judgment.score,
        reason=judgment.reason.strip(),
        created=now(),
        analysis_id=judgment.analysis_id,
    )


def scores_by_author(logs: Iterable[LogIndex], subject: Subject) -> dict[str, dict[str, float]]:
    """The latest score that each person gave to each proof (or analysis), by author and id."""
    scores: dict[str, dict[str, float]] = {}
    for log in logs:
        for row, given in _labeled(log, subject):
            for author, score in given.items():
                scores.setdefault(author, {})[row.id] = score
    return scores


def _labeled(log: LogIndex, subject: Subject) -> list[tuple[Row, dict[str, float]]]:
    """Every proof (or analysis) that people gave scores to, with the latest of each person."""
    return log.computed(f"{subject} labels", partial(_find_labeled, subject=subject))


def _find_labeled(log: LogIndex, subject: Subject) -> list[tuple[Row, dict[str, float]]]:
    judged = children(log)
    found = [(row, _scores(judged.get(row.id, ()))) for row in log.of_kind(subject)]
    return [(row, scores) for row, scores in found if scores]


def _scores(rows: Sequence[Row]) -> dict[str, float]:
    """By author."""
    labels = latest_by_author([row for row in rows if row.kind == "label"])
    return {str(row.value.get("author")): row.score for row in labels if row.score is not None}


def agreement(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[float | None, int]:
    """Cohen's kappa of two people on the proofs that both labeled, and the number of these."""
    common = [(first[name], second[name]) for name in first.keys() & second.keys()]
    return cohens_kappa(common), len(common)


@dataclass(frozen=True, slots=True)
class Export:
    """Cases for training, and how many labels are left out: people differ, or the score is none of the rubric."""

    cases: tuple[LabeledCase, ...]
    disputed: int
    off_rubric: int


def labeled_proofs(logs: Iterable[LogIndex]) -> Export:
    """D_v: proofs with the score on which all their labelers agree."""
    return _export(logs, "proof")


def labeled_analyses(logs: Iterable[LogIndex]) -> Export:
    """D_mv: analyses with the quality on which all their labelers agree, and the proof's label where there is one."""
    return _export(logs, "analysis")


def _export(logs: Iterable[LogIndex], subject: Subject) -> Export:
    cases: list[LabeledCase] = []
    disputed = off_rubric = 0
    for log in logs:
        for row, given in _labeled(log, subject):
            scores = set(given.values())
            if len(scores) > 1:
                disputed += 1
            elif not scores <= set(SCORES):
                off_rubric += 1
            else:
                cases.append(_case(log, row, scores.pop(), children(log)))
    return Export(tuple(cases), disputed, off_rubric)


def _case(log: LogIndex, row: Row, score: float, judged: Mapping[str, Sequence[Row]]) -> LabeledCase:
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
