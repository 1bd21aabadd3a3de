"""Sequential refinement: chains that go on until the prover scores its own proof 1."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.records import Analysis, Proof, Refusal
from policy.interface import PromptRefused
from tests.presets import judge_preset, refine_preset
from tests.scripted import Asked, Scripted, analysis_text, comparables, generated, jittered, proof_text, run_loop

SEQUENTIAL = refine_preset("sequential")
NO_PROOF = "I give up."


def chain(*answers: str) -> Scripted:
    """The answers in turn; the last one for ever."""

    async def answer(asked: Asked) -> str:
        return answers[min(asked.number, len(answers) - 1)]

    return Scripted(answer)


def rounds(records: list) -> list[int]:
    return [proof.round for proof in generated(records, Proof)]


def test_it_stops_when_the_prover_scores_its_proof_1(tmp_path: Path) -> None:
    policy = chain(
        proof_text("First.", 0), proof_text("Second.", 0.5), proof_text("Third.", 1), proof_text("Fourth.", 1)
    )
    selection, records = run_loop(policy, SEQUENTIAL, tmp_path)
    proofs = generated(records, Proof)
    assert [proof.body for proof in proofs] == ["First.", "Second.", "Third."]
    assert [proof.parents for proof in proofs] == [(), (proofs[0].id,), (proofs[1].id,)]
    assert (selection.proof_id, selection.self_score, selection.rounds) == (proofs[2].id, 1.0, 3)
    assert not selection.accepted
    assert "verdict" not in selection.reason
    assert selection.reason.endswith("self-score 1, round 2; no verifier judged it")


def test_the_feedback_is_the_proofs_own_evaluation(tmp_path: Path) -> None:
    policy = chain(proof_text("First try.", 0), proof_text("Second try.", 1))
    run_loop(policy, SEQUENTIAL, tmp_path)
    assert "First try." not in policy.asked[0].text
    assert "First try." in policy.asked[1].text
    assert "I checked it." in policy.asked[1].text


def test_a_prover_that_is_never_satisfied(tmp_path: Path) -> None:
    policy = chain(proof_text("No.", 0))
    _, records = run_loop(policy, SEQUENTIAL, tmp_path)
    assert rounds(records) == list(range(8))
    assert [asked.refines for asked in policy.asked] == [False] + [True] * 7


def test_one_round_is_proving_alone(tmp_path: Path) -> None:
    _, records = run_loop(chain(proof_text("No.", 0)), replace(SEQUENTIAL, rounds=1), tmp_path)
    assert rounds(records) == [0]


def test_an_answer_without_a_proof_is_tried_anew(tmp_path: Path) -> None:
    policy = chain(NO_PROOF.join(["## Solution\n\n## Self Evaluation\n", ""]), proof_text("Now.", 1))
    selection, records = run_loop(policy, SEQUENTIAL, tmp_path)
    first, second = generated(records, Proof)
    assert (first.body, second.body) == (None, "Now.")
    assert second.parents == ()
    assert first.seed != second.seed
    assert selection.proof_id == second.id
    assert not any(asked.refines for asked in policy.asked)


def test_a_self_score_that_cannot_be_read_does_not_end_the_chain(tmp_path: Path) -> None:
    policy = chain(proof_text("First.", "perfect"), "## Solution\nSecond.", proof_text("Third.", 1))
    _, records = run_loop(policy, SEQUENTIAL, tmp_path)
    assert [proof.body for proof in generated(records, Proof)] == ["First.", "Second.", "Third."]
    assert [asked.refines for asked in policy.asked] == [False, True, True]


def test_a_refused_prompt_ends_the_chain_with_what_it_has(tmp_path: Path) -> None:
    async def answer(asked: Asked) -> str:
        if asked.number == 2:
            raise PromptRefused("the context is full")
        return proof_text(f"Try {asked.number}.", 0)

    policy = Scripted(answer)
    selection, records = run_loop(policy, SEQUENTIAL, tmp_path)
    assert len(policy.asked) == 3
    assert sum(isinstance(record, Refusal) for record in records) == 1
    assert selection.proof_id == generated(records, Proof)[1].id


def test_a_problem_that_is_refused_from_the_start(tmp_path: Path) -> None:
    async def answer(asked: Asked) -> str:
        raise PromptRefused("content filter")

    policy = Scripted(answer)
    for _ in range(2):
        with pytest.raises(PromptRefused, match="content filter"):
            run_loop(policy, SEQUENTIAL, tmp_path)  # no selection, which would be scored
    assert len(policy.asked) == 1


def test_chains_are_independent(tmp_path: Path) -> None:
    async def answer(asked: Asked) -> str:
        chains = {f"Chain {letter}" for letter in "ab" if f"Chain {letter}" in asked.text}
        name = chains.pop() if chains else f"Chain {'ab'[asked.number]}"
        return proof_text(f"{name}.{asked.text.count('----- proof 1 begins')}", 0.5 if name == "Chain b" else 1)

    selection, records = run_loop(Scripted(answer), replace(SEQUENTIAL, proofs=2, rounds=3), tmp_path)
    proofs = generated(records, Proof)
    assert sorted((proof.index, proof.round) for proof in proofs) == [(0, 0), (1, 0), (1, 1), (1, 2)]
    assert selection.self_score == 1
    assert selection.reason.startswith("best of 2 proofs by self_score")


def test_chains_that_start_anew_do_not_share_an_answer(tmp_path: Path) -> None:
    async def answer(asked: Asked) -> list[str]:
        return ["## Solution\n\n## Self Evaluation\n"] if asked.number < 3 else [proof_text(f"Seed {asked.seed}.", 1)]

    _, records = run_loop(Scripted(answer), replace(SEQUENTIAL, proofs=3), tmp_path)
    last = [proof for proof in generated(records, Proof) if proof.round == 1]
    assert sorted(proof.index for proof in last) == [0, 1, 2]
    assert len({proof.body for proof in last}) == 3


def test_the_last_proof_of_a_chain_is_judged_where_analyses_are_asked_for(tmp_path: Path) -> None:
    async def answer(asked: Asked) -> str:
        return proof_text("Right.", asked.number) if asked.role == "prover" else analysis_text(1)

    judge = replace(judge_preset("sequential"), analyses=4)
    selection, records = run_loop(Scripted(answer), SEQUENTIAL, tmp_path, judge=judge)
    assert {analysis.proof_id for analysis in generated(records, Analysis)} == {selection.proof_id}
    assert rounds(records) == [0, 1]
    assert (selection.accepted, selection.verdicts) == (True, 4)


def test_the_same_seed_gives_the_same_chains(tmp_path: Path) -> None:
    runs = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        config = replace(SEQUENTIAL, proofs=5)
        runs.append(comparables(run_loop(Scripted(jittered(number)), config, tmp_path / str(number))[1]))
    assert runs[0] == runs[1]
