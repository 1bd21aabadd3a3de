"""Acceptance curves: shares by an independent count, copies of a left side, and judges that stop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refine.acceptance_curves import ALL_WRONG, JudgedProof, curves, rules_of, tables
from tests.presets import ACCEPTANCE
from verifier.aggregate import Judged

RULES = rules_of(ACCEPTANCE)
scores = st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), min_size=4, max_size=4)


def case(kind: str, score: float, verdicts: list[float | None], cluster: str = "x") -> JudgedProof:
    return JudgedProof(kind, cluster, score, tuple(Judged(f"{n}", verdict) for n, verdict in enumerate(verdicts)))


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), scores), min_size=1, max_size=12), st.sampled_from([1, 2, 4])
)
def test_unanimous_shares_are_counts(rows: list[tuple[float, list[float | None]]], n: int) -> None:
    cases = [case("own", score, verdicts, str(place)) for place, (score, verdicts) in enumerate(rows)]
    found = {(point.wrong, point.n): point for point in curves(cases, RULES) if point.rule == "unanimous"}
    for wrong in (True, False):
        chosen = [verdicts[:n] for score, verdicts in rows if (score < 1) == wrong]
        accepted = [
            any(one is not None for one in first) and all(one in (1.0, None) for one in first) for first in chosen
        ]
        if chosen:
            expected = sum(one == wrong for one in accepted) / len(chosen)
            assert found[wrong, n].share.value == pytest.approx(expected)


def test_intervals_are_by_left_side() -> None:
    same = [case("own", 0.0, [1.0], "one side") for _ in range(50)]
    apart = [case("own", 0.0, [1.0], str(place)) for place in range(50)]
    [one], [other] = (
        [point.share for point in curves(cases, RULES) if point.rule == "unanimous" and point.kind == "own"]
        for cases in (same, apart)
    )
    assert (one.clusters, other.clusters) == (1, 50)
    assert one.low is not None
    assert other.low is not None
    assert one.low < 0.3
    assert other.low > 0.9


def test_progressive_judges_decide_as_unanimous_ones_with_fewer_analyses() -> None:
    cases = [case("planted", 0.0, [0.0, 1.0, 1.0, 1.0]), case("planted", 0.0, [1.0, 1.0, 0.5, 1.0], "y")]
    found = {point.rule: point for point in curves(cases, RULES) if point.n == 4 and point.kind == "planted"}
    unanimous, progressive = found["unanimous"], found["pessimistic-progressive"]
    assert unanimous.share == progressive.share
    assert (unanimous.analyses, progressive.analyses) == (4.0, 2.0)


def test_every_kind_has_a_table_and_all_wrong_proofs_together() -> None:
    cases = [case(kind, score, [1.0, 0.0]) for kind in ("foreign", "some new kind") for score in (0.0, 1.0)]
    titles = [title for title, _ in tables(curves(cases, RULES))]
    assert titles == [
        *(f"False {what}: {kind}" for kind in ("foreign", "some new kind") for what in ("accepts", "rejects")),
        f"False accepts: {ALL_WRONG}",
    ]
