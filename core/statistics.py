"""Statistics: means, shares and differences with intervals, agreement of graders, sign test. Pure functions, no torch.

Observations that are alone in their cluster (one answer to one problem) are independent: Wilson's interval for a share.
Several observations of one cluster are not: the percentile bootstrap that draws whole clusters (Cameron, Gelbach and
Miller 2008), from an explicit seed.

Shapes: C clusters, R resamples, S sums.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import comb, isfinite, sqrt
from statistics import NormalDist
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import STRICT, Count, Positive, settings

Method = Literal["wilson", "bootstrap", "none"]
_CACHED = 1000  # clusters up to which draws are kept for the next estimate: 16 MB for 2,000 resamples
_BLOCK = 256  # resamples drawn together beyond that, which bounds the memory
_NO_SPREAD = 1e-12


@settings(frozen=True, config=STRICT)
class IntervalConfig:
    """``resamples`` of the clusters with this ``seed``; an interval holds the middle ``level`` of them."""

    seed: Count = 0
    resamples: Positive = 2000
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95


DEFAULT = IntervalConfig()


@dataclass(frozen=True, slots=True)
class Observation:
    """One observed value and the cluster (a problem, a theorem) that it shares with others.

    ``weight``: the most that ``value`` can be where it counts points; a plain mean has weights of 1.
    """

    cluster: Hashable
    value: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval. ``n``: observations, of so many ``clusters``.

    ``value`` is None where nothing was observed; ``low`` and ``high`` are None where there is no interval (``method``
    is ``none``). ``source``: the file that it was computed from, where one is named.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
    method: Method
    source: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, for JSON."""
        return asdict(self)


def wilson(successes: float, count: float, level: float = DEFAULT.level) -> tuple[float, float]:
    """Score interval of a share (Wilson 1927). Raises ValueError for a count below 1."""
    if count < 1:
        raise ValueError(f"wilson: count={count}, it must be at least 1")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / count
    center = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    # At 0 and 1 rounding would leave the share itself outside by an ulp.
    return min(max(0.0, center - half), share), max(min(1.0, center + half), share)


def share(observations: Iterable[Observation], source: str = "", config: IntervalConfig = DEFAULT) -> Estimate:
    """Sum of values over sum of weights, where each value is between 0 and its weight.

    Wilson's interval for independent successes and failures. A share of exactly 0 or 1 has no spread to resample:
    Wilson's interval with the number of clusters as the count.
    """
    observed = list(observations)
    clusters = len({one.cluster for one in observed})
    independent = clusters == len(observed) and all(one.weight == 1 and one.value in (0, 1) for one in observed)
    constant = all(one.value == 0 for one in observed) or all(one.value == one.weight for one in observed)
    if observed and (independent or constant):
        value = sum(one.value for one in observed) / sum(one.weight for one in observed)
        low, high = wilson(value * clusters, clusters, config.level)
        return Estimate(value, low, high, len(observed), clusters, "wilson", source)
    return mean(observed, source, config)


def mean(observations: Iterable[Observation], source: str = "", config: IntervalConfig = DEFAULT) -> Estimate:
    """Sum of values over sum of weights. Without spread between at least two clusters there is no interval."""
    observed = list(observations)
    if not observed:
        return Estimate(None, None, None, 0, 0, "none", source)
    sums_C2 = np.array(list(totals(observed).values()))
    return bootstrap(sums_C2, _ratio, len(observed), source, config)


def difference(
    observations: Iterable[Observation],
    baseline: Iterable[Observation],
    source: str = "",
    config: IntervalConfig = DEFAULT,
) -> Estimate:
    """Mean of ``observations`` less that of ``baseline``, paired: only clusters that both have, drawn together.

    ``n`` counts the observations that are compared, without those of the baseline.
    """
    observed = list(observations)
    sums, baseline_sums = totals(observed), totals(baseline)
    shared = [cluster for cluster in sums if cluster in baseline_sums]
    if not shared:
        return Estimate(None, None, None, 0, 0, "none", source)
    sums_C4 = np.array([(*sums[cluster], *baseline_sums[cluster]) for cluster in shared])
    n = sum(one.cluster in baseline_sums for one in observed)
    return bootstrap(sums_C4, lambda sums: _ratio(sums[..., :2]) - _ratio(sums[..., 2:]), n, source, config)


