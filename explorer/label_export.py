"""Agreement between labelers, and the tables of labeled proofs (D_v) and analyses (D_mv) for training."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from core.labeled_cases import LabeledCase
from core.records import Analysis, Problem, Proof
from core.rubric import SCORES
from core.statistics import cohens_kappa
from explorer.index import LogIndex, RecordRow, children
from explorer.labels import Subject, reports
from explorer.metrics import latest_by_author

Labels = list[tuple[RecordRow, dict[str, RecordRow]]]


def scores_by_author(logs: Iterable[LogIndex], subject: Subject) -> dict[str, dict[str, float]]:
    """Latest score by each person for each proof (or analysis), by author and id."""
    scores: dict[str, dict[str, float]] = {}
    for log in logs:
        for row, by_author in _labeled(log, subject):
            for author, label in by_author.items():
                if label.score is not None:
                    scores.setdefault(author, {})[row.id] = label.score
    return scores


def agreement(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[float | None, int]:
    """Cohen's kappa of two people on what both labeled, and the number of common labels."""
    common = [(first[name], second[name]) for name in first.keys() & second.keys()]
    return cohens_kappa(common), len(common)


@dataclass(frozen=True, slots=True)
class Export:
    """Cases for training, and the numbers of cases left out.

    ``disputed``: people differ; ``off_rubric``: the score is not 0, 0.5 or 1; ``reported``: the statement is reported.
    """

    cases: tuple[LabeledCase, ...]
    disputed: int
    off_rubric: int
    reported: int


def labeled_proofs(logs: Iterable[LogIndex]) -> Export:
    """Exports D_v: proofs with the score on which all their labelers agree."""
    return _export(logs, "proof")


def labeled_analyses(logs: Iterable[LogIndex]) -> Export:
    """Exports D_mv: analyses with the quality on which all their labelers agree, and the proof's label if any."""
    return _export(logs, "analysis")


def _labeled(log: LogIndex, subject: Subject) -> Labels:
    """Every proof (or analysis) with human labels that have a score, the latest by each person."""
    return log.computed(f"{subject} labels", partial(_find_labeled, subject=subject))


def _find_labeled(log: LogIndex, subject: Subject) -> Labels:
    found = [(row, _latest(log, row.id)) for row in log.of_kind(subject)]
    return [(row, labels) for row, labels in found if labels]


def _latest(log: LogIndex, record_id: str) -> dict[str, RecordRow]:
    labels = latest_by_author([row for row in children(log).get(record_id, ()) if row.kind == "label"])
    return {str(row.value.get("author")): row for row in labels if row.score is not None}


def _export(logs: Iterable[LogIndex], subject: Subject) -> Export:
    cases: list[LabeledCase] = []
    disputed = off_rubric = reported = 0
    for log in logs:
        for row, labels in _labeled(log, subject):
            scores = {label.score for label in labels.values()}
            if reports(log):
                reported += 1
            elif len(scores) > 1:
                disputed += 1
            elif not scores <= set(SCORES):
                off_rubric += 1
            else:
                cases.append(_case(log, row, labels))
    return Export(tuple(cases), disputed, off_rubric, reported)


def _case(log: LogIndex, row: RecordRow, labels: Mapping[str, RecordRow]) -> LabeledCase:
    problem = log.read(log.of_kind("problem")[0])
    record = log.read(row)
    assert isinstance(problem, Problem)
    assert isinstance(record, Analysis | Proof)
    proof = log.read(log.by_id[record.proof_id]) if isinstance(record, Analysis) else record
    assert isinstance(proof, Proof)
    score = next(iter(labels.values())).score
    is_analysis = isinstance(record, Analysis)
    return LabeledCase(
        statement=problem.statement,
        proof=proof.body or proof.text,
        label=_agreed(log, proof.id) if is_analysis else score,
        analysis=record.text if is_analysis else "",
        quality=score if is_analysis else None,
        problem=problem.name or problem.id,
        proof_id=proof.id,
        analysis_id=record.id if is_analysis else "",
        model=record.model,
        labelers=tuple(labels),
        reasons=tuple(str(label.value.get("reason", "")) for label in labels.values()),
    )


def _agreed(log: LogIndex, proof_id: str) -> float | None:
    """Score of a proof on which all its labelers agree."""
    scores = {label.score for label in _latest(log, proof_id).values()}
    score = scores.pop() if len(scores) == 1 else None
    return score if score in SCORES else None
