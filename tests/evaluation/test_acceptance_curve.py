"""Errors of acceptance against counting: rules on recorded verdicts, and every panel of a size drawn one by one."""

from dataclasses import replace
from itertools import combinations
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import settings as quickly
from hypothesis import strategies as st

from core.document import natural
from core.statistics import IntervalConfig
from evaluation.acceptance_curve import gold_grader, rates_by_rule, unanimous_curve
from evaluation.graded_proofs import Grade, GradedProof
from verifier.aggregate import Judged

QUICK = IntervalConfig(resamples=50)


def entry(number: int, scores: list[float | None], gold: float | None, grader: str = "human") -> GradedProof:
    judged = tuple(Judged(f"{number}-{n}", score) for n, score in enumerate(scores))
    return GradedProof(
        entrant="e", attempt=0, problem_id=f"p{number}", cluster=f"p{number}", problem=f"p{number}", source="s",
        proof_id=str(number), model="m", round=0, self_score=None, text_length=1, no_answer=False,
        verdicts=len(scores), unparseable=0, judged=judged, verdict_std=None,
        accepted=False, selected=True, error_start=None, error_end=None,
        grades={grader: Grade(gold, "Ada")},
    )  # fmt: skip


verdict_lists = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=4, max_size=4)


@quickly(max_examples=30)
@given(st.lists(st.tuples(verdict_lists, st.sampled_from([0.0, 6 / 7, 1.0])), min_size=1, max_size=6))
def test_the_curve_is_the_share_of_all_panels(cases: list[tuple[list[float], float]]) -> None:
    entries = [entry(number, list(scores), gold) for number, (scores, gold) in enumerate(cases)]
    for rates in unanimous_curve(entries, "human", QUICK):
        accepted = [
            (fmean(all(score == 1 for score in panel) for panel in combinations(scores, rates.size)), gold)
            for scores, gold in cases
        ]
        wrong = [chance for chance, gold in accepted if gold < 1]
        right = [1 - chance for chance, gold in accepted if gold >= 1]
        assert (rates.incorrect, rates.correct) == (len(wrong), len(right))
        for estimate, values in ((rates.false_accepts, wrong), (rates.false_rejects, right)):
            assert estimate.value == (pytest.approx(fmean(values)) if values else None)


def test_rules_on_the_same_verdicts() -> None:
    cases = [([1, 1, 1, 1], 0.0), ([1, 1, 1, 0.5], 0.0), ([0, 0, 0, 0], 0.0), ([1, 1, 1, 1], 1.0), ([1, 1, 1, 0], 1.0)]
    found = {
        each.name: (each.false_accepts.value, each.false_rejects.value)
        for each in rates_by_rule([entry(n, list(s), g) for n, (s, g) in enumerate(cases)], "human", QUICK)
    }
    third = pytest.approx(1 / 3)
    assert found["unanimous"] == found["pessimistic-progressive"] == (third, 0.5)
    assert found["quorum"] == (pytest.approx(2 / 3), 0.0)
    assert found["mean"] == (third, 0.5)


def test_proofs_without_a_grade_or_a_verdict_are_left_out() -> None:
    entries = [entry(0, [1.0], None), entry(1, [], 1.0), entry(2, [1.0, None], 1.0)]
    assert gold_grader(entries) == "human"
    assert gold_grader([entry(0, [], 1.0)]) is None
    [rates] = unanimous_curve(entries, "human", QUICK)
    assert (rates.incorrect, rates.correct, rates.false_rejects.value) == (0, 1, 0.0)
    judges = [entry(0, [1.0], 1.0, "judge big"), entry(0, [1.0], 1.0, "panel")]
    assert gold_grader(judges) == "panel"


def test_verifiers_are_measured_apart() -> None:
    cases = [("kind", [1.0, 1.0], 0.0), ("strict", [0.0, 1.0], 0.0), ("strict", [1.0, 1.0], 1.0)]
    entries = []
    for number, (verifier, scores, gold) in enumerate(cases):
        one = entry(number, list(scores), gold)
        entries.append(replace(one, grades={**one.grades, "verifier": Grade(0.5, verifier)}))
    found = {(each.verifier, each.size): each for each in unanimous_curve(entries, "human", QUICK)}
    assert found["kind", 2].false_accepts.value == 1.0
    assert (found["strict", 2].false_accepts.value, found["strict", 2].correct) == (0.0, 1)
    rules = rates_by_rule(entries, "human", QUICK)
    assert {each.verifier for each in rules} == {"kind", "strict"}


def test_claims_about_one_left_side_are_one_cluster() -> None:
    def rates(clusters: int) -> tuple[int, int]:
        entries = [replace(entry(n, [1.0], 0.0), cluster=f"left {n % clusters}") for n in range(40)]
        found = rates_by_rule(entries, "human", QUICK)[0].false_accepts
        return found.n, found.clusters

    assert (rates(40), rates(4)) == ((40, 40), (40, 4))


def test_names_are_in_the_order_of_their_numbers() -> None:
    names = ["PB-Basic-10", "pb-basic-11", "PB-Basic-9", "PB-Advanced-1", "2", "10", "1"]
    assert sorted(names, key=natural) == ["1", "2", "10", "PB-Advanced-1", "PB-Basic-9", "PB-Basic-10", "pb-basic-11"]
