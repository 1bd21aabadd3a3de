"""Pairwise selection: both orders, bias of position, ties, records with parents, and resuming."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from core.records import Comparison, Proof, Selection
from policy.interface import PromptRefused, RunStopped
from refine.pairwise import margins
from tests.presets import JUDGE, LIGHT, judge_preset, refine_preset
from tests.scripted import Asked, Scripted, analysis_text, by_role, comparables, generated, proof_text, run_loop

NO_REVIEWS = replace(JUDGE, reviews=0)
PAIRWISE = replace(LIGHT, rounds=1, select="pairwise")


def numbered(asked: Asked) -> str:
    return proof_text(f"Proof number {asked.number}.")


def shown(asked: Asked) -> tuple[int, int]:
    """Numbers of the two proofs of a comparison, in the order shown."""
    first, second = re.findall(r"Proof number (\d+)\.", asked.text)
    return int(first), int(second)


def choosing(letter: str) -> str:
    return f"I compared them.\nBetter proof:\n\\boxed{{{letter}}}"


def higher(asked: Asked) -> str:
    first, second = shown(asked)
    return choosing("A" if first > second else "B")


def body_of(selection: Selection, records: list) -> str:
    [proof] = [record for record in records if isinstance(record, Proof) and record.id == selection.proof_id]
    return proof.body or ""


def test_the_proof_that_wins_in_both_orders_is_chosen(tmp_path: Path) -> None:
    policy = Scripted(by_role(numbered, analysis_text("0.5"), comparer=higher))
    selection, records = run_loop(policy, PAIRWISE, tmp_path, judge=NO_REVIEWS)
    proofs = generated(records, Proof)
    assert body_of(selection, records) == max(proof.body for proof in proofs)
    assert policy.count("comparer") == 12  # every two of four proofs, in both orders
    comparisons = generated(records, Comparison)
    assert {one.parents for one in comparisons} == {
        (left.id, right.id) for left in proofs for right in proofs if left is not right
    }
    assert selection.rule == "pairwise"
    assert "3 won, 0 lost, 0 undecided" in selection.reason
    assert not selection.accepted


@pytest.mark.parametrize("answer", [choosing("A"), choosing("B"), choosing("equal"), "I can't say."])
def test_without_a_consistent_pair_the_mean_decides(tmp_path: Path, answer: str) -> None:
    """A judge who always prefers the first, or the last, or none, has no say."""

    def analysis(asked: Asked) -> str:
        return analysis_text("0.5" if "number 2." in asked.text else 0)

    policy = Scripted(by_role(numbered, analysis, comparer=answer))
    selection, records = run_loop(policy, PAIRWISE, tmp_path / "pairs", judge=NO_REVIEWS)
    by_mean, others = run_loop(
        Scripted(by_role(numbered, analysis)), replace(PAIRWISE, select="mean"), tmp_path / "mean", judge=NO_REVIEWS
    )
    assert body_of(selection, records) == body_of(by_mean, others) == "Proof number 2."
    assert "0 won, 0 lost, 3 undecided" in selection.reason


def test_an_accepted_proof_is_not_outvoted(tmp_path: Path) -> None:
    def analysis(asked: Asked) -> str:
        return analysis_text(1 if re.search(r"number [01]\.", asked.text) else "0.5")

    policy = Scripted(by_role(numbered, analysis, comparer=higher))
    selection, records = run_loop(policy, PAIRWISE, tmp_path, judge=NO_REVIEWS)
    assert selection.accepted
    assert body_of(selection, records) == "Proof number 1."
    assert policy.count("comparer") == 2  # of the two accepted proofs alone


def test_only_the_best_candidates_are_compared_and_several_times(tmp_path: Path) -> None:
    def analysis(asked: Asked) -> str:
        return analysis_text("0.5" if re.search(r"number [13]\.", asked.text) else 0)

    policy = Scripted(by_role(numbered, analysis, comparer=lambda asked: choosing("AB"[asked.number % 2])))
    config = replace(PAIRWISE, candidates=2, comparisons=3)
    selection, records = run_loop(policy, config, tmp_path, judge=NO_REVIEWS)
    assert policy.count("comparer") == 6
    assert {one.index for one in generated(records, Comparison)} == {0, 1, 2}
    assert body_of(selection, records) in ("Proof number 1.", "Proof number 3.")


def test_identical_proofs_are_one_candidate(tmp_path: Path) -> None:
    policy = Scripted(by_role(proof_text("The same."), analysis_text(0), comparer=higher))
    selection, _ = run_loop(policy, PAIRWISE, tmp_path, judge=NO_REVIEWS)
    assert policy.count("comparer") == 0
    assert "compared" not in selection.reason


def test_sequential_chains_are_compared_without_a_verifier(tmp_path: Path) -> None:
    policy = Scripted(by_role(numbered, comparer=higher))
    config = replace(refine_preset("sequential"), proofs=3, select="pairwise")
    selection, records = run_loop(policy, config, tmp_path, judge=judge_preset("sequential"))
    assert body_of(selection, records) == max(proof.body for proof in generated(records, Proof))
    assert policy.count("verifier") == 0


def test_resuming_repeats_no_comparison(tmp_path: Path) -> None:
    class Interrupted(Scripted):
        async def sample(self, prompts, sampling):
            if self.count("comparer") == 5:
                raise RunStopped("stopped")
            return await super().sample(prompts, sampling)

    answer = by_role(numbered, analysis_text("0.5"), comparer=higher)
    whole = run_loop(Scripted(answer), PAIRWISE, tmp_path / "whole", judge=NO_REVIEWS)
    with pytest.raises(RunStopped):
        run_loop(Interrupted(answer), PAIRWISE, tmp_path / "part", judge=NO_REVIEWS)
    rest = Scripted(answer)
    resumed = run_loop(rest, PAIRWISE, tmp_path / "part", judge=NO_REVIEWS)
    assert rest.count("comparer") == 12 - 5
    assert rest.count("prover") == 0
    ignored = ("created", "seconds")
    assert comparables(resumed[1], *ignored) == comparables(whole[1], *ignored)


def test_a_refused_comparison_leaves_its_pair_undecided(tmp_path: Path) -> None:
    def refusing(asked: Asked) -> str:
        if shown(asked)[0] == 3:
            raise PromptRefused("HTTP 400: context too long")
        return higher(asked)

    policy = Scripted(by_role(numbered, analysis_text("0.5"), comparer=refusing))
    selection, records = run_loop(policy, PAIRWISE, tmp_path, judge=NO_REVIEWS)
    assert body_of(selection, records) == "Proof number 2."
    assert len(generated(records, Comparison)) == 9


def test_a_copy_of_the_prompt_is_no_choice(tmp_path: Path) -> None:
    policy = Scripted(by_role(numbered, analysis_text("0.5"), comparer=lambda asked: f"{asked.text}\nBetter proof: A"))
    _, records = run_loop(policy, PAIRWISE, tmp_path, judge=NO_REVIEWS)
    comparisons = generated(records, Comparison)
    assert comparisons
    assert all(one.score is None and "copy" in one.fault for one in comparisons)
    assert set(margins(comparisons).values()) == {0}
