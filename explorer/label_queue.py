"""Label queue: proofs and analyses that a person has not labeled, the most informative first."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from explorer.index import LogIndex, RecordRow, children
from explorer.labels import HUMAN
from explorer.metrics import proof_metrics


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A proof or an analysis in the queue, and the reason for its rank."""

    log: LogIndex
    row: RecordRow
    reason: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A proof or an analysis that can be labeled: rank (lowest first), reason for it, and people who labeled it."""

    rank: tuple[float, float]
    row: RecordRow
    reason: str
    labeled_by: frozenset[str]


def proof_queue(logs: Iterable[LogIndex], author: str) -> list[QueueItem]:
    """Proofs that ``author`` has not labeled: undecided ones first, then by disagreement."""
    return _queue(logs, author, "proof candidates", _proof_candidates)


def analysis_queue(logs: Iterable[LogIndex], author: str) -> list[QueueItem]:
    """Analyses that ``author`` has not labeled: those whose reviews differ first, then those that report an issue."""
    return _queue(logs, author, "analysis candidates", _analysis_candidates)


def _queue(
    logs: Iterable[LogIndex], author: str, name: str, candidates: Callable[[LogIndex], list[_Candidate]]
) -> list[QueueItem]:
    """Ranks are cached per state of a log, since the page is drawn again after each label."""
    found = [
        (candidate.rank, log.problem_id, candidate.row.id, QueueItem(log, candidate.row, candidate.reason))
        for log in logs
        for candidate in log.computed(name, candidates)
        if author not in candidate.labeled_by
    ]
    return [item for *_, item in sorted(found, key=lambda entry: entry[:3])]


def _proof_candidates(log: LogIndex) -> list[_Candidate]:
    judged = children(log)
    found = []
    for proof in proof_metrics(log):
        if proof.has_proof:
            undecided = proof.undecided or (proof.judged is None and proof.human is None)
            disagreement = proof.disagreement
            reason = f"disagreement {disagreement:.2g}" if disagreement else "not labeled yet"
            rank = (float(not undecided), -disagreement)
            by = _labeled_by(judged.get(proof.row.id, ()))
            found.append(_Candidate(rank, proof.row, "undecided" if undecided else reason, by))
    return found


def _analysis_candidates(log: LogIndex) -> list[_Candidate]:
    judged = children(log)
    found = []
    for row in log.of_kind("analysis"):
        if row.score is None or row.about not in log.by_id:
            continue
        about = judged.get(row.id, ())
        reviews = [child.score for child in about if child.kind == "review" and child.score is not None]
        spread = max(reviews) - min(reviews) if reviews else 0.0
        reason = "its reviews differ" if spread else "it reports an issue" if row.score < 1 else "not labeled yet"
        found.append(_Candidate((-spread, row.score), row, reason, _labeled_by(about)))
    return found


def _labeled_by(rows: Sequence[RecordRow]) -> frozenset[str]:
    return frozenset(
        str(row.value.get("author")) for row in rows if row.kind == "label" and row.value.get("grader") == HUMAN
    )
