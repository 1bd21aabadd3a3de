"""Estimates and tests against numbers worked out by hand, and intervals against what they promise."""

from math import isclose, sqrt
from random import Random
from statistics import correlation as pearson

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.statistics import (
    Estimate,
    IntervalConfig,
    Observation,
    cohens_kappa,
    correlation,
    difference,
    kappa,
    mean,
    rank_intervals,
    share,
    sign_test,
    wilson,
)

QUICK = IntervalConfig(resamples=300)


def width(estimate: Estimate) -> float:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.high - estimate.low


@given(st.integers(1, 500), st.data())
def test_wilson_bounds_solve_the_score_equation(count: int, data: st.DataObject) -> None:
    # The bounds are where the share is z standard errors of the bound away (Wilson 1927).
    successes = data.draw(st.integers(0, count))
    found, z = successes / count, 1.959963984540054
    low, high = wilson(successes, count)
    for bound in (low, high):
        if 1e-9 < bound < 1 - 1e-9:
            assert isclose(abs(found - bound), z * sqrt(bound * (1 - bound) / count), rel_tol=1e-6, abs_tol=1e-9)
    assert 0 <= low <= found <= high <= 1


def test_wilson_of_a_known_example() -> None:
    # 15 of 20: 0.531 to 0.888 (Newcombe 1998, method 3, gives the same formula).
    low, high = wilson(15, 20)
    assert (round(low, 3), round(high, 3)) == (0.531, 0.888)
    assert wilson(15, 20, level=0.5)[0] > low
    with pytest.raises(ValueError, match="count=0"):
        wilson(0, 0)


def test_observations_of_one_cluster_are_not_independent() -> None:
    once = share([Observation(n, float(n % 2)) for n in range(20)])
    repeated = share([Observation(n, float(n % 2)) for n in range(20) for _ in range(50)])
    assert (once.method, repeated.method) == ("wilson", "bootstrap")
    # A thousand answers to twenty problems say no more than twenty answers, up to the two methods' difference.
    assert abs(width(repeated) - width(once)) < 0.08
    assert (repeated.n, repeated.clusters, repeated.value) == (1000, 20, 0.5)
    apart = share([Observation((n, copy), float(n % 2)) for n in range(20) for copy in range(10)])
    assert width(apart) < 0.5 * width(repeated)


def test_a_share_of_none_is_no_certainty() -> None:
    found = share([Observation(n, 0.0) for n in range(10) for _ in range(4)])
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == wilson(0, 10)[1]
    full = share([Observation(n, 7.0, 7.0) for n in range(10) for _ in range(4)])
    assert (full.value, full.low, full.method) == (1.0, wilson(10, 10)[0], "wilson")
    assert mean([Observation(n, 0.5) for n in range(10)]).low is None


def test_nothing_observed_has_no_value() -> None:
    for estimate in (mean([]), share([]), correlation([]), difference([], [Observation(1, 1.0)])):
        assert estimate == Estimate(None, None, None, 0, 0, "none")


def test_points_are_weighed_by_what_is_possible() -> None:
    found = share([Observation("a", 3, 7), Observation("a", 7, 7), Observation("b", 10, 10)], "points.csv")
    assert found.value == pytest.approx(20 / 24)
    assert (found.n, found.clusters, found.method, found.source) == (3, 2, "bootstrap", "points.csv")
    assert share([Observation(n, float(n)) for n in (0, 1)]).method == "wilson"
    assert share([Observation(n, n / 2) for n in (0, 1, 2)]).method == "bootstrap"  # 1/2 is no success or failure


def test_the_bootstrap_is_the_same_every_time_and_by_its_seed() -> None:
    chance = Random(1)
    observed = [Observation(n, chance.random()) for n in range(30) for _ in range(3)]
    assert mean(observed) == mean(observed)
    assert mean(observed, config=IntervalConfig(seed=1)).low != mean(observed, config=IntervalConfig(seed=2)).low


