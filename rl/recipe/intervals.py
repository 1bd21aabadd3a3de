"""Shares and means with 95 % intervals. Pure functions, no torch.

Items that are alone with their theorem are independent: Wilson's interval for a share. Several answers to one theorem
are not: the percentile bootstrap that draws whole theorems (Cameron, Gelbach and Miller 2008), from an explicit seed.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import nan, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Z = 1.959963984540054  # of the normal distribution at 0.975
RESAMPLES = 2000
SEED = 0
Method = Literal["wilson", "bootstrap", "none"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing counted: its value, and the cluster (a theorem) it shares with others."""

    cluster: Hashable
    value: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 95 % interval, where there is one: ``items`` counted, of ``clusters`` theorems.

    ``value`` is None where nothing could be counted. ``source``: the file within the run.
    """

    value: float | None
    low: float | None
    high: float | None
    items: int
    clusters: int
    method: Method
    source: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def wilson(successes: float, count: float, z: float = Z) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927). Raises ValueError for a count below 1."""
    if count < 1:
        raise ValueError("a share of nothing has no interval")
    share = successes / count
    center = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    # At 0 and 1 rounding would leave the share itself outside by an ulp.
    return min(max(0.0, center - half), share), max(min(1.0, center + half), share)


def share(items: Iterable[Item], source: str, seed: int = SEED) -> Figure:
    """The share of items of value 1; all values are 0 or 1.

    A share of exactly 0 or 1 has no spread to draw from: Wilson's interval, with the number of theorems as the count.
    """
    counted = list(items)
    clusters = len({item.cluster for item in counted})
    total = sum(item.value for item in counted)
    if counted and (clusters == len(counted) or total in (0, len(counted))):
        value = total / len(counted)
        return Figure(value, *wilson(value * clusters, clusters), len(counted), clusters, "wilson", source)
    return mean(counted, source, seed)


def mean(items: Iterable[Item], source: str, seed: int = SEED) -> Figure:
    """The mean of all items. Without spread between at least two theorems there is no interval."""
    counted = list(items)
    sums = totals(counted)
    if not counted:
        return Figure(None, None, None, 0, 0, "none", source)
    value = float(sum(item.value for item in counted) / len(counted))
    sums_C, counts_C = np.array(list(sums.values())).T  # C theorems
    resamples_RC = resampled(len(sums), seed)
    return _figure(value, resamples_RC @ sums_C / (resamples_RC @ counts_C), len(counted), len(sums), source)


def difference(items: Iterable[Item], others: Iterable[Item], source: str, seed: int = SEED) -> Figure:
    """Mean of ``items`` less that of ``others``, paired by theorem: only theorems that both have, drawn together."""
    ours, theirs = totals(items), totals(others)
    shared = [cluster for cluster in ours if cluster in theirs]
    if not shared:
        return Figure(None, None, None, 0, 0, "none", source)
    sums_C, counts_C = np.array([ours[cluster] for cluster in shared]).T
    other_sums_C, other_counts_C = np.array([theirs[cluster] for cluster in shared]).T
    value = float(sums_C.sum() / counts_C.sum() - other_sums_C.sum() / other_counts_C.sum())
    draws_RC = resampled(len(shared), seed)
    found_R = draws_RC @ sums_C / (draws_RC @ counts_C) - draws_RC @ other_sums_C / (draws_RC @ other_counts_C)
    return _figure(value, found_R, int(counts_C.sum()), len(shared), source)


def totals(items: Iterable[Item]) -> Mapping[Hashable, tuple[float, int]]:
    """Of each cluster, in the order they come: the sum of its values, and their number."""
    found: dict[Hashable, tuple[float, int]] = {}
    for item in items:
        total, count = found.get(item.cluster, (0.0, 0))
        found[item.cluster] = total + item.value, count + 1
    return found


@lru_cache(maxsize=16)
def resampled(clusters: int, seed: int) -> NDArray[np.float64]:
    """How often each cluster is drawn in each resample, (RESAMPLES, clusters)."""
    draws = np.random.default_rng(seed).multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES)
    return draws.astype(np.float64)


def _figure(value: float, found_R: NDArray[np.float64], items: int, clusters: int, source: str) -> Figure:
    low, high = (float(bound) for bound in np.quantile(found_R, (0.025, 0.975))) if clusters > 1 else (nan, nan)
    if not high - low > 1e-12:
        return Figure(value, None, None, items, clusters, "none", source)
    return Figure(value, low, high, items, clusters, "bootstrap", source)
