"""Measures of a grader against a better one: acceptance, three-class accuracy, error, correlation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from core.statistics import Estimate, IntervalConfig, Observation, correlation, mean, share


@dataclass(frozen=True, slots=True)
class Pair:
    """A proof that both graders scored, on 0..1. ``accepted`` by the one, ``gold`` by the better one.

    ``cluster``: that of its problem in intervals.
    """

    cluster: str
    problem: str
    source: str
    proof_id: str
    predicted: float
    accepted: bool
    gold: float

    @property
    def correct(self) -> bool:
        """Full score by the better grader."""
        return self.gold >= 1.0


def rubric_class(score: float, half_at: float) -> float:
    """Class of the rubric: 1 for the full score alone, 0.5 from ``half_at`` on, else 0."""
    return 1.0 if score >= 1.0 else 0.5 if score >= half_at else 0.0


def same_class(pair: Pair, half_at: float) -> bool:
    """True where both scores are of one class of the rubric."""
    return rubric_class(pair.predicted, half_at) == rubric_class(pair.gold, half_at)


def estimates(pairs: Sequence[Pair], half_at: float, config: IntervalConfig) -> Mapping[str, Estimate]:
    """Each measure with its interval, by name; clusters are those of the problems."""

    def observed(values: Sequence[tuple[Pair, float]]) -> list[Observation]:
        return [Observation(pair.cluster, float(value)) for pair, value in values]

    return {
        "precision": share(observed([(one, one.correct) for one in pairs if one.accepted]), config=config),
        "recall": share(observed([(one, one.accepted) for one in pairs if one.correct]), config=config),
        "three-class accuracy": share(observed([(one, same_class(one, half_at)) for one in pairs]), config=config),
        "mean absolute error": mean(observed([(one, abs(one.predicted - one.gold)) for one in pairs]), config=config),
        "correlation": correlation([(one.cluster, one.predicted, one.gold) for one in pairs], config=config),
    }


def constant_baseline(pairs: Sequence[Pair], half_at: float) -> Mapping[str, float | None]:
    """Measures of a judge that never reads: it accepts everything, and gives the most frequent class or the median."""
    golds = [pair.gold for pair in pairs]
    classes = [rubric_class(gold, half_at) for gold in golds]
    middle = median(golds)
    return {
        "precision": fmean(pair.correct for pair in pairs),
        "recall": 1.0 if any(pair.correct for pair in pairs) else None,
        "three-class accuracy": max(classes.count(value) for value in set(classes)) / len(classes),
        "mean absolute error": fmean(abs(gold - middle) for gold in golds),
        "correlation": None,
    }
