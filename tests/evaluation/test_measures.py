"""Agreement figures against plain recomputation, and intervals that resample whole problems."""

import math
from statistics import correlation, fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.calibration import bins_of, calibration_error
from evaluation.measures import (
    IntervalConfig,
    Pair,
    constant_baseline,
    estimates,
    mean_difference,
    ratio,
    rubric_class,
    sums_of,
)

QUICK = IntervalConfig(resamples=300)
marks = st.sampled_from([0.0, 1 / 7, 0.25, 0.5, 6 / 7, 1.0])


def pair(problem: str, predicted: float, gold: float) -> Pair:
    return Pair(problem, problem, "s", f"{problem}-proof", predicted, predicted == 1.0, gold)


pairs = st.lists(st.builds(pair, st.sampled_from("abcdef"), marks, marks), min_size=1, max_size=30)


@given(pairs)
def test_figures_are_those_of_their_definitions(found: list[Pair]) -> None:
    measured = estimates(found, 0.5, QUICK)
    accepted = [each.gold == 1.0 for each in found if each.accepted]
    right = [each.accepted for each in found if each.gold == 1.0]
    for name, values in (("precision", accepted), ("recall", right)):
        assert measured[name].value == pytest.approx(fmean(values) if values else math.nan, nan_ok=True)
    same = [rubric_class(each.predicted, 0.5) == rubric_class(each.gold, 0.5) for each in found]
    assert measured["three-class accuracy"].value == pytest.approx(fmean(same))
    assert measured["mean absolute error"].value == pytest.approx(fmean(abs(p.predicted - p.gold) for p in found))
    x, y = [each.predicted for each in found], [each.gold for each in found]
    expected = correlation(x, y) if len(set(x)) > 1 and len(set(y)) > 1 else math.nan
    assert measured["correlation"].value == pytest.approx(expected, nan_ok=True, abs=1e-6)
    for estimate in measured.values():
        assert math.isnan(estimate.low) or 0.0 - 1e-9 <= estimate.low + 1 <= estimate.high + 1 + 1e-9


@given(pairs)
def test_the_constant_is_never_better_than_truth_and_calibration_counts_every_proof(found: list[Pair]) -> None:
    truth = [Pair(p.problem_id, p.problem, p.source, p.proof_id, p.gold, p.gold == 1.0, p.gold) for p in found]
    perfect, constant = estimates(truth, 0.5, QUICK), constant_baseline(found, 0.5)
    assert perfect["three-class accuracy"].value == 1.0 >= constant["three-class accuracy"]
    assert perfect["mean absolute error"].value == 0.0 <= constant["mean absolute error"]
    assert sum(each.count for each in bins_of(found)) == len(found)
    assert calibration_error(bins_of(truth)) == pytest.approx(0.0)


def test_proofs_of_one_problem_are_drawn_together() -> None:
    # Ten copies of each proof tell nothing new: the interval of the problems stays as wide as it was.
    once = [pair(str(number), 1.0, float(number % 2)) for number in range(20)]
    wide, copied = (estimates(found, 0.5, QUICK)["precision"] for found in (once, once * 10))
    assert (copied.low, copied.high) == (wide.low, wide.high)
    apart = [pair(f"{p.problem_id}-{copy}", 1.0, p.gold) for p in once for copy in range(10)]
    narrow = estimates(apart, 0.5, QUICK)["precision"]
    assert narrow.high - narrow.low < 0.5 * (wide.high - wide.low)


def test_intervals_follow_from_their_seed_and_cover_the_truth() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for trial in range(60):
        golds = generator.random(40) < 0.7
        found = [pair(str(number), 1.0, float(gold)) for number, gold in enumerate(golds)]
        config = IntervalConfig(seed=trial, resamples=400)
        estimate = estimates(found, 0.5, config)["precision"]
        assert estimate == estimates(found, 0.5, config)["precision"]
        covered += estimate.low <= 0.7 <= estimate.high
    assert covered >= 50  # 57 of 60 expected


def test_a_paired_difference_is_narrower_than_its_sides() -> None:
    left = {str(number): float(number % 2) for number in range(40)}
    right = {name: value * 0.9 + 0.05 for name, value in left.items()} | {"only here": 1.0}
    difference = mean_difference(left, right, QUICK)
    side = ratio([(value, 1.0) for value in left.values()], QUICK)
    assert difference.value == pytest.approx(0.0)
    assert difference.high - difference.low < 0.2 * (side.high - side.low)


def test_nothing_gives_no_figure() -> None:
    assert math.isnan(ratio([], QUICK).value)
    assert math.isnan(estimates([pair("a", 0.5, 0.5)], 0.5, QUICK)["precision"].value)
    assert sums_of([], 0.5).shape == (0, 11)
