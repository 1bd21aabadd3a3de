"""Label queue: the proofs or analyses of a labeler's share, the most informative first, and everybody's progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.ids import digest
from explorer.index import LogIndex, RecordRow, children
from explorer.labels import HUMAN, Subject, reports
from explorer.metrics import proof_metrics


@dataclass(frozen=True, slots=True)
class Shares:
    """Division of the work. ``labelers``: those who share it, empty for anybody; ``labels_per_item``: labelers wanted
    for each proof or analysis, 0 for all."""

    labelers: tuple[str, ...] = ()
    labels_per_item: int = 0

    def has(self, record_id: str, author: str) -> bool:
        """True where a record is in the share of a labeler; that of somebody who is not named is everything."""
        if not 0 < self.labels_per_item < len(self.labelers) or author not in self.labelers:
            return True
        ranked = sorted(self.labelers, key=lambda name: digest("share", record_id, name))
        return author in ranked[: self.labels_per_item]


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A proof or an analysis in a labeler's share. ``reason``: that of its rank.

    ``labeled``: this labeler has labeled it; ``waiting``: a label of this labeler is wanted.
    """

    log: LogIndex
    row: RecordRow
    reason: str
    labeled: bool
    waiting: bool


@dataclass(frozen=True, slots=True)
class LabelProgress:
    """Number of labeled items of a labeler's share, and its size."""

    author: str
    labeled: int
    total: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A proof or an analysis that can be labeled: rank (lowest first), reason for it, and people who labeled it."""

    rank: tuple[float, float]
    row: RecordRow
    reason: str
    labeled_by: frozenset[str]


def queue(logs: Sequence[LogIndex], subject: Subject, author: str, shares: Shares) -> list[QueueItem]:
    """All items of a labeler's share, labeled or not: undecided proofs first, then by disagreement; analyses whose
    reviews differ first, then those that report an issue.

    Ranks are cached per state of a log, since the page is drawn again after each label.
    """
    found = [
        (candidate.rank, log.problem_id, candidate.row.id, _item(log, candidate, author, shares))
        for log in logs
        for candidate in _candidates(log, subject)
        if shares.has(candidate.row.id, author)
    ]
    return [item for *_, item in sorted(found, key=lambda entry: entry[:3])]


def _item(log: LogIndex, candidate: _Candidate, author: str, shares: Shares) -> QueueItem:
    labeled = author in candidate.labeled_by
    wanted = not shares.labels_per_item or len(candidate.labeled_by) < shares.labels_per_item
    reported = any(row.value.get("author") == author for row in reports(log))
    return QueueItem(log, candidate.row, candidate.reason, labeled, wanted and not labeled and not reported)


def progress(logs: Sequence[LogIndex], subject: Subject, shares: Shares) -> list[LabelProgress]:
    """Progress of the named labelers, and of all others who labeled something."""
    candidates = [candidate for log in logs for candidate in _candidates(log, subject)]
    others = sorted({name for candidate in candidates for name in candidate.labeled_by} - set(shares.labelers))
    return [
        LabelProgress(
            name,
            sum(name in candidate.labeled_by for candidate in candidates),
            sum(shares.has(candidate.row.id, name) for candidate in candidates),
        )
        for name in [*shares.labelers, *others]
    ]


def _candidates(log: LogIndex, subject: Subject) -> list[_Candidate]:
    make: Callable[[LogIndex], list[_Candidate]] = _analyses if subject == "analysis" else _proofs
    return log.computed(f"{subject} candidates", make)


def _proofs(log: LogIndex) -> list[_Candidate]:
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


def _analyses(log: LogIndex) -> list[_Candidate]:
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
