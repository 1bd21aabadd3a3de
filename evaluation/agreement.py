"""Agreement of graders: each automatic grader against each better one, per source and on all proofs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.statistics import Estimate, IntervalConfig
from evaluation.graded_proofs import GradedProof
from evaluation.graders import ANSWER_JUDGE, JUDGE, PANEL, VERIFIER, kind_of, order
from evaluation.measures import Pair, constant_baseline, estimates
from evaluation.scores import ALL_SOURCES

BETTER = ("exact", "answer", "human")  # kinds of graders by which the others are measured


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of ``grader`` with ``gold`` on the proofs of one source that both scored.

    ``authors``: the people or models behind each of the two. ``baseline``: measures of a constant judge.
    """

    grader: str
    gold: str
    source: str
    authors: tuple[tuple[str, ...], tuple[str, ...]]
    pairs: Sequence[Pair]
    measures: Mapping[str, Estimate]
    baseline: Mapping[str, float | None]

    @property
    def accepted(self) -> int:
        """Number of proofs that the grader accepts."""
        return sum(pair.accepted for pair in self.pairs)

    @property
    def correct(self) -> int:
        """Number of proofs with a full score by the better grader."""
        return sum(pair.correct for pair in self.pairs)

    @property
    def correctly_accepted(self) -> int:
        """Number of accepted proofs with a full score by the better grader."""
        return sum(pair.accepted and pair.correct for pair in self.pairs)

    @property
    def over_accepted(self) -> list[Pair]:
        """Accepted proofs without a full score by the better grader."""
        return [pair for pair in self.pairs if pair.accepted and not pair.correct]


def agreements(entries: Sequence[GradedProof], half_at: float, config: IntervalConfig) -> list[Agreement]:
    """Compares every grader with every better grader that scored the same proofs.

    Without people, checker and answer check the judges are the better graders, and the verifier is compared with them.
    """
    found: list[Agreement] = []
    names = tuple(dict.fromkeys(name for entry in entries for name in entry.grades))
    better = sorted((name for name in names if kind_of(name) in BETTER), key=order)
    judged = [name for name in names if kind_of(name) not in (*BETTER, ANSWER_JUDGE)]
    if not better:  # then the verifier alone is measured, by the judges
        better, judged = [name for name in names if kind_of(name) == PANEL] or _judges(names), [VERIFIER]
    for grader in sorted(judged, key=order):
        for gold in better:
            both = [(entry, pair) for entry in entries if (pair := pair_of(entry, grader, gold)) is not None]
            sources = sorted({pair.source for _, pair in both})
            for source in [*sources, *([ALL_SOURCES] if len(sources) > 1 else [])]:
                part = [(entry, pair) for entry, pair in both if source in (ALL_SOURCES, pair.source)]
                pairs = [pair for _, pair in part]
                authors = _authors(part, grader), _authors(part, gold)
                measured = estimates(pairs, half_at, config)
                found.append(
                    Agreement(grader, gold, source, authors, pairs, measured, constant_baseline(pairs, half_at))
                )
    return found


def _judges(names: Sequence[str]) -> list[str]:
    return sorted((name for name in names if kind_of(name) == JUDGE), key=order)


def pair_of(entry: GradedProof, grader: str, gold: str) -> Pair | None:
    """The scores of one proof by two graders; None unless both gave one.

    The verifier accepts by the rule of its run; any other grader accepts the proofs that it gives the full score.
    """
    judged, truth = entry.grades.get(grader), entry.grades.get(gold)
    if judged is None or truth is None or judged.score is None or truth.score is None:
        return None
    accepted = entry.accepted if grader == VERIFIER else judged.score >= 1.0
    return Pair(entry.cluster, entry.problem, entry.source, entry.proof_id, judged.score, accepted, truth.score)


def _authors(part: Sequence[tuple[GradedProof, Pair]], grader: str) -> tuple[str, ...]:
    return tuple(sorted({author for entry, _ in part for author in entry.grades[grader].authors}))
