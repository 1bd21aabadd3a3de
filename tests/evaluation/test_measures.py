"""Agreement measures against their definitions, and whole problems as clusters."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics import Estimate, IntervalConfig, Observation, share
from evaluation.calibration import bins_of, calibration_error
from evaluation.measures import Pair, constant_baseline, estimates, rubric_class
from evaluation.scores import compared

QUICK = IntervalConfig(resamples=300)
scores = st.sampled_from([0.0, 1 / 7, 0.25, 0.5, 6 / 7, 1.0])


def width(estimate: Estimate) -> float:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.high - estimate.low


def pair(problem: str, predicted: float, gold: float) -> Pair:
    return Pair(problem, problem, "s", f"{problem}-proof", predicted, predicted == 1.0, gold)


pairs = st.lists(st.builds(pair, st.sampled_from("abcdef"), scores, scores), min_size=1, max_size=30)


@given(pairs)
def test_measures_follow_their_definitions(found: list[Pair]) -> None:
    measured = estimates(found, 0.5, QUICK)
    accepted = [each.gold == 1.0 for each in found if each.accepted]
    right = [each.accepted for each in found if each.gold == 1.0]
    for name, values in (("precision", accepted), ("recall", right)):
        assert measured[name].value == (pytest.approx(fmean(values)) if values else None)
    same = [rubric_class(each.predicted, 0.5) == rubric_class(each.gold, 0.5) for each in found]
    assert measured["three-class accuracy"].value == pytest.approx(fmean(same))
    assert measured["mean absolute error"].value == pytest.approx(fmean(abs(p.predicted - p.gold) for p in found))
    for estimate in measured.values():
        assert estimate.low is None or estimate.high is None or estimate.low <= estimate.high


@given(pairs)
def test_the_constant_is_never_better_than_truth_and_calibration_counts_every_proof(found: list[Pair]) -> None:
    truth = [Pair(p.cluster, p.problem, p.source, p.proof_id, p.gold, p.gold == 1.0, p.gold) for p in found]
    perfect, constant = estimates(truth, 0.5, QUICK), constant_baseline(found, 0.5)
    assert perfect["three-class accuracy"].value == 1.0 >= (constant["three-class accuracy"] or 0.0)
    assert perfect["mean absolute error"].value == 0.0 <= (constant["mean absolute error"] or 0.0)
    assert sum(each.count for each in bins_of(found)) == len(found)
    assert calibration_error(bins_of(truth)) == pytest.approx(0.0)


def test_proofs_of_one_problem_are_drawn_together() -> None:
    once = [pair(str(number), 1.0, float(number % 2)) for number in range(20)]
    apart = [pair(f"{p.cluster}-{copy}", 1.0, p.gold) for p in once for copy in range(10)]
    copied, independent = (estimates(found, 0.5, QUICK)["precision"] for found in (once * 10, apart))
    assert (copied.n, copied.clusters, independent.clusters) == (200, 20, 200)
    assert width(independent) < 0.5 * width(copied)


def test_a_paired_difference_is_narrower_than_its_sides() -> None:
    left = {str(number): float(number % 2) for number in range(40)}
    right = {name: value * 0.9 + 0.05 for name, value in left.items()} | {"only here": 1.0}
    difference = compared(left, right, QUICK, {name: name for name in left})
    assert difference.value == pytest.approx(0.0)
    assert width(difference) < 0.2 * width(share([Observation(name, value) for name, value in left.items()]))


def test_a_measure_without_proofs_has_no_value() -> None:
    assert estimates([pair("a", 0.5, 0.5)], 0.5, QUICK)["precision"].value is None
