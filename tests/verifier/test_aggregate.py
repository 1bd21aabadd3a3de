"""Aggregation: what counts, what does not, and that an unparseable review gains a proof nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from refine.acceptance import AcceptanceConfig, decide
from tests.presets import ACCEPTANCE
from verifier.aggregate import Judged, Tally, sift, tally, validity

SCORES = (0.0, 0.5, 1.0, None)
score = st.sampled_from(SCORES)
judgments = st.lists(st.builds(Judged, st.uuids().map(str), score, st.lists(score, max_size=4).map(tuple)), max_size=8)
configs = st.builds(
    lambda use, bar: replace(ACCEPTANCE, use_reviews=use, confirm_at=bar),
    st.sampled_from(["ignore", "filter", "weight"]),
    st.sampled_from([0.5, 1.0]),
)
FILTER = ACCEPTANCE
IGNORE, WEIGHT = (replace(ACCEPTANCE, use_reviews=name) for name in ("ignore", "weight"))
numbers = count()


def judged(score: float | None, *reviews: float | None) -> Judged:
    return Judged(f"a{next(numbers)}", score, reviews)


def mean(config: AcceptanceConfig, *analyses: Judged) -> float | None:
    return tally(analyses, config).mean


@pytest.mark.parametrize(
    ("reviews", "expected"),
    [
        ((), "open"),
        ((None,), "open"),
        ((1,), "confirmed"),
        ((0.5,), "refuted"),
        ((1, 0), "open"),
        ((1, None), "open"),
        ((0, None), "open"),
        ((1, 1, 0), "confirmed"),
        ((1, 1, None), "confirmed"),
        ((1, 0, 0), "refuted"),
        ((None, 0, 0), "refuted"),
        ((None, None, 0), "open"),
        ((None, None, 1), "open"),
        ((1, 0, None), "open"),
    ],
)
def test_validity(reviews: tuple[float | None, ...], expected: str) -> None:
    assert validity(judged(0.0, *reviews)) == expected


def test_a_lower_bar_confirms_more() -> None:
    assert validity(judged(0.0, 0.5), confirm_at=0.5) == "confirmed"
    assert validity(judged(0.0, 0.5), confirm_at=0.6) == "refuted"


def test_no_analyses_say_nothing() -> None:
    nothing = Tally(mean=None, std=None, verdicts=0, perfect=0, unparseable=0, identical=0, refuted=0)
    assert tally([], FILTER) == nothing
    assert tally([judged(None), judged(None, 1.0)], FILTER) == replace(nothing, unparseable=2)
    assert not decide([], FILTER).accepted


def test_an_unparseable_analysis_is_not_a_zero() -> None:
    result = tally([judged(1), judged(0.5), judged(None)], FILTER)
    assert (result.mean, result.std, result.verdicts, result.perfect) == (0.75, 0.25, 2, 1)
    assert result.unparseable == 1


def test_what_each_use_of_reviews_does() -> None:
    analyses = [judged(1), judged(0, 0, 0, 1), judged(0.5, 1)]
    assert mean(IGNORE, *analyses) == 0.5
    assert mean(FILTER, *analyses) == 0.75
    assert mean(WEIGHT, *analyses) == pytest.approx((1 + 0 + 0.5) / (1 + 1 / 3 + 1))
    assert tally(analyses, FILTER).refuted == 1
    assert tally(analyses, WEIGHT).verdicts == 3


def test_nothing_is_left_when_every_analysis_is_refuted() -> None:
    analyses = [judged(0, 0), judged(0.5, 0)]
    for config, refuted in ((FILTER, 2), (WEIGHT, 0)):
        result = tally(analyses, config)
        assert (result.mean, result.verdicts, result.refuted) == (None, 0, refuted)


@given(judgments, st.randoms(use_true_random=False), configs)
def test_the_order_does_not_matter(analyses: list[Judged], shuffler: Random, config: AcceptanceConfig) -> None:
    shuffled = list(analyses)
    shuffler.shuffle(shuffled)
    one, other = tally(analyses, config), tally(shuffled, config)
    assert one.mean == pytest.approx(other.mean)
    assert one.std == pytest.approx(other.std)
    assert replace(one, mean=None, std=None) == replace(other, mean=None, std=None)


@given(judgments, configs)
def test_every_analysis_is_counted_once(analyses: list[Judged], config: AcceptanceConfig) -> None:
    result = tally(analyses, config)
    weightless = len(analyses) - result.verdicts - result.unparseable - result.refuted
    counted, excluded = sift(analyses, config)
    assert sorted(one.judged.analysis_id for one in (*counted, *excluded)) == sorted(a.analysis_id for a in analyses)
    assert weightless == 0 or (config.use_reviews == "weight" and weightless > 0)
    assert 0 <= result.perfect <= result.verdicts
    assert (result.mean is None) == (result.verdicts == 0)
    assert result.mean is None or 0 <= result.mean <= 1


def blinded(analyses: Sequence[Judged], was: tuple[float, ...]) -> Iterator[list[Judged]]:
    """``analyses`` with one review that is among ``was`` made unparseable, in every possible place."""
    for place, analysis in enumerate(analyses):
        for number, review in enumerate(analysis.reviews):
            if review in was:
                reviews = (*analysis.reviews[:number], None, *analysis.reviews[number + 1 :])
                yield [*analyses[:place], replace(analysis, reviews=reviews), *analyses[place + 1 :]]


def is_higher(after: float | None, before: float | None) -> bool:
    # Where no verdict was left, one more unparseable review may bring a verdict of at most 1/2 back into play.
    return after is not None and before is not None and after > before + 1e-12


REVIEWED_ISSUES = [Judged("i", s, reviews) for s in (0.0, 0.5) for reviews in product((0.0, 1.0, None), repeat=3)]


@pytest.mark.parametrize("issue", REVIEWED_ISSUES, ids=str)
@pytest.mark.parametrize("config", [IGNORE, FILTER], ids=str)
def test_an_unparseable_review_never_raises_the_mean(issue: Judged, config: AcceptanceConfig) -> None:
    for others in ([judged(1)], [judged(1), judged(0.5), judged(1)], [judged(0.5)]):
        for after in blinded([*others, issue], (0.0, 1.0)):
            assert not is_higher(mean(config, *after), mean(config, *others, issue))


@given(judgments, configs)
def test_hiding_confirmations_of_issues_never_helps(analyses: list[Judged], config: AcceptanceConfig) -> None:
    """A proof can make a review of 1 unparseable, by holding its sentence, and no other review."""
    hurt = [analysis for analysis in analyses if analysis.score is not None and analysis.score < 1.0]
    rest = [analysis for analysis in analyses if analysis not in hurt]
    before = tally([*hurt, *rest], config)
    for after in blinded(hurt, (1.0,)):
        result = tally([*after, *rest], config)
        assert not is_higher(result.mean, before.mean)
        assert decide([*hurt, *rest], config).accepted or not decide([*after, *rest], config).accepted


def test_a_single_refutation_among_unparseable_reviews_does_not_rid_a_proof_of_an_issue() -> None:
    perfect = [judged(1)] * 3
    for config in (IGNORE, FILTER, WEIGHT):
        assert not decide([*perfect, judged(0, 1, 1, 0)], config).accepted
        assert not decide([*perfect, judged(0, None, None, 0)], config).accepted


@given(judgments, st.integers(1, 4), st.booleans())
def test_acceptance_needs_enough_verdicts_and_all_perfect(analyses: list[Judged], least: int, ignore: bool) -> None:
    config = replace(IGNORE if ignore else FILTER, min_verdicts=least)
    kept = [a for a in analyses if a.score is not None and (ignore or validity(a) != "refuted")]
    expected = len(kept) >= least and all(analysis.score == 1.0 for analysis in kept)
    assert decide(analyses, config).accepted == expected


def test_one_perfect_verdict_is_not_enough() -> None:
    assert not decide([judged(1)] * 2, FILTER).accepted
    assert decide([judged(1)] * 3, FILTER).accepted
    assert not decide([*[judged(1)] * 63, judged(0.5)], FILTER).accepted
    assert decide([*[judged(1)] * 3, judged(None), judged(0, 0)], FILTER).accepted


@pytest.mark.parametrize(
    "bad", [{"min_verdicts": 0}, {"confirm_at": 1.5}, {"use_reviews": "some"}, {"rule": "luck"}, {"other": 1}]
)
def test_settings_that_would_accept_anything_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        replace(ACCEPTANCE, **bad)