def correlation(
    pairs: Iterable[tuple[Hashable, float, float]], source: str = "", config: IntervalConfig = DEFAULT
) -> Estimate:
    """Pearson's correlation of x and y in (cluster, x, y); the value is None where either has no spread."""
    sums: dict[Hashable, NDArray[np.float64]] = {}
    n = 0
    for cluster, x, y in pairs:
        sums[cluster] = sums.get(cluster, np.zeros(6)) + np.array((1.0, x, y, x * x, y * y, x * y))
        n += 1
    if not n:
        return Estimate(None, None, None, 0, 0, "none", source)
    return bootstrap(np.array(list(sums.values())), _pearson, n, source, config)


def totals(observations: Iterable[Observation]) -> Mapping[Hashable, tuple[float, float]]:
    """Sum of values and sum of weights of each cluster, in order of first appearance."""
    found: dict[Hashable, tuple[float, float]] = {}
    for one in observations:
        value, weight = found.get(one.cluster, (0.0, 0.0))
        found[one.cluster] = value + one.value, weight + one.weight
    return found


def bootstrap(
    sums_CS: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    n: int,
    source: str = "",
    config: IntervalConfig = DEFAULT,
) -> Estimate:
    """Percentile interval of a statistic of sums, whole clusters drawn with replacement.

    ``statistic`` maps (..., S) totals to (...); resamples for which it is not a number are left out.
    """
    clusters = len(sums_CS)
    value = float(statistic(sums_CS.sum(axis=0)))
    if not isfinite(value):
        return Estimate(None, None, None, n, clusters, "none", source)
    values_R = np.concatenate([statistic(draws_RC @ sums_CS) for draws_RC in _draws(clusters, config)])
    values_R = values_R[np.isfinite(values_R)]
    tail = (1 - config.level) / 2
    low, high = (float(bound) for bound in np.quantile(values_R, (tail, 1 - tail))) if len(values_R) else (value, value)
    if clusters < 2 or high - low <= _NO_SPREAD:
        return Estimate(value, None, None, n, clusters, "none", source)
    return Estimate(value, low, high, n, clusters, "bootstrap", source)


