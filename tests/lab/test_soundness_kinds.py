"""Proofs that prove nothing score 0: each kind of bogus text that earned a point once, in many theorems."""

from functools import cache

import pytest

from lab import Kind, Theorem, check, families, generate
from lab.adversary.bogus import same_equation
from lab.checker import internal_errors
from lab.claims import Claim, Solutions
from lab.expressions import num, render
from lab.sentences import Chain

pytestmark = pytest.mark.slow

LEVELS = (1, 2, 3, 5)
SEEDS = range(7_000_000, 7_000_003)


@cache
def drawn(*names: str) -> list[Theorem]:
    """Theorems of some families, or of all."""
    return [generate(family, level, seed) for family in names or families() for level in LEVELS for seed in SEEDS]


def relation(theorem: Theorem, name: str = "n") -> str:
    """The claim as a relation; of one about solutions, these as alternatives."""
    claim = theorem.claim
    if isinstance(claim, Solutions):
        return " or ".join(f"x = {render(num(root))}" for root in sorted(claim.claimed)) or "there is no real solution"
    text = Chain((claim.left, claim.right), (claim.relation,), "", claim.modulus).text
    return text if name == "n" else text.replace("n", name)


def refused(theorem: Theorem, text: str) -> None:
    """Fails for a text that gets a point, or that the kernel had to stop."""
    before = internal_errors.total()
    result = check(theorem, text)
    assert result.score == 0, f"{theorem.statement}\n{text}"
    assert internal_errors.total() == before


def body(theorem: Theorem) -> str:
    """The written derivation without its verdict."""
    return theorem.derivation.rpartition("\n")[0]


@pytest.mark.parametrize("verdict", ["The claim is true.", "Hence the claim holds.", "The claim is false.", "QED."])
@pytest.mark.parametrize(
    "text",
    [
        "Suppose {claim}.\nThen {claim}.",
        "Assume {claim}.",
        "Assume that {claim} for all n.\nSo {claim}.",
        "Suppose {at_k}.\nThen {at_k}.",
        "Suppose the claim holds for n = k.\nThen {at_k}.",
        "Suppose {at_k}.\nThen {claim}.",
    ],
)
def test_the_claim_assumed_is_not_proved(text: str, verdict: str) -> None:
    for theorem in drawn():
        filled = text.replace("{claim}", relation(theorem)).replace("{at_k}", relation(theorem, "k"))
        refused(theorem, f"{filled}\n{verdict}")


def test_a_complaint_about_the_circle_is_right() -> None:
    theorem = generate("sums", 3, 7_100_001)
    text = f"Suppose {relation(theorem)}.\nThen {relation(theorem)}.\nThe claim is true."
    found = {(defect.kind, defect.place.sentence) for defect in check(theorem, text).defects}
    assert found == {(Kind.CIRCULAR, 0), (Kind.CIRCULAR, 1)}


@pytest.mark.parametrize(
    "planted",
    [
        "5 >= 4.\n= 4.\nThus 5 = 4.",
        "5 >= 4 = 4.\nThus 5 = 4.",
        "5 != 4.\n= 4.\nThus 5 = 4.",
        "4 <= 5.\n= 5.\nThus 4 = 5.",
        "n^5 - n = 0 mod 1.\n= 0 mod 30.",
        "7 = 1 mod 2.\n= 1 mod 3.\nSo 7 = 1 mod 5.",
        "1 = 1 mod 1.\n= 8 mod 1.",
        "0 = 3 mod 3.\nThus 0 = 3.",
        "For x = 2: x^2 = 4.\nThus x^2 = 4.",
        "If n = 2 mod 3 then n^2 = 1 mod 3.\n= n + 8 mod 10.",
        "If n = 1 mod 2 then 2n = 2 mod 4.",
        "If n = 1 mod 2 then n(n - 1)/2 = 0 mod 2.",
        "If n = 1 mod 2 then 2^n = 2 mod 2.\n= 0 mod 4.",
        "For n = 1/2 mod 3: 0 = 0 mod 3.",
    ],
)
def test_a_planted_fact_is_a_defect_whatever_follows(planted: str) -> None:
    for theorem in drawn():
        refused(theorem, f"{planted}\n{theorem.derivation}")


