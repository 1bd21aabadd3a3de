"""Acceptance: each rule on verdicts, copies, the decision of a recorded proof, and judges asked until an issue."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import LemmataError
from core.records import Analysis, Proof, Review
from refine.acceptance import AcceptanceConfig, Rule, decide, recorded_decision
from tests.presets import ACCEPTANCE, JUDGE, LIGHT, judge_preset
from tests.scripted import Asked, Scripted, analysis_text, by_role, generated, proof_text, review_text, run_loop
from verifier.aggregate import Judged

score = st.sampled_from([0.0, 0.5, 1.0, None])
PAPER = judge_preset("paper").acceptance


def verdicts(*scores: float | None, digest: str = "") -> list[Judged]:
    """Distinct analyses with these scores; with a ``digest``, all of one text."""
    return [Judged(f"a{number}", score, (), digest) for number, score in enumerate(scores)]


def by(rule: Rule, **changes: float) -> AcceptanceConfig:
    """The defaults with another rule."""
    return replace(ACCEPTANCE, rule=rule, **changes)


@pytest.mark.parametrize(
    ("config", "scores", "accepted", "reason"),
    [
        (by("unanimous"), [1, 1, 1, None], True, "all 3 distinct verdicts are 1"),
        (by("unanimous"), [1, 1, None, None], False, "2 distinct verdicts count, 3 are needed"),
        (by("unanimous"), [1] * 15 + [0.5], False, "1 of 16 verdicts is below 1"),
        (by("quorum"), [1, 1, 1, None], True, "all 3"),
        (by("quorum"), [1, 1, 1, None, None], False, "3 of 5 verdicts can be read, a share of 0.75 is needed"),
        (by("quorum", min_perfect=0.7), [1] * 7 + [0] * 3, True, "7 of 10 distinct verdicts are 1"),
        (by("quorum", min_perfect=0.7), [1] * 6 + [0] * 4, False, "4 of 10 verdicts are below 1"),
        (by("quorum", min_verdicts=1), [1, 1, 1], True, "all 3"),
        (by("mean"), [1] * 9 + [0], True, "mean 0.9 of 10 distinct verdicts"),
        (by("mean"), [1, 1, 1, 0.5], False, "mean 0.875 is below 0.9"),
        (by("mean"), [1, 1], False, "2 distinct verdicts count, 3 are needed"),
        (by("pessimistic-progressive"), [1, 1, 1, 1], True, "all 4"),
        (by("pessimistic-progressive"), [1, 1, 1, 0], False, "1 of 4"),
    ],
)  # fmt: skip
def test_rules(config: AcceptanceConfig, scores: list[float | None], accepted: bool, reason: str) -> None:
    decision = decide(verdicts(*scores), config)
    assert decision.accepted == accepted
    assert decision.reason.startswith(f"{'' if accepted else 'not '}accepted by {config.rule}: {reason}")


def test_weights_are_the_reviews_of_each_verdict() -> None:
    """Three say 1; the issue of the fourth weighs what its reviews give it, whatever `use_reviews` does elsewhere."""
    for reviews, accepted in (((0.0, 0.0), True), ((0.5, 0.0), False), ((1.0, 1.0), False), ((None,), False)):
        found = [*verdicts(1, 1, 1), Judged("issue", 0.0, reviews)]
        for use in ("ignore", "filter", "weight"):
            assert decide(found, replace(by("weighted", min_mean=0.95), use_reviews=use)).accepted == accepted


def test_paper_does_not_need_64_readable_verdicts_of_64() -> None:
    assert decide(verdicts(*[1] * 60, *[None] * 4), PAPER).accepted
    assert not decide(verdicts(*[1] * 57, *[None] * 7), PAPER).accepted
    assert not decide(verdicts(*[1] * 63, 0.5), PAPER).accepted


@given(st.lists(score, max_size=8), st.sampled_from(["unanimous", "quorum", "mean", "weighted"]))
def test_copies_of_an_analysis_count_once(scores: list[float | None], rule: Rule) -> None:
    once = verdicts(*scores)
    copies = [*once, *(replace(one, analysis_id=f"{one.analysis_id}-copy", text_digest="x") for one in once[:1])]
    copies[0:1] = [replace(one, text_digest="x") for one in copies[0:1]]
    config = by(rule, min_readable=0.0)
    assert len(decide(copies, config).counted) == len(decide(once, config).counted)
    assert decide(copies, config).accepted == decide(once, config).accepted


def test_a_server_that_repeats_itself_accepts_nothing() -> None:
    decision = decide(verdicts(*[1] * 16, digest="same"), ACCEPTANCE)
    assert not decision.accepted
    assert [one.reason for one in decision.excluded] == ["identical to analysis a0, which counts once"] * 15


def test_without_analyses_no_rule_is_applied() -> None:
    decision = decide([], ACCEPTANCE)
    assert (decision.judged, decision.accepted, decision.mean) == (False, False, None)


def spelled(scores: Sequence[str]) -> Scripted:
    """One proof, its analyses with these scores in the order of the requests; reviews confirm."""
    asked: list[Asked] = []

    def verifier(request: Asked) -> str:
        asked.append(request)
        return analysis_text(scores[len(asked) - 1])

    return Scripted(by_role(proof_text("Right."), verifier, review_text(1)))


@pytest.mark.parametrize(
    ("scores", "made"),
    [
        (["1", "1", "1", "1"], 4),
        (["1", "0", "1", "1"], 2),
        (["?", "1", "0.5", "1"], 3),
        (["0", "1", "1", "1"], 1),
    ],
)
def test_progressive_judges_stop_at_the_first_issue(tmp_path: Path, scores: list[str], made: int) -> None:
    policy = spelled(scores)
    judge = replace(JUDGE, acceptance=by("pessimistic-progressive"))
    selection, records = run_loop(policy, replace(LIGHT, proofs=1, rounds=1), tmp_path, judge=judge)
    assert [analysis.index for analysis in generated(records, Analysis)] == list(range(made))
    assert selection.accepted == (made == 4)


def test_a_refuted_issue_does_not_stop_progressive_judges(tmp_path: Path) -> None:
    policy = Scripted(
        by_role(proof_text("Right."), lambda asked: analysis_text(int(asked.number != 2)), review_text(0))
    )
    judge = replace(JUDGE, acceptance=by("pessimistic-progressive"))
    selection, records = run_loop(policy, replace(LIGHT, proofs=1, rounds=1), tmp_path, judge=judge)
    assert len(generated(records, Analysis)) == 4
    assert selection.accepted


def test_the_decision_of_a_recorded_proof_is_that_of_its_run(tmp_path: Path) -> None:
    selection, records = run_loop(Scripted(samples_per_request=4), replace(LIGHT, rounds=2), tmp_path)
    settings = {"judge": {"acceptance": {name: getattr(ACCEPTANCE, name) for name in ACCEPTANCE.__dataclass_fields__}}}
    proofs = generated(records, Proof)
    assert len(proofs) >= 4
    for proof in proofs:
        decision = recorded_decision(settings, proof.id, records)
        assert decision is not None
        assert decision.config == ACCEPTANCE
        analyses = [record.id for record in generated(records, Analysis) if record.proof_id == proof.id]
        named = [one.judged.analysis_id for one in (*decision.counted, *decision.excluded)]
        assert sorted(named) == sorted(analyses)
        reviewed = [one for one in (*decision.counted, *decision.excluded) if one.judged.reviews]
        assert bool(reviewed) == any(review.analysis_id in analyses for review in generated(records, Review))
        if proof.id == selection.proof_id:
            assert (decision.accepted, decision.mean) == (selection.accepted, selection.mean_score)
            assert selection.reason.endswith(decision.reason)


def test_a_run_without_a_rule_has_no_decision_and_an_unknown_rule_is_named() -> None:
    assert recorded_decision({"command": "import"}, "p", []) is None
    with pytest.raises(LemmataError, match=r"judge\.acceptance\.rule"):
        recorded_decision({"judge": {"acceptance": {"rule": "luck"}}}, "p", [])