def cohens_kappa(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa of two graders' labels of the same things (Cohen 1960).

    None without pairs, or where both give one and the same label to everything: chance agrees then too.
    """
    n = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum(first[label] * second[label] for label in first) / n**2 if n else 1.0
    if expected == 1.0:
        return None
    observed = sum(a == b for a, b in pairs) / n
    return (observed - expected) / (1.0 - expected)


def kappa(
    pairs: Iterable[tuple[Hashable, float, float]],
    weights: Literal["none", "quadratic"] = "none",
    source: str = "",
    config: IntervalConfig = DEFAULT,
) -> Estimate:
    """Cohen's kappa of the labels x and y in (cluster, x, y), plain or with quadratic weights (Cohen 1960, 1968).

    Quadratic weights take the labels as numbers: a disagreement counts by the square of its size. The value is None
    where both give one and the same label to everything.
    """
    found = list(pairs)
    labels = sorted({label for _, x, y in found for label in (x, y)})
    if not found:
        return Estimate(None, None, None, 0, 0, "none", source)
    place = {label: number for number, label in enumerate(labels)}
    sums: dict[Hashable, NDArray[np.float64]] = {}
    for cluster, x, y in found:
        counts = sums.setdefault(cluster, np.zeros(len(labels) ** 2))
        counts[place[x] * len(labels) + place[y]] += 1
    values = np.array(labels)
    distance = (values[:, None] - values[None, :]) ** 2
    penalty = distance if weights == "quadratic" else (distance > 0).astype(float)
    return bootstrap(np.array(list(sums.values())), lambda counts: _kappa(counts, penalty), len(found), source, config)


def rank_intervals(
    scores: Mapping[str, Mapping[str, float]],
    config: IntervalConfig = DEFAULT,
    clusters: Mapping[str, Hashable] | None = None,
) -> dict[str, tuple[int, int, int]]:
    """Rank of each entrant by its mean score over problems, with the ranks that hold the middle of the resamples.

    Clusters of problems (by ``clusters``; None: each by itself) are drawn for all entrants together; an entrant's mean
    is over the drawn problems that it has a score for. Equal means share the better rank.
    """
    problems = list(dict.fromkeys(problem for own in scores.values() for problem in own))
    if not problems:
        return {}
    names = [problem if clusters is None else clusters[problem] for problem in problems]
    place = {name: number for number, name in enumerate(dict.fromkeys(names))}
    known_CE, scores_CE = np.zeros((2, len(place), len(scores)))
    for problem, name in zip(problems, names, strict=True):
        for column, own in enumerate(scores.values()):
            if problem in own:
                known_CE[place[name], column] += 1
                scores_CE[place[name], column] += own[problem]

    def ranks(draws: NDArray[np.float64]) -> NDArray[np.int64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            means = np.nan_to_num((draws @ scores_CE) / (draws @ known_CE), nan=-1.0)
        return 1 + (means[..., None, :] > means[..., :, None] + _NO_SPREAD).sum(axis=-1)

    observed = ranks(np.ones(len(place)))
    drawn_RE = np.concatenate([ranks(draws) for draws in _draws(len(place), config)])
    tail = (1 - config.level) / 2
    low = np.quantile(drawn_RE, tail, axis=0, method="lower")
    high = np.quantile(drawn_RE, 1 - tail, axis=0, method="higher")
    return {name: (int(observed[n]), int(low[n]), int(high[n])) for n, name in enumerate(scores)}


def sign_test(better: int, worse: int) -> float:
    """Two-sided p of the sign test: the chance that a fair coin splits as unevenly."""
    n, fewer = better + worse, min(better, worse)
    return min(1.0, 2 * sum(comb(n, k) for k in range(fewer + 1)) / 2**n) if n else 1.0


def _kappa(counts: NDArray[np.float64], penalty: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kappa of confusion matrices (..., K * K) by a penalty (K, K) of disagreements; nan where chance has none."""
    size = len(penalty)
    matrix = counts.reshape(*counts.shape[:-1], size, size)
    total = matrix.sum(axis=(-2, -1))
    expected = matrix.sum(axis=-1)[..., :, None] * matrix.sum(axis=-2)[..., None, :]
    by_chance = (expected * penalty).sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(by_chance > 0, 1 - (matrix * penalty).sum(axis=(-2, -1)) * total / by_chance, np.nan)


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[..., 0] / sums[..., 1]


def _pearson(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    variance_x, variance_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
    spread = np.sqrt(np.where(np.minimum(variance_x, variance_y) > _NO_SPREAD, variance_x * variance_y, np.nan))
    return (xy / n - x * y / n**2) / spread


def _draws(clusters: int, config: IntervalConfig) -> Iterable[NDArray[np.float64]]:
    """Blocks of resamples, each (R, C): the number of times that each cluster is drawn."""
    if clusters <= _CACHED:
        return (_cached_draws(clusters, config.seed, config.resamples),)
    generator, chance_C = np.random.default_rng(config.seed), np.full(clusters, 1 / clusters)
    sizes = (min(_BLOCK, config.resamples - start) for start in range(0, config.resamples, _BLOCK))
    return (generator.multinomial(clusters, chance_C, size=size).astype(np.float64) for size in sizes)


@lru_cache(maxsize=8)
def _cached_draws(clusters: int, seed: int, resamples: int) -> NDArray[np.float64]:
    draws = np.random.default_rng(seed).multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    return draws.astype(np.float64)