def test_many_clusters_are_drawn_in_blocks_to_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(4)
    observed = [Observation(n, chance.random()) for n in range(50)]
    whole = mean(observed, config=QUICK)
    monkeypatch.setattr("core.statistics._CACHED", 10)
    blocks = mean(observed, config=QUICK)
    assert (blocks.value, blocks.low, blocks.high) == pytest.approx((whole.value, whole.low, whole.high))


def test_the_bootstrap_interval_of_a_mean_is_the_normal_one() -> None:
    chance = Random(2)
    found = mean([Observation(n, chance.gauss(0, 1)) for n in range(400)])
    assert abs(width(found) - 2 * 1.96 / 20) < 0.03


def test_intervals_cover_the_truth() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for trial in range(60):
        observed = [Observation(n % 40, float(right)) for n, right in enumerate(generator.random(80) < 0.7)]
        estimate = share(observed, config=IntervalConfig(seed=trial, resamples=400))
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0.7 <= estimate.high
    assert covered >= 50  # 57 of 60 expected


def test_differences_are_paired() -> None:
    chance = Random(3)
    before = [Observation(n, chance.gauss(0, 5)) for n in range(50)]
    after = [Observation(one.cluster, one.value + 1 + chance.gauss(0, 0.01)) for one in reversed(before)]
    found = difference(after, [*before, Observation("in the baseline alone", 99.0)])
    assert found.low is not None
    assert found.high is not None
    assert 0.98 < found.low < 1 < found.high < 1.02  # spread between clusters (5) falls out
    assert (found.n, found.clusters) == (50, 50)
    assert difference(before, [Observation("other", 1.0)]).value is None


@given(st.lists(st.tuples(st.sampled_from("abcdef"), *[st.sampled_from([0.0, 1 / 7, 0.5, 1.0])] * 2), min_size=2))
def test_correlation_is_pearsons(pairs: list[tuple[str, float, float]]) -> None:
    x, y = [pair[1] for pair in pairs], [pair[2] for pair in pairs]
    found = correlation(pairs, config=QUICK)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found.value is None
    else:
        assert found.value == pytest.approx(pearson(x, y), abs=1e-6)


def test_kappa_is_cohens() -> None:
    # Cohen's example has 20, 5, 10 and 15 items: observed 0.7, expected 0.5.
    pairs = [(1.0, 1.0)] * 20 + [(1.0, 0.0)] * 5 + [(0.0, 1.0)] * 10 + [(0.0, 0.0)] * 15
    assert cohens_kappa(pairs) == pytest.approx(0.4)
    assert cohens_kappa([]) is None
    assert cohens_kappa([(1.0, 1.0)]) is None
    assert cohens_kappa([(1.0, 0.0), (0.0, 1.0)]) == pytest.approx(-1.0)


def test_sign_test_by_hand() -> None:
    assert sign_test(0, 0) == 1.0
    assert sign_test(3, 3) == 1.0
    assert sign_test(0, 5) == pytest.approx(2 / 32)
    assert sign_test(5, 1) == pytest.approx(2 * (1 + 6) / 64)


labels = st.sampled_from([0.0, 1.0, 6.0, 7.0])
triples = st.lists(st.tuples(st.sampled_from("abcde"), labels, labels), min_size=1, max_size=40)


def kappa_by_definition(pairs: list[tuple[str, float, float]], *, quadratic: bool) -> float | None:
    """One less the ratio of observed to expected disagreement, over all pairs of items (Cohen 1968)."""

    def cost(x: float, y: float) -> float:
        return (x - y) ** 2 if quadratic else float(x != y)

    observed = sum(cost(x, y) for _, x, y in pairs) / len(pairs)
    expected = sum(cost(x, y) for _, x, _ in pairs for _, _, y in pairs) / len(pairs) ** 2
    return None if expected == 0 else 1 - observed / expected


@given(triples)
def test_kappa_is_the_definition_with_and_without_weights(pairs: list[tuple[str, float, float]]) -> None:
    for weights in ("none", "quadratic"):
        expected = kappa_by_definition(pairs, quadratic=weights == "quadratic")
        found = kappa(pairs, weights, config=QUICK)
        assert found.value == (None if expected is None else pytest.approx(expected, abs=1e-9))
        assert found.n == len(pairs)
        assert found.low is None or found.high is None or found.low <= found.high


