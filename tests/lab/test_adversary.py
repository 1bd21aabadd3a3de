"""The attacks on the checker: the evaluator judges rightly, bogus proofs and variants are of all families."""

from pathlib import Path

import pytest

from lab.adversary.bogus import bogus_proofs, same_equation
from lab.adversary.composer import attack_with_policy
from lab.adversary.evaluator import faults
from lab.adversary.fuzz import attack_with_bogus_proofs, fuzz, theorems
from lab.adversary.variants import acceptance, variants
from lab.generator import generate
from lab.statements import read_statement
from lab.theorem import Proposition


def test_the_evaluator_finds_nothing_wrong_with_written_derivations() -> None:
    for theorem in theorems(4, 7_300_000):
        assert faults(theorem, theorem.derivation) == [], theorem.derivation


@pytest.mark.parametrize(
    ("statement", "proof", "fault"),
    [
        ("x^2 >= 0 for all real x.", "x^2 = x^2 + 1 >= 0.\nThe claim is true.", "false"),
        ("x^2 >= 0 for all real x.", "x^2 >= 0.", "no verdict"),
        ("x^2 >= 0 for all real x.", "x^2 >= 0.\nThe claim is never true.", "a qualified verdict"),
        ("x^2 >= 0 for all real x.", "x^2 >= 0.\nThe claim is true.\nThe claim is false.", "two verdicts"),
        ("x^2 >= 1 for all real x.", "For x = 2: x^2 = 4.\nThe claim is false.", "no value"),
        ("2 divides 2n^2 for all integers n.", "If n = 0 mod 2 then 2n^2 = 0 mod 2.\nThe claim is true.", "1 of 2"),
        ("2 divides n^2 + n for all integers n.", "If n = 1 mod 2 then n^2 = 0 mod 2.\nThe claim is true.", "false"),
        ("the only real solution of 2x = 4 is x = 2.", "2x = 6.\nx = 2.\nThe claim is true.", "false at the solution"),
    ],
)
def test_the_evaluator_finds_what_is_wrong(statement: str, proof: str, fault: str) -> None:
    proposition = read_statement(statement)
    assert isinstance(proposition, Proposition)
    assert any(fault in found for found in faults(proposition, proof))


def test_bogus_proofs_cover_every_family_and_kind() -> None:
    kinds = {(theorem.family, kind) for theorem in theorems(4, 7_400_000) for kind, _ in bogus_proofs(theorem)}
    assert len({kind for _, kind in kinds}) == 9
    assert all((family, kind) in kinds for family in {f for f, _ in kinds} for kind in ("assumed", "planted", "words"))
    assert len(set(bogus_proofs(generate("sums", 2, 7_400_000, "train")))) > 100


def test_there_are_150_variants_of_all_families() -> None:
    found = list(variants())
    assert len(found) >= 150
    assert len({variant["proof"] for variant, _ in found}) == len(found)
    assert len({variant["family"] for variant, _ in found}) == 6


def test_most_variants_of_each_family_are_accepted() -> None:
    """The share that docs/results/lab-checker.md states; a variant that is refused says where and what is read."""
    counts, refused = acceptance()
    assert all(accepted >= 0.75 * total for accepted, total in counts.values()), counts
    assert sum(accepted for accepted, _ in counts.values()) >= 0.8 * sum(total for _, total in counts.values())
    assert all(message for _, message in refused)


def test_the_policy_goes_on_from_its_state(tmp_path: Path) -> None:
    state = tmp_path / "policy.npz"
    assert attack_with_policy(1_000, 7, state=state).texts == 1_000
    found = attack_with_policy(1_200, 7, state=state)
    assert (found.texts, found.confirmed, found.exceptions) == (1_200, {}, {})


def test_proportional_equations_are_the_same() -> None:
    """Also where the first sample is a root of both."""
    root = "the only real solution of 7x - 1 = 0 is x = 1/7."
    double = "the only real solution of 14x - 2 = 0 is x = 1/7."
    other = "the real solutions of 7x^2 - x = 0 are exactly x = 0 and x = 1/7."
    found = [read_statement(statement) for statement in (root, double, other)]
    first, second, third = (one.claim for one in found if isinstance(one, Proposition))
    assert same_equation(first, second)
    assert not same_equation(first, third)


@pytest.mark.slow
def test_no_bogus_proof_is_scored_1() -> None:
    found = attack_with_bogus_proofs(1, 7_100_000)
    assert (found.confirmed, found.exceptions, found.examples) == ({}, {}, [])


@pytest.mark.slow
def test_no_mutant_that_is_wrong_is_scored_1() -> None:
    found = fuzz(1_500, 7_200_000)
    assert (found.confirmed, found.exceptions, found.examples) == ({}, {}, [])
    assert found.accepted > 20
