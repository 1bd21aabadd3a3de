"""Ranking, merging identical proofs, and choosing critiques to refine by."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from refine.assess import Assessed
from refine.pool import merge_identical, pairings, ranked
from tests.refine_entries import CONFIG, IGNORE, entry
from verifier.aggregate import Judged, tally

score = st.sampled_from([0.0, 0.5, 1.0, None])
judged_lists = st.lists(score, max_size=4)
entries = st.lists(st.tuples(st.sampled_from("abc") | st.none(), score, judged_lists), max_size=6).map(
    lambda rows: [entry(f"y{n}", text, own, scores) for n, (text, own, scores) in enumerate(rows)]
)


def names(pool: Sequence[Assessed]) -> list[str]:
    return [each.proof_id for each in pool]


def test_the_mean_comes_first_then_the_self_score_then_the_number_of_verdicts() -> None:
    pool = [
        entry("low", "a", 1, [0.5, 0.5]),
        entry("unsure", "b", 0, [1, 1]),
        entry("sure", "c", 1, [1, 1]),
        entry("surer", "d", 1, [1, 1, 1]),
        entry("silent", "e", None, [1, 1]),
        entry("unjudged", "f", 1, []),
        entry("unparseable", "g", 1, [None]),
    ]
    assert names(ranked(pool)) == ["surer", "sure", "unsure", "silent", "low", "unjudged", "unparseable"]


def test_the_earlier_of_equals_comes_first_and_no_proof_has_no_rank() -> None:
    pool = [entry("a", "1", 1, [1]), entry("none", None, 1, []), entry("b", "2", 1, [1]), entry("c", "3", 1, [1])]
    assert names(ranked(pool)) == ["a", "b", "c"]
    assert ranked([]) == []


@given(entries)
def test_ranking_keeps_every_proof(pool: list[Assessed]) -> None:
    assert sorted(names(ranked(pool))) == sorted(each.proof_id for each in pool if each.text_digest is not None)


def test_verdicts_on_identical_proofs_count_together() -> None:
    pool = [entry("a", "same", 0.5, [1, 0]), entry("b", "other", 1, [1]), entry("c", "same", 1, [1, None, 1])]
    merged = merge_identical(pool, IGNORE)
    assert names(merged) == ["a", "b"]
    assert merged[0].self_score == 0.5
    assert merged[0].tally == tally([*pool[0].judged, *pool[2].judged], IGNORE)
    assert (merged[0].tally.mean, merged[0].tally.verdicts, merged[0].tally.unparseable) == (0.75, 4, 1)


def test_a_lucky_copy_is_not_accepted() -> None:
    pool = [entry("a", "same", 1, [0, 1, 1]), entry("b", "same", 1, [1, 1, 1])]
    assert pool[1].decision.accepted
    assert not any(each.decision.accepted for each in merge_identical(pool, CONFIG))


def test_answers_without_a_proof_are_not_identical() -> None:
    assert names(merge_identical([entry("a", None, 1, []), entry("b", None, 1, [])], CONFIG)) == ["a", "b"]


@given(entries)
def test_merging_loses_no_verdict_and_does_nothing_twice(pool: list[Assessed]) -> None:
    once = merge_identical(pool, CONFIG)
    assert merge_identical(once, CONFIG) == once
    assert sorted(j.analysis_id for e in once for j in e.judged) == sorted(
        j.analysis_id for e in pool for j in e.judged
    )
    texts = [each.text_digest for each in once if each.text_digest is not None]
    assert len(texts) == len(set(texts))


def analyses_of(top: Sequence[Assessed], pairs: int, used: Sequence[tuple[str, str]] = (), seed: int = 0) -> list[str]:
    return [analysis for _, analysis in pairings(top, pairs, used, 1.0, seed)]


REVIEWED = entry("y", "a", 1, [])
MIXED = Assessed(
    proof_id="y",
    text_digest="a",
    round=0,
    self_score=1.0,
    faults=(),
    judged=(
        Judged("perfect", 1.0),
        Judged("unparseable", None),
        Judged("refuted", 0.0, (0.0, 0.0)),
        Judged("minor", 0.5),
        Judged("fatal", 0.0, (1.0,)),
    ),
    tally=REVIEWED.tally,
    decision=REVIEWED.decision,
)


def test_critiques_in_order_of_use() -> None:
    assert analyses_of([MIXED], 9) == ["fatal", "minor", "perfect", "refuted"]
    assert analyses_of([MIXED], 2) == ["fatal", "minor"]
    assert analyses_of([MIXED], 2, used=[("y", "fatal")]) == ["minor", "perfect"]
    assert analyses_of([MIXED], 9, used=[("y", "fatal"), ("y", "perfect")]) == ["minor", "refuted", "fatal", "perfect"]
    assert analyses_of([MIXED], 1, used=[("another", "fatal")]) == ["fatal"]


def test_pairs_follow_the_ranking() -> None:
    top = [entry("y1", "a", 1, [0, 0]), entry("y2", "b", 1, [1]), entry("y3", "c", 1, [None])]
    assert pairings(top, 1, (), 1.0, 0)[1:] == [("y2", "y2-0")]
    assert [proof for proof, _ in pairings(top, 2, (), 1.0, 0)] == ["y1", "y1", "y2"]


def test_nothing_to_pair() -> None:
    assert pairings([], 2, (), 1.0, 0) == []
    assert pairings([entry("y", "a", 1, [None, None])], 2, (), 1.0, 0) == []


def test_the_draw_among_equals_is_seeded() -> None:
    top = [entry("y", "a", 1, [0] * 12)]
    assert analyses_of(top, 4, seed=3) == analyses_of(top, 4, seed=3)
    assert len({tuple(analyses_of(top, 4, seed=seed)) for seed in range(10)}) > 5
    twins = [entry("y", "a", 1, [0] * 12), entry("z", "b", 1, [0] * 12)]
    chosen = analyses_of(twins, 4)
    assert [name[2:] for name in chosen[:4]] != [name[2:] for name in chosen[4:]]
