"""Two runs on the same problems. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb

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


def sign_test(better: int, worse: int) -> float:
    """Two-sided p of the sign test: the chance of as uneven a split by throws of a coin."""
    n, least = better + worse, min(better, worse)
    return min(1.0, 2 * sum(comb(n, k) for k in range(least + 1)) / 2**n) if n else 1.0
