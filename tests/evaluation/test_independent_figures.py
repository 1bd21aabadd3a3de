"""Figures of a report against a second computation that shares no code with the first: loops, counts and own draws."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import floor
from random import Random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as quickly
from hypothesis import strategies as st

from core.statistics import IntervalConfig, rank_intervals
from evaluation.acceptance_curve import unanimous_curve
from evaluation.calibration import bins_of, calibration_error
from evaluation.measures import Pair
from tests.evaluation.test_acceptance_curve import entry

CONFIG = IntervalConfig(seed=1, resamples=4000)


@quickly(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 64), st.integers(0, 7)), min_size=1, max_size=40))
def test_calibration(cases: list[tuple[int, int]]) -> None:
    """Bins of a quarter, one of 1 alone: mean prediction, mean truth, and their difference weighed by proofs."""
    pairs = [
        Pair(f"p{n}", f"p{n}", "s", f"{n}", verdicts / 64, verdicts == 64, points / 7)
        for n, (verdicts, points) in enumerate(cases)
    ]
    groups: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for verdicts, points in cases:
        groups[floor(4 * verdicts / 64)].append((verdicts / 64, points / 7))
    bins = bins_of(pairs)
    assert [one.count for one in bins] == [len(groups[number]) for number in sorted(groups)]
    for one, number in zip(bins, sorted(groups), strict=True):
        assert one.low == number / 4
        assert one.predicted == pytest.approx(sum(x for x, _ in groups[number]) / len(groups[number]))
        assert one.gold == pytest.approx(sum(y for _, y in groups[number]) / len(groups[number]))
        assert one.correct == sum(y == 1 for _, y in groups[number])
    error = sum(abs(sum(x - y for x, y in group)) for group in groups.values()) / len(cases)
    assert calibration_error(bins) == pytest.approx(error)


def _drawn_ranks(scores: Mapping[str, Mapping[str, float]], draws: int) -> dict[str, Counter[int]]:
    """Ranks of the entrants in resamples of the problems, one problem after the other."""
    generator, problems = Random(8), sorted({problem for own in scores.values() for problem in own})
    found: dict[str, Counter[int]] = {name: Counter() for name in scores}
    for _ in range(draws):
        drawn = generator.choices(problems, k=len(problems))
        means = {name: fmean(own[problem] for problem in drawn if problem in own) for name, own in scores.items()}
        for name, mean in means.items():
            found[name][1 + sum(other > mean + 1e-12 for other in means.values())] += 1
    return found


def test_rank_intervals() -> None:
    """The lowest and highest rank hold the middle 95 %: at most 2.5 % of the ranks are below, and 2.5 % above."""
    generator = Random(4)
    levels = {"best": 0.72, "second": 0.68, "third": 0.6, "last": 0.3}
    scores = {name: {f"p{n}": float(generator.random() < level) for n in range(80)} for name, level in levels.items()}
    drawn, intervals = _drawn_ranks(scores, 3000), rank_intervals(scores, CONFIG)
    for name, (rank, low, high) in intervals.items():
        means = {other: fmean(own.values()) for other, own in scores.items()}
        assert rank == 1 + sum(mean > means[name] for mean in means.values())
        share = {each: count / 3000 for each, count in drawn[name].items()}
        assert sum(part for each, part in share.items() if each < low) <= 0.03
        assert sum(part for each, part in share.items() if each > high) <= 0.03
        assert sum(part for each, part in share.items() if each <= low) >= 0.02
        assert sum(part for each, part in share.items() if each >= high) >= 0.02


def _drawn_interval(values: Sequence[float], clusters: Sequence[int], draws: int) -> tuple[float, float]:
    groups: dict[int, list[float]] = defaultdict(list)
    for value, cluster in zip(values, clusters, strict=True):
        groups[cluster].append(value)
    generator = np.random.default_rng(11)
    names = list(groups)
    means = []
    for _ in range(draws):
        drawn = [value for place in generator.integers(len(names), size=len(names)) for value in groups[names[place]]]
        means.append(np.mean(drawn))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


@pytest.mark.parametrize("clusters", [60, 12])
def test_intervals_of_the_curve_of_unanimous_panels(clusters: int) -> None:
    """Shares over all panels of 3, counted one by one, with an interval over whole problems."""
    generator = Random(2)
    cases = [[float(generator.random() < 0.85) for _ in range(6)] for _ in range(60)]
    entries = [entry(n % clusters, list(scores), 0.0) for n, scores in enumerate(cases)]
    found = next(one for one in unanimous_curve(entries, "human", CONFIG) if one.size == 3).false_accepts
    values = []
    for scores in cases:
        panels = [scores[a] * scores[b] * scores[c] for a in range(6) for b in range(a) for c in range(b)]
        values.append(sum(panels) / len(panels))
    low, high = _drawn_interval(values, [n % clusters for n in range(60)], 3000)
    assert found.value == pytest.approx(sum(values) / 60)
    assert (found.n, found.clusters) == (60, clusters)
    assert found.low == pytest.approx(low, abs=0.012)
    assert found.high == pytest.approx(high, abs=0.012)
