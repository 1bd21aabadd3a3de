"""The queue of proofs and analyses that wait for a person's label."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from explorer.figures import proof_figures
from explorer.index import LogIndex, Row, children
from explorer.labels import HUMAN


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proof or an analysis in the queue, and why it stands where it stands."""

    log: LogIndex
    row: Row
    why: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A proof or an analysis that people may label: its place in the queue, why, and who has labeled it."""

    order: tuple[float, float]
    row: Row
    why: str
    labeled_by: frozenset[str]


def proof_queue(logs: Iterable[LogIndex], author: str) -> list[Waiting]:
    """The proofs that ``author`` has not labeled: undecided ones first, then the largest disagreement."""
    return _queue(logs, author, "proof places", _proof_places)


def analysis_queue(logs: Iterable[LogIndex], author: str) -> list[Waiting]:
    """The analyses that ``author`` has not labeled: those on which reviews differ first, then reported issues."""
    return _queue(logs, author, "analysis places", _analysis_places)


def _queue(
    logs: Iterable[LogIndex], author: str, name: str, places: Callable[[LogIndex], list[_Place]]
) -> list[Waiting]:
    """Places are computed once for every state of a log, since a page is drawn anew after each label."""
    found = [
        (place.order, log.problem_id, place.row.id, Waiting(log, place.row, place.why))
        for log in logs
        for place in log.computed(name, places)
        if author not in place.labeled_by
    ]
    return [waiting for *_, waiting in sorted(found, key=lambda item: item[:3])]


def _proof_places(log: LogIndex) -> list[_Place]:
    judged = children(log)
    found = []
    for proof in proof_figures(log):
        if proof.readable:
            undecided = proof.undecided or (proof.judged is None and proof.human is None)
            disagreement = proof.disagreement
            why = f"disagreement {disagreement:.2g}" if disagreement else "not labeled yet"
            order = (float(not undecided), -disagreement)
            by = _labeled_by(judged.get(proof.row.id, ()))
            found.append(_Place(order, proof.row, "undecided" if undecided else why, by))
    return found


def _analysis_places(log: LogIndex) -> list[_Place]:
    judged = children(log)
    found = []
    for row in log.of_kind("analysis"):
        if row.score is None or row.about not in log.by_id:
            continue
        about = judged.get(row.id, ())
        reviews = [child.score for child in about if child.kind == "review" and child.score is not None]
        spread = max(reviews) - min(reviews) if reviews else 0.0
        why = "its reviews differ" if spread else "it reports an issue" if row.score < 1 else "not labeled yet"
        found.append(_Place((-spread, row.score), row, why, _labeled_by(about)))
    return found


def _labeled_by(rows: Sequence[Row]) -> frozenset[str]:
    return frozenset(
        str(row.value.get("author")) for row in rows if row.kind == "label" and row.value.get("grader") == HUMAN
    )
