"""Automatic labels against the rule of MATH.md, section 1, stated once more by brute force, over all small cases."""

from collections.abc import Iterator
from itertools import chain, combinations_with_replacement, permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from verifier.aggregate import Judged
from verifier.autolabel import LabelConfig, auto_label

SCORES = (0.0, 0.5, 1.0, None)
REVIEWS = (0.0, 1.0, None)


def reviewed(score: float | None, most: int) -> Iterator[Judged]:
    """An analysis of that score with every combination of at most ``most`` reviews, as the judge would have them."""
    counts = range(most + 1) if score in (0.0, 0.5) else (0,)
    combinations = chain.from_iterable(combinations_with_replacement(REVIEWS, count) for count in counts)
    return (Judged("a", score, reviews) for reviews in combinations)


KINDS = [judged for score in SCORES for judged in reviewed(score, 3)]


def the_rule(analyses: tuple[Judged, ...], k: int) -> float | None:
    """The lowest score with k valid analyses; 1 when nobody's complaint stands; else no label.

    Valid: the majority of an analysis' reviews confirms it. A complaint falls when the majority of them rejects it.
    """
    votes = {1.0: +1, 0.0: -1, None: 0}
    support: dict[float, int] = {0.0: 0, 0.5: 0}
    complaints = readable = 0
    for analysis in analyses:
        if analysis.score is None:
            continue
        readable += 1
        if analysis.score == 1.0:
            continue
        for_it = sum(votes[review] == +1 for review in analysis.reviews)
        against = sum(votes[review] == -1 for review in analysis.reviews)
        support[analysis.score] += for_it > len(analysis.reviews) / 2
        complaints += not against > len(analysis.reviews) / 2
    if readable < k:
        return None
    return next((score for score in (0.0, 0.5) if support[score] >= k), None if complaints else 1.0)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_all_small_cases(count: int, k: int) -> None:
    config = LabelConfig(k=k, confirm_at=1.0)
    for analyses in combinations_with_replacement(KINDS, count):
        assert auto_label(analyses, config).score == the_rule(analyses, k), analyses


@given(st.lists(st.sampled_from(KINDS), max_size=10), st.integers(1, 4))
def test_larger_cases(analyses: list[Judged], k: int) -> None:
    assert auto_label(analyses, LabelConfig(k=k, confirm_at=1.0)).score == the_rule(tuple(analyses), k)


def test_the_order_does_not_matter() -> None:
    analyses = [Judged("a", 0.0, (1.0,)), Judged("b", 0.5, (1.0,)), Judged("c", 1.0), Judged("d", None)]
    assert len({auto_label(order, LabelConfig(k=1, confirm_at=1.0)) for order in permutations(analyses)}) == 1


@pytest.mark.parametrize("k", [1, 2])
def test_an_unparseable_review_never_makes_a_label_of_one(k: int) -> None:
    config = LabelConfig(k=k, confirm_at=1.0)
    issues = [judged for judged in KINDS if judged.score in (0.0, 0.5)]
    for issue, other in product(issues, KINDS):
        before = auto_label([issue, other, Judged("c", 1.0)], config).score
        for place in range(len(issue.reviews)):
            reviews = (*issue.reviews[:place], None, *issue.reviews[place + 1 :])
            after = auto_label([Judged("a", issue.score, reviews), other, Judged("c", 1.0)], config).score
            assert after != 1.0 or before == 1.0, (issue, other)


@pytest.mark.parametrize(
    ("analyses", "score", "reason"),
    [
        ([], None, "only 0 of 0 analyses have a verdict, 2 are needed"),
        ([Judged("a", 1.0), Judged("b", None)], None, "only 1 of 2 analyses have a verdict, 2 are needed"),
        ([Judged("a", 1.0)] * 3, 1.0, "no issue stands in 3 analyses (0 refuted)"),
        ([Judged("a", 1.0)] * 2 + [Judged("b", 0.0, (0.0,))], 1.0, "no issue stands in 3 analyses (1 refuted)"),
        ([Judged("a", 0.5, (1.0,))] * 2 + [Judged("b", 0.0, (1.0,))] * 2, 0.0, "2 confirmed analyses give 0"),
        ([Judged("a", 0.5, (1.0,))] * 2 + [Judged("b", 0.0, (1.0,))], 0.5, "2 confirmed analyses give 0.5"),
        ([Judged("a", 0.0, (1.0,)), Judged("b", 1.0)], None, "1 issues stand, but fewer than 2 confirmed at one score"),
        ([Judged("a", 0.0), Judged("b", 1.0)], None, "1 issues stand, but fewer than 2 confirmed at one score"),
    ],
)
def test_labels_and_their_reasons(analyses: list[Judged], score: float | None, reason: str) -> None:
    found = auto_label(analyses, LabelConfig(k=2, confirm_at=1.0))
    assert (found.score, found.reason) == (score, reason)


def test_the_bar_for_a_confirmation_is_a_setting() -> None:
    analyses = [Judged("a", 0.0, (0.5, 0.5, 0.0))] * 2
    assert auto_label(analyses, LabelConfig(k=2, confirm_at=0.5)).score == 0.0
    assert auto_label(analyses, LabelConfig(k=2, confirm_at=1.0)).score == 1.0


def test_no_label_from_no_analyses() -> None:
    with pytest.raises(ValidationError):
        LabelConfig(k=0, confirm_at=1.0)
