"""Two runs on the same problems. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass

from explorer.figures import ProblemFigures


@dataclass(frozen=True, slots=True)
class Pair:
    """A problem in both runs."""

    left: ProblemFigures
    right: ProblemFigures

    @property
    def left_score(self) -> float | None:
        """What judges say of the first run's chosen proof."""
        return self.left.chosen.judged if self.left.chosen else None

    @property
    def right_score(self) -> float | None:
        """What judges say of the second run's chosen proof."""
        return self.right.chosen.judged if self.right.chosen else None

    @property
    def change(self) -> float | None:
        """Second minus first; None where either has no verdict."""
        first, second = self.left_score, self.right_score
        return None if first is None or second is None else second - first


def pairs(left: Mapping[str, ProblemFigures], right: Mapping[str, ProblemFigures]) -> list[Pair]:
    """The problems of both runs, the largest change first, then those without a verdict."""
    found = [Pair(figures, right[problem]) for problem, figures in left.items() if problem in right]
    return sorted(found, key=lambda pair: (pair.change is None, -abs(pair.change or 0.0), pair.left.name))
