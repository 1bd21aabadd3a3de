"""Calibration of mean verdicts: proofs binned by mean verdict, compared with the scores of a better grader."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from evaluation.measures import Pair

EDGES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Bin:
    """Proofs with a mean verdict of at least ``low`` and below ``high`` (1 has a bin of its own).

    ``predicted`` and ``gold`` are means over the proofs of the bin; ``correct`` counts full scores.
    """

    low: float
    high: float
    count: int
    predicted: float
    gold: float
    correct: int


def bins_of(pairs: Sequence[Pair]) -> list[Bin]:
    """The bins that contain proofs, lowest first."""
    found = [_bin(low, high, pairs) for low, high in zip(EDGES, (*EDGES[1:], 1.0), strict=True)]
    return [each for each in found if each.count]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean of |mean verdict - mean score|, bins weighted by their number of proofs."""
    return sum(each.count * abs(each.predicted - each.gold) for each in bins) / sum(each.count for each in bins)


def _bin(low: float, high: float, pairs: Sequence[Pair]) -> Bin:
    inside = [pair for pair in pairs if low <= pair.predicted < high or low == high == pair.predicted]
    if not inside:
        return Bin(low, high, 0, 0.0, 0.0, 0)
    return Bin(
        low,
        high,
        len(inside),
        fmean(pair.predicted for pair in inside),
        fmean(pair.gold for pair in inside),
        sum(pair.correct for pair in inside),
    )
