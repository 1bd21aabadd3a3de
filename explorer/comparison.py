"""Comparison of two runs on their common problems. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass

from explorer.metrics import ProblemMetrics


@dataclass(frozen=True, slots=True)
class ProblemPair:
    """One problem with its metrics in both runs."""

    left: ProblemMetrics
    right: ProblemMetrics

    @property
    def left_score(self) -> float | None:
        """Judges' score of the first run's chosen proof."""
        return self.left.chosen.judged if self.left.chosen else None

    @property
    def right_score(self) -> float | None:
        """Judges' score of the second run's chosen proof."""
        return self.right.chosen.judged if self.right.chosen else None

    @property
    def change(self) -> float | None:
        """Second score minus first; None where either is missing."""
        first, second = self.left_score, self.right_score
        return None if first is None or second is None else second - first


def pairs(left: Mapping[str, ProblemMetrics], right: Mapping[str, ProblemMetrics]) -> list[ProblemPair]:
    """The common problems: largest change first, those without a verdict last."""
    found = [ProblemPair(metrics, right[problem]) for problem, metrics in left.items() if problem in right]
    return sorted(found, key=lambda pair: (pair.change is None, -abs(pair.change or 0.0), pair.left.name))