@pytest.mark.parametrize(
    "words",
    [
        "Everything is zero.",
        "Dividing by zero, 1 = 1.",
        "Dividing by 0, 1 = 1.",
        "Since squares are negative, 1 = 1.",
        "Squares are not nonnegative.",
        "No square is nonnegative.",
        "Never is 1 = 1.",
        "It is false that 1 = 1.",
        "We do not have 1 = 1.",
        "Only if 1 = 1.",
        "1 = 1 for some x.",
        "1 = 1 unless x = 0.",
        "Without proof, 1 = 1.",
        "Here 1 + 1 = 2.75.",
        "Here 1 + 1 = 2,75.",
        "Take n and 1 = 2.",
        "For all 0 = 1, 1 = 1.",
        "1 = 1 for all x < 0.",
        "1 = 1 for all 0 = 1.",
        "Take x.",
        "Here x + 1.",
        "Expand x = 1 and 1 = 1.",
        "By induction on 1 = 2, 1 = 1.",
        "For all x, x = 1.",
    ],
)
def test_words_and_chains_that_decide_the_meaning_are_read(words: str) -> None:
    for theorem in drawn():
        refused(theorem, f"{words}\n{theorem.derivation}")


@pytest.mark.parametrize(
    "verdict",
    [
        "The claim is never {truth}.",
        "The claim is not {truth}.",
        "The claim is hardly {truth}.",
        "The claim is {truth} for all 0 = 1.",
        "The claim is {truth} for all x < 0.",
        "The claim is {truth} for y = 7.",
        "The claim is {truth} for some x.",
        "The claim is {truth} for all z.",
        "The claim is {truth} only if 1 = 2.",
        "No claim is {truth}.",
        "The claim is {truth} or {contrary}.",
        "The claim is {truth}. The claim is {contrary}.",
        "If 1 = 1 then the claim is {truth}.",
        "Perhaps the claim is {truth}.",
    ],
)
def test_weaker_and_contrary_verdicts_are_none(verdict: str) -> None:
    for theorem in drawn():
        truth, contrary = ("true", "false") if theorem.truth else ("false", "true")
        refused(theorem, f"{body(theorem)}\n{verdict.format(truth=truth, contrary=contrary)}")


def test_a_bound_in_a_verdict_may_not_weaken_the_claim() -> None:
    for theorem in drawn():
        claim = theorem.claim
        if not theorem.truth or not isinstance(claim, Claim):
            continue
        name, first = claim.variables[0], claim.domain.first
        refused(theorem, f"{body(theorem)}\nThe claim is true for all {name} >= {100 if first is None else first + 1}.")
        if not claim.domain.integer:
            refused(theorem, f"{body(theorem)}\nThe claim is true for all integers {name}.")
        if first is not None:
            assert check(theorem, f"{body(theorem)}\nThe claim is true for all {name} >= {first}.").score == 1


def test_decimals_are_numbers() -> None:
    theorem = generate("equations", 3, 1)
    assert check(theorem, f"Here 1/2 + 1 = 1.5.\n{theorem.derivation}").score == 1
    for theorem in drawn("equations"):
        if "x = 3" in theorem.derivation:
            refused(theorem, theorem.derivation.replace("x = 3", "x = 3.5"))


def test_no_case_is_done_by_its_name() -> None:
    for theorem in drawn("divisibility", "sums", "recurrences"):
        lines = theorem.derivation.split("\n")
        for place, line in enumerate(lines):
            if line.startswith(("Case", "If", "For", "When", "Base case", "At")) and theorem.truth:
                without = [*lines[:place], *lines[place + 1 :]]
                refused(theorem, "\n".join(without))
                head = line.replace(" then", ":").replace(",", ":").partition(":")[0]
                refused(theorem, "\n".join([*lines[:place], f"{head}.", *lines[place + 1 :]]))


@pytest.mark.parametrize(
    "text", ["1 = 1.", "0 = 0.\n1 = 1.", "1 > 0.", "x = x.", "For n = 0: 0 = 0.\nFor n = 1: 1 = 1.", "Proof."]
)
def test_nothing_is_proved_by_nothing(text: str) -> None:
    for theorem in drawn():
        refused(theorem, f"{text}\nThe claim is true.")
        refused(theorem, f"{text}\nThe claim is false.")


@pytest.mark.parametrize("family", families())
def test_the_proof_of_another_claim_proves_nothing(family: str) -> None:
    theorems = drawn(family)
    for theorem in theorems:
        for other in theorems:
            alike = same_equation(theorem.claim, other.claim)
            if other.statement != theorem.statement and other.level == theorem.level and not alike:
                refused(theorem, other.derivation)


def test_a_congruence_restated_is_not_proved() -> None:
    for theorem in drawn("divisibility"):
        refused(theorem, f"{relation(theorem)}.\nThe claim is true.")
        refused(theorem, f"Clearly {relation(theorem)}.\n= 0 + {render(theorem.claim.right)}.\nThe claim is true.")


def test_solutions_are_not_read_off_the_equation() -> None:
    for level in (1, 2, 3, 4, 5, 6):
        for seed in SEEDS:
            theorem = generate("equations", level, seed, "test")
            if "\n" in body(theorem):  # 3x = 6 is solved by its division alone
                refused(theorem, f"So {relation(theorem)}.\nThe claim is true.")
