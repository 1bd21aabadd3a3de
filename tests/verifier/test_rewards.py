"""The rewards of the three roles as DeepSeekMath-V2 defines them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rubric import SCORES, score_reward
from meta_verifier.reward import meta_verifier_reward
from prover.reward import ALPHA, BETA, prover_reward
from tests.scripted import analysis_text, proof_text, review_text
from verifier.reward import verifier_reward

unit = st.floats(0, 1)
CASES = [(score, label) for score in SCORES for label in SCORES]


def test_the_weights_of_the_paper() -> None:
    assert (ALPHA, BETA) == (0.76, 0.24)
    assert pytest.approx(1.0) == ALPHA + BETA


@pytest.mark.parametrize(("score", "label"), CASES)
def test_on_the_rubric(score: float, label: float) -> None:
    expected = {0.0: 1.0, 0.5: 0.5, 1.0: 0.0}[abs(score - label)]
    assert score_reward(score, label) == expected
    assert verifier_reward(1, score, label) == expected
    assert verifier_reward(1, score, label, r_meta=0.5) == expected / 2
    assert meta_verifier_reward(1, score, label) == expected


@pytest.mark.parametrize(
    ("r_proof", "self_score", "r_meta", "expected"),
    [
        (1, 1, 1, 1.0),  # a right proof, honestly judged
        (1, 0, 1, 0.76),  # a right proof that its author denies
        (0, 0, 1, 0.24),  # a wrong proof, admitted
        (0, 1, 1, 0.0),  # a wrong proof, praised
        (0.5, 0.5, 1, 0.62),
        (0.5, 1, 1, 0.5),
        (1, 1, 0, 0.76),  # the score is right, the evaluation is not
        (1, 1, 0.5, 0.88),
    ],
)
def test_the_prover_is_paid_for_proof_and_honesty(
    r_proof: float, self_score: float, r_meta: float, expected: float
) -> None:
    assert prover_reward(1, r_proof, self_score, r_meta) == pytest.approx(expected)
    assert prover_reward(0, r_proof, self_score, r_meta) == 0


def test_admitting_a_wrong_proof_pays_more_than_praising_it() -> None:
    assert prover_reward(1, 0, 0) > prover_reward(1, 0, 0.5) > prover_reward(1, 0, 1)


@given(unit, unit, unit, unit)
def test_rewards_stay_between_0_and_1(r_format: float, one: float, other: float, r_meta: float) -> None:
    for reward in (
        score_reward(one, other),
        verifier_reward(r_format, one, other, r_meta),
        meta_verifier_reward(r_format, one, other),
        prover_reward(r_format, one, other, r_meta),
    ):
        assert 0 <= reward <= 1 + 1e-12


@given(unit, unit, unit, unit, unit)
def test_no_part_of_a_reward_ever_counts_against(
    part: float, more: float, one: float, other: float, fixed: float
) -> None:
    low, high = sorted((part, more))
    assert verifier_reward(low, one, other, fixed) <= verifier_reward(high, one, other, fixed)
    assert verifier_reward(fixed, one, other, low) <= verifier_reward(fixed, one, other, high)
    assert meta_verifier_reward(low, one, other) <= meta_verifier_reward(high, one, other)
    assert prover_reward(low, one, other, fixed) <= prover_reward(high, one, other, fixed)
    assert prover_reward(fixed, one, other, low) <= prover_reward(fixed, one, other, high)


@given(unit, unit, unit)
def test_nearer_the_label_is_never_worse(one: float, other: float, label: float) -> None:
    near, far = sorted((one, other), key=lambda score: abs(score - label))
    assert verifier_reward(1, near, label) >= verifier_reward(1, far, label)
    assert meta_verifier_reward(1, near, label) >= meta_verifier_reward(1, far, label)
    assert prover_reward(1, label, near) >= prover_reward(1, label, far)


@given(unit, unit, unit)
def test_with_the_papers_weights_a_better_proof_always_pays(low: float, high: float, self_score: float) -> None:
    """alpha > beta, so no self-score, however chosen, makes the worse of two proofs the better paid one."""
    low, high = sorted((low, high))
    assert prover_reward(1, low, self_score) <= prover_reward(1, high, self_score) + 1e-12


@given(unit, unit, unit, unit, unit)
def test_other_weights(r_proof: float, self_score: float, r_meta: float, alpha: float, beta: float) -> None:
    found = prover_reward(1, r_proof, self_score, r_meta, alpha=alpha, beta=beta)
    assert found == pytest.approx(alpha * r_proof + beta * (1 - abs(self_score - r_proof)) * r_meta)


def test_the_format_is_that_of_the_role() -> None:
    from meta_verifier.reward import format_reward as of_review  # noqa: PLC0415
    from prover.reward import format_reward as of_proof  # noqa: PLC0415
    from verifier.reward import format_reward as of_analysis  # noqa: PLC0415

    texts = (proof_text("It is so."), analysis_text(0), review_text(1))
    assert [of_proof(text) for text in texts] == [1, 0, 0]
    assert [of_analysis(text) for text in texts] == [0, 1, 0]
    assert [of_review(text) for text in texts] == [0, 0, 1]
    assert of_analysis(analysis_text("0.7")) == of_review(review_text("")) == of_proof(proof_text("x", "2")) == 0
