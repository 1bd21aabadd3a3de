"""The rewards of the three roles as DeepSeekMath-V2 defines them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reward import NO_FORMAT, Reward
from core.rubric import SCORES, score_reward
from meta_verifier.reward import meta_verifier_reward
from prover.reward import ALPHA, BETA, prover_reward
from tests.scripted import analysis_text, proof_text, review_text
from verifier.reward import verifier_reward

unit, scores = st.floats(0, 1), st.sampled_from(SCORES)
CASES = [(score, label) for score in SCORES for label in SCORES]


def total(reward: Reward) -> float:
    assert reward.total is not None
    return reward.total


def of_prover(
    r_proof: float, self_score: float, r_meta: float = 1.0, alpha: float = ALPHA, beta: float = BETA
) -> float:
    text = proof_text("It is so.", self_score)
    return total(prover_reward(text, r_proof, r_meta=r_meta, alpha=alpha, beta=beta))


def of_verifier(score: float, label: float, r_meta: float = 1.0) -> float:
    return total(verifier_reward(analysis_text(score), label, r_meta=r_meta))


def of_meta_verifier(score: float, label: float) -> float:
    return total(meta_verifier_reward(review_text(score), label))


def test_the_weights_of_the_paper() -> None:
    assert (ALPHA, BETA) == (0.76, 0.24)
    assert pytest.approx(1.0) == ALPHA + BETA


@pytest.mark.parametrize(("score", "label"), CASES)
def test_on_the_rubric(score: float, label: float) -> None:
    expected = {0.0: 1.0, 0.5: 0.5, 1.0: 0.0}[abs(score - label)]
    assert score_reward(score, label) == expected
    assert of_verifier(score, label) == expected
    assert of_verifier(score, label, r_meta=0.5) == expected / 2
    assert of_meta_verifier(score, label) == expected


@pytest.mark.parametrize(
    ("r_proof", "self_score", "r_meta", "expected"),
    [
        (1, 1, 1, 1.0),  # a correct proof, judged honestly
        (1, 0, 1, 0.76),  # a correct proof that its author denies
        (0, 0, 1, 0.24),  # a wrong proof, admitted
        (0, 1, 1, 0.0),  # a wrong proof, praised
        (0.5, 0.5, 1, 0.62),
        (0.5, 1, 1, 0.5),
        (1, 1, 0, 0.76),  # the score is right, the evaluation is not
        (1, 1, 0.5, 0.88),
    ],
)
def test_the_prover_is_rewarded_for_proof_and_honesty(
    r_proof: float, self_score: float, r_meta: float, expected: float
) -> None:
    assert of_prover(r_proof, self_score, r_meta) == pytest.approx(expected)


def test_admitting_a_wrong_proof_is_rewarded_more_than_praising_it() -> None:
    assert of_prover(0, 0) > of_prover(0, 0.5) > of_prover(0, 1)


@given(scores, unit, unit)
def test_rewards_are_between_0_and_1(score: float, label: float, r_meta: float) -> None:
    for reward in (
        score_reward(score, label),
        of_verifier(score, label, r_meta),
        of_meta_verifier(score, label),
        of_prover(label, score, r_meta),
    ):
        assert 0 <= reward <= 1 + 1e-12


@given(unit, unit, scores, unit)
def test_a_higher_r_meta_never_lowers_a_reward(part: float, more: float, score: float, label: float) -> None:
    low, high = sorted((part, more))
    assert of_verifier(score, label, low) <= of_verifier(score, label, high)
    assert of_prover(label, score, low) <= of_prover(label, score, high)


@given(scores, scores, unit)
def test_nearer_the_label_is_never_worse(one: float, other: float, label: float) -> None:
    near, far = sorted((one, other), key=lambda score: abs(score - label))
    assert of_verifier(near, label) >= of_verifier(far, label)
    assert of_meta_verifier(near, label) >= of_meta_verifier(far, label)
    assert of_prover(label, near) >= of_prover(label, far)


@given(unit, unit, scores)
def test_with_the_papers_weights_a_better_proof_has_the_higher_reward(low: float, high: float, score: float) -> None:
    """alpha > beta, so no self-score, however chosen, makes the worse of two proofs the better rewarded one."""
    low, high = sorted((low, high))
    assert of_prover(low, score) <= of_prover(high, score) + 1e-12


@given(unit, scores, unit, unit, unit)
def test_other_weights(r_proof: float, self_score: float, r_meta: float, alpha: float, beta: float) -> None:
    found = of_prover(r_proof, self_score, r_meta, alpha=alpha, beta=beta)
    assert found == pytest.approx(alpha * r_proof + beta * (1 - abs(self_score - r_proof)) * r_meta)


def test_the_format_is_that_of_the_role() -> None:
    texts = (proof_text("It is so."), analysis_text(0), review_text(1))
    assert [prover_reward(text, 1.0) == NO_FORMAT for text in texts] == [False, True, True]
    assert [verifier_reward(text, 1.0) == NO_FORMAT for text in texts] == [True, False, True]
    assert [meta_verifier_reward(text, 1.0) == NO_FORMAT for text in texts] == [True, True, False]
    assert verifier_reward(analysis_text("0.7"), 1.0) == NO_FORMAT
    assert meta_verifier_reward(review_text(""), 1.0) == NO_FORMAT
    assert prover_reward(proof_text("x", "2"), 1.0) == NO_FORMAT


def test_a_readable_score_in_another_form_has_no_reward() -> None:
    for text in (proof_text("It is so."), analysis_text(0), review_text(1)):
        other = text.replace("Based on my", "Based on this")
        readers = (prover_reward, verifier_reward, meta_verifier_reward)
        assert sum(reward(text, 1.0) != NO_FORMAT for reward in readers) == 1
        assert all(reward(other, 1.0) == NO_FORMAT for reward in readers)
