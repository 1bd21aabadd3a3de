"""How well a grader agrees with a better one, from sums over proofs, so that resampling problems is cheap.

Shapes: C problems (clusters), R resamples, S sums (``SUMS``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from core.config import STRICT, Count, Positive, settings

SUMS = ("n", "accepted", "right", "hits", "same_class", "error", "x", "y", "xx", "yy", "xy")  # see `sums_of`
_AT_ONCE = 256  # resamples drawn together, which bounds the memory


@settings(frozen=True, config=STRICT)
class IntervalConfig:
    """``resamples`` of the problems with this ``seed``; the middle ``level`` of them is the interval."""

    seed: Count = 0
    resamples: Positive = 2000
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95


@dataclass(frozen=True, slots=True)
class Pair:
    """A proof that both graders marked, on 0..1. ``accepted`` by the one, ``gold`` by the better one."""

    problem_id: str
    problem: str
    source: str
    proof_id: str
    predicted: float
    accepted: bool
    gold: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval; NaN where it is undefined (no proof accepted, no spread)."""

    value: float
    low: float
    high: float


def rubric_class(score: float, half_at: float) -> float:
    """The class of the rubric: 1 for full marks alone, 0.5 from ``half_at`` on, else 0."""
    return 1.0 if score >= 1.0 else 0.5 if score >= half_at else 0.0


def sums_of(pairs: Sequence[Pair], half_at: float) -> np.ndarray:
    """[C, S] sums over the proofs of each problem: number, accepted, right, both, same class, |error|, ..."""
    rows: dict[str, np.ndarray] = {}
    for pair in pairs:
        x, y, right = pair.predicted, pair.gold, pair.gold >= 1.0
        same = rubric_class(x, half_at) == rubric_class(y, half_at)
        values = (1, pair.accepted, right, pair.accepted and right, same, abs(x - y), x, y, x * x, y * y, x * y)
        rows[pair.problem_id] = rows.get(pair.problem_id, np.zeros(len(SUMS))) + np.array(values, dtype=float)
    return np.array(list(rows.values())).reshape(-1, len(SUMS))


def measures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Measures of [..., S] sums: precision and recall at acceptance, three-class accuracy, mean absolute error, r."""
    s: dict[str, np.ndarray] = dict(zip(SUMS, np.moveaxis(sums, -1, 0), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = s["xy"] / s["n"] - s["x"] * s["y"] / s["n"] ** 2
        variances = [s[2 * name] / s["n"] - (s[name] / s["n"]) ** 2 for name in "xy"]
        spread = np.sqrt(np.where(np.minimum(*variances) > 1e-12, variances[0] * variances[1], np.nan))
        return {
            "precision": s["hits"] / s["accepted"],
            "recall": s["hits"] / s["right"],
            "three-class accuracy": s["same_class"] / s["n"],
            "mean absolute error": s["error"] / s["n"],
            "correlation": covariance / spread,
        }


def estimates(pairs: Sequence[Pair], half_at: float, config: IntervalConfig) -> Mapping[str, Estimate]:
    """Each measure with a bootstrap interval that resamples whole problems (proofs of one problem go together)."""
    sums = sums_of(pairs, half_at)
    point = measures(sums.sum(axis=0))
    drawn = measures(resampled(sums, config))
    return {name: _estimate(float(value), drawn[name], config.level) for name, value in point.items()}


def resampled(sums: np.ndarray, config: IntervalConfig) -> np.ndarray:
    """[R, S] totals of problems drawn with replacement from [C, S]."""
    clusters, generator = len(sums), np.random.default_rng(config.seed)
    shares = np.full(clusters, 1 / clusters)
    parts = [
        generator.multinomial(clusters, shares, size=min(_AT_ONCE, config.resamples - start)) @ sums
        for start in range(0, config.resamples, _AT_ONCE)
    ]
    return np.concatenate(parts)


def ratio(values: Sequence[tuple[float, float]], config: IntervalConfig) -> Estimate:
    """Sum over sum, such as points over possible points, of (numerator, denominator) of each problem."""
    sums = np.array(values, dtype=float).reshape(-1, 2)
    if not len(sums) or not sums[:, 1].sum():
        return Estimate(np.nan, np.nan, np.nan)
    drawn = resampled(sums, config)
    with np.errstate(divide="ignore", invalid="ignore"):
        point = sums[:, 0].sum() / sums[:, 1].sum()
        return _estimate(float(point), drawn[:, 0] / drawn[:, 1], config.level)


def mean_difference(left: Mapping[str, float], right: Mapping[str, float], config: IntervalConfig) -> Estimate:
    """Mean of ``right - left`` over the problems that both hold, resampled in pairs."""
    return ratio([(right[name] - left[name], 1.0) for name in sorted(left.keys() & right.keys())], config)


def constant_baseline(pairs: Sequence[Pair], half_at: float) -> Mapping[str, float]:
    """What a judge reaches that never reads: it accepts everything, or says the commonest class, or the median."""
    golds = np.array([pair.gold for pair in pairs])
    classes = [rubric_class(gold, half_at) for gold in golds]
    return {
        "precision": float(np.mean(golds >= 1.0)),
        "recall": 1.0 if (golds >= 1.0).any() else np.nan,
        "three-class accuracy": max(classes.count(value) for value in set(classes)) / len(classes),
        "mean absolute error": float(np.mean(np.abs(golds - np.median(golds)))),
        "correlation": np.nan,
    }


def _estimate(point: float, drawn: np.ndarray, level: float) -> Estimate:
    drawn = drawn[~np.isnan(drawn)]
    if np.isnan(point) or not len(drawn):
        return Estimate(point, np.nan, np.nan)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(point, float(low), float(high))
