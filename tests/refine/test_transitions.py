"""Transitions of the proof loop, as functions of the history alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover.attempt import Attempt, read_attempt
from refine.transitions import ProofRequest, is_finished, needs_review, next_request
from tests.scripted import TEMPLATES, proof_text

CONTENT = Attempt("Proof.", "Fine.", 1.0, ())
DOUBTFUL = Attempt("Proof.", "Step two.", 0.5, ())
SILENT = Attempt("Proof.", None, None, ("no '## Self Evaluation' heading",))
NO_PROOF = Attempt(None, None, None, ("empty proof",))
CLAIM_ALONE = Attempt(None, "Fine.", 1.0, ("empty proof",))
ATTEMPTS = st.sampled_from([CONTENT, DOUBTFUL, SILENT, NO_PROOF, CLAIM_ALONE])


@pytest.mark.parametrize(
    ("history", "request_"),
    [
        ([], ProofRequest()),
        ([CONTENT], None),
        ([DOUBTFUL], ProofRequest("Proof.", ("Step two.",))),
        ([SILENT], ProofRequest("Proof.")),
        ([NO_PROOF], ProofRequest()),
        ([CLAIM_ALONE], ProofRequest()),
        ([CONTENT, DOUBTFUL], ProofRequest("Proof.", ("Step two.",))),
        ([DOUBTFUL] * 3, None),
    ],
)
def test_the_next_request_follows_from_the_latest_answer(history: list[Attempt], request_: ProofRequest | None) -> None:
    assert next_request(history, 3) == request_


@given(st.lists(ATTEMPTS, max_size=6), st.integers(0, 6))
def test_a_chain_is_finished_where_nothing_is_requested(history: list[Attempt], rounds: int) -> None:
    request = next_request(history, rounds)
    assert (request is None) == is_finished(history, rounds)
    assert request is None or len(history) < rounds


def test_prompts_are_the_templates() -> None:
    assert ProofRequest().prompt(TEMPLATES, "A.") == TEMPLATES.proof("A.")
    assert ProofRequest("P.", ("C.",)).prompt(TEMPLATES, "A.") == TEMPLATES.refinement("A.", [("P.", ["C."])])


@pytest.mark.parametrize(
    ("score", "issues", "any_"), [(None, False, False), (0.0, True, True), (0.5, True, True), (1.0, False, True)]
)
def test_analyses_that_are_reviewed(score: float | None, issues: bool, any_: bool) -> None:
    assert (needs_review(score), needs_review(score, "all")) == (issues, any_)


def test_a_truncated_answer_has_neither_proof_nor_self_score() -> None:
    attempt = read_attempt(proof_text("Proof.", 1), truncated=True)
    assert (attempt.body, attempt.self_score) == (None, None)
    assert "truncated at the token limit" in attempt.faults