def test_kappa_of_published_examples() -> None:
    # 20, 5, 10 and 15 items: plain kappa 0.4; with two labels the quadratic weights change nothing.
    counts = {(1.0, 1.0): 20, (1.0, 0.0): 5, (0.0, 1.0): 10, (0.0, 0.0): 15}
    pairs = [(n, x, y) for (x, y), times in counts.items() for n in range(times)]
    assert kappa(pairs).value == pytest.approx(0.4)
    assert kappa(pairs, "quadratic").value == pytest.approx(0.4)
    assert kappa(pairs).value == pytest.approx(cohens_kappa([(x, y) for _, x, y in pairs]))


def test_figures_of_other_libraries() -> None:
    # scikit-learn 1.9: cohen_kappa_score(x, y) and with labels=range(8), weights="quadratic"; mean_absolute_error.
    # SciPy: pearsonr(x, y), and binomtest(65, 72).proportion_ci(method="wilson").
    x, y = [0.0, 1.0, 6.0, 7.0, 7.0, 0.0], [0.0, 6.0, 6.0, 7.0, 1.0, 1.0]
    triple = [(n, a, b) for n, (a, b) in enumerate(zip(x, y, strict=True))]
    assert kappa(triple).value == pytest.approx(0.3571428571428571)
    assert kappa(triple, "quadratic").value == pytest.approx(0.4414414414414415)
    assert correlation(triple).value == pytest.approx(0.4440439190587468)
    assert mean([Observation(n, abs(a - b)) for n, a, b in triple]).value == 2.0
    assert wilson(65, 72) == pytest.approx((0.8126495420487314, 0.9521036800263443))
    assert wilson(15, 20) == pytest.approx((0.5312991223812561, 0.8881382985923344))


def test_the_bootstrap_interval_is_that_of_drawn_clusters() -> None:
    chance = Random(7)
    observed = [Observation(n // 3, float(chance.random() < 0.6)) for n in range(90)]
    found = mean(observed, config=IntervalConfig(resamples=4000))
    generator = np.random.default_rng(99)
    by_cluster = [[one.value for one in observed if one.cluster == cluster] for cluster in range(30)]
    drawn = [
        np.mean([value for place in generator.integers(30, size=30) for value in by_cluster[place]])
        for _ in range(4000)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)


def test_ranks_are_shared_by_equals_and_certain_where_one_is_better_everywhere() -> None:
    better = {str(n): 0.5 + n / 100 for n in range(30)}
    worse = {name: value - 0.2 for name, value in better.items()}
    assert rank_intervals({"worse": worse, "better": better}, QUICK) == {"worse": (2, 2, 2), "better": (1, 1, 1)}
    assert rank_intervals({"a": better, "b": dict(better)}, QUICK) == {"a": (1, 1, 1), "b": (1, 1, 1)}
    close = {name: value + (0.3 if int(name) % 2 else -0.29) for name, value in better.items()}
    assert rank_intervals({"steady": better, "close": close}, QUICK) == {"steady": (2, 1, 2), "close": (1, 1, 2)}
    assert rank_intervals({}, QUICK) == {}


def test_ranks_draw_whole_clusters() -> None:
    """Entrants that differ on one cluster alone: it is drawn or not, however many problems it has."""
    left = {str(n): 0.5 for n in range(40)}
    right = {name: 0.6 if int(name) < 20 else 0.5 for name in left}
    apart = rank_intervals({"left": left, "right": right}, QUICK)
    together = rank_intervals(
        {"left": left, "right": right}, QUICK, {name: "one" if int(name) < 20 else name for name in left}
    )
    assert (apart["left"], together["left"]) == ((2, 2, 2), (2, 1, 2))


def test_ranks_of_entrants_with_different_problems() -> None:
    found = rank_intervals({"a": {"1": 1.0, "2": 1.0}, "b": {"2": 0.0, "3": 0.0}}, QUICK)
    assert found["a"][0] == 1
    assert found["b"][0] == 2
