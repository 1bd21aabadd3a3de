"""The final answer: which rule chooses what, and that the explanation says the truth."""

import re
from dataclasses import replace
from math import sqrt
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refine.acceptance import decide
from refine.assess import Assessed
from refine.select import RULES, Rule, describe, select
from tests.refine_entries import CONFIG, entry
from verifier.aggregate import Judged, tally

score = st.sampled_from([0.0, 0.5, 1.0, None])
pools = st.lists(st.tuples(st.booleans(), score, st.lists(score, max_size=5), st.integers(0, 3)), max_size=6).map(
    lambda rows: [
        entry(f"y{n}", f"t{n}" if has else None, own, scores if has else [], round=number)
        for n, (has, own, scores, number) in enumerate(rows)
    ]
)
rules = st.sampled_from(get_args(Rule))

FEW = entry("few", "a", 0.5, [1, 1])
MANY = entry("many", "b", 0, [1] * 63 + [0])
EARLY = entry("early", "c", 1, [0.5] * 4)
LATE = entry("late", "d", None, [0, 0.5], round=3)
POOL = [EARLY, FEW, MANY, LATE]


@pytest.mark.parametrize(
    ("rule", "expected"), [("mean", "few"), ("lower_bound", "many"), ("self_score", "early"), ("last", "late")]
)
def test_rules(rule: Rule, expected: str) -> None:
    chosen = select(POOL, rule).chosen
    assert chosen is not None
    assert chosen.proof_id == expected


def wilson(mean: float, n: int) -> float:
    """The lower root p of (mean - p)^2 = z^2 p (1 - p) / n, which defines Wilson's interval."""
    z2 = 1.959963984540054**2 / n
    a, b, c = 1 + z2, -(2 * mean + z2), mean * mean
    return (-b - sqrt(b * b - 4 * a * c)) / (2 * a)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=30))
def test_the_lower_bound_is_wilsons(scores: list[float]) -> None:
    one = entry("y", "a", None, scores)
    assert RULES["lower_bound"](one)[1] == pytest.approx(wilson(sum(scores) / len(scores), len(scores)), abs=1e-9)


def test_more_perfect_verdicts_have_a_higher_lower_bound_and_no_verdict_the_lowest() -> None:
    bounds = [RULES["lower_bound"](entry("y", "a", 1, scores)) for scores in ([None], [0] * 64, [1], [1] * 2, [1] * 64)]
    assert bounds == sorted(bounds)
    assert bounds[0][1] < 0 <= bounds[1][1]


def test_the_round_comes_first_in_last_then_the_mean() -> None:
    pool = [
        replace(entry("a", "1", 1, [1]), round=0),
        entry("b", "2", 1, [0], round=2),
        entry("c", "3", 1, [1], round=2),
    ]
    chosen = select(pool, "last").chosen
    assert chosen is not None
    assert chosen.proof_id == "c"


def test_the_earliest_wins_a_tie_and_the_reason_names_the_tie() -> None:
    choice = select([entry(name, name, 1, [1, 1, 1]) for name in "abc"], "mean")
    assert choice.chosen is not None
    assert choice.chosen.proof_id == "a"
    assert choice.reason == (
        "best of 3 proofs by mean, earliest of 3 tied: mean 1 of 3 distinct verdicts, std 0, self-score 1, round 0; "
        "accepted by unanimous: all 3 distinct verdicts are 1"
    )


@pytest.mark.parametrize(
    ("pool", "reason"),
    [
        ([], "no proof in 0 answers: no answer arrived"),
        ([entry("a", None)], "no proof in 1 answer: no answer arrived"),
        (
            [entry("a", None, faults=("empty proof",)), entry("b", None, faults=("cut", "empty proof"))],
            "no proof in 2 answers: empty proof (2 of 2)",
        ),
    ],
)
def test_nothing_to_choose(pool: list[Assessed], reason: str) -> None:
    for rule in RULES:
        choice = select(pool, rule)
        assert (choice.chosen, choice.accepted, choice.reason) == (None, False, reason)


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([], "mean: self-score 1, round 0; no verifier judged it"),
        (
            [None, 1, 1],
            "1 unparseable, self-score 1, round 0; not accepted by unanimous: 2 distinct verdicts count, 3 are needed",
        ),
        ([1, 1, 1, 0.5], "std 0.22, self-score 1, round 0; not accepted by unanimous: 1 of 4 verdicts is below 1"),
        ([1, 1, 1, 1], "std 0, self-score 1, round 0; accepted by unanimous: all 4 distinct verdicts are 1"),
    ],
)
def test_reasons(scores: list[float | None], verdict: str) -> None:
    assert select([entry("a", "t", 1, scores)], "mean").reason.endswith(verdict)


def test_the_reason_counts_unparseable_and_refuted_analyses() -> None:
    judged = (Judged("a", 1.0), Judged("b", 0.0, (0.0,)), Judged("c", None), Judged("d", None))
    one = replace(
        entry("y", "t", None, round=2), judged=judged, tally=tally(judged, CONFIG), decision=decide(judged, CONFIG)
    )
    assert describe(one) == "mean 1 of 1 distinct verdict, std 0, 2 unparseable, 1 refuted, no self-score, round 2"


@given(pools, rules, st.integers(1, 4))
def test_the_choice_is_the_best_and_its_reason_true(pool: list[Assessed], rule: Rule, least: int) -> None:
    config = replace(CONFIG, min_verdicts=least)
    pool = [replace(each, decision=decide(each.judged, config)) for each in pool]
    choice = select(pool, rule)
    candidates = [each for each in pool if each.text_digest is not None]
    if choice.chosen is None:
        assert not candidates
        assert choice.reason.startswith(f"no proof in {len(pool)} answer")
        return
    keys = [RULES[rule](each) for each in candidates]
    assert choice.chosen is candidates[keys.index(max(keys))]
    assert choice.accepted == choice.chosen.decision.accepted == ("; accepted by " in choice.reason)
    assert choice.reason.startswith(f"best of {len(candidates)} proof")
    ties = re.search(r"earliest of (\d+) tied", choice.reason)
    assert keys.count(max(keys)) == (int(ties[1]) if ties else 1)
    if not choice.accepted and choice.chosen.decision.judged:
        short = choice.chosen.tally.verdicts < least
        assert ("needed" in choice.reason) == short
        assert ("below 1" in choice.reason) == (not short)
