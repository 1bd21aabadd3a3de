"""Remarks in passing are judged: a false one is a defect although nothing follows from it, a true one is none."""

import pytest

from lab import Kind, check
from lab.statements import read_statement
from lab.theorem import Proposition

REAL = "x^2 - 4x + 5 > 0 for all real x."
REAL_PROOF = "x^2 - 4x + 5 = (x - 2)^2 + 1 >= 1 > 0.\nThe claim is true."
WHOLE = "2 divides n^2 + n for all integers n."
WHOLE_PROOF = "If n = 0 mod 2 then n^2 + n = 0 mod 2.\nIf n = 1 mod 2 then n^2 + n = 2 = 0 mod 2.\nThe claim is true."
SUM = "Let S(n) be the sum of 2i over i = 1, ..., n. Prove or refute: S(n) = n^2 + n for all n >= 1."
QUADRATIC = "the real solutions of x^2 - 5x + 6 = 0 are exactly x = 2 and x = 3."


def proposition(statement: str) -> Proposition:
    """Proposition of a statement."""
    found = read_statement(statement)
    assert isinstance(found, Proposition)
    return found


@pytest.mark.parametrize(
    "remark",
    [
        "Let 5 be a real number.",
        "Let x be an integer.",
        "Let x be a natural number.",
        "Let 2x be an arbitrary real number.",
        "Since 5 was arbitrary, 1 = 1.",
        "By induction on 7, 1 = 1.",
        "Working modulo 1, 1 = 1.",
        "Since 2 and 4 are coprime, 1 = 1.",
        "x is either even or odd.",
        "Here 1 - 5 = -4, which is always positive.",
        "Here x = x, which is clearly nonnegative.",
        "Here 7 = 7.\nThis is exactly the right-hand side.",
        "Here 7 = 7, the desired result.",
        "This is the claimed formula.",
        "There are three cases.",
        "The left side is 1 = 1.",
        "The right-hand side equals 7 = 7.",
        "Both sides are 3 = 3.",
        "The other side is 8 = 8.",
        "The discriminant is 7 = 7.",
        "The leading coefficient is 3 = 3.",
        "The constant term is 3 = 3.",
        "The sum is 9 = 9.",
        "One of the factors is zero.",
        "This product is zero exactly when 1 = 1.",
        "The equation becomes 0 = 0.",
        "Dividing both sides by x gives 1 = 1.",
        "By the induction hypothesis, 1 = 1.",
        "Even 1 = 1.",
        "1 = 1 for all x >= 3.",
        "1 = 1 for all integers x.",
        "For x = 1,000: 1 = 1.",
        "Here 1 = 1,0.",
    ],
)
def test_a_false_remark_is_a_defect(remark: str) -> None:
    assert check(proposition(REAL), f"{remark}\n{REAL_PROOF}").score == 0


@pytest.mark.parametrize(
    ("statement", "proof"),
    [
        (REAL, f"Let x be an arbitrary real number.\n{REAL_PROOF}"),
        (REAL, f"The left side is x^2 - 4x + 5 = (x - 2)^2 + 1 > 0.\n{REAL_PROOF}"),
        (REAL, f"The discriminant is (-4)^2 - 4*5 = 16 - 20 = -4.\n{REAL_PROOF}"),
        (REAL, "The inequality is equivalent to x^2 + 5 > 4x.\n" + REAL_PROOF),
        (
            WHOLE,
            f"Let n be an integer.\nEvery integer is even or odd.\nSince 2 and 3 are coprime, 1 = 1.\n{WHOLE_PROOF}",
        ),
        ("x^2 + 1 >= 2x for all real x.", "The inequality means x^2 - 2x + 1 >= 0, that is, (x - 1)^2 >= 0.\nQED."),
        (
            "(x + 1)^2 - 2x = x^2 + 1 for all real x.",
            "(x + 1)^2 - 2x = x^2 + 2x + 1 - 2x.\nThe terms 2x cancel, and we are left with x^2 + 1.\n"
            "This is the right-hand side.\nThe claim is true.",
        ),
    ],
)
def test_a_true_remark_is_none(statement: str, proof: str) -> None:
    assert check(proposition(statement), proof).defects == ()


def test_terms_that_do_not_cancel_are_a_defect() -> None:
    text = "(x + 1)^2 - 2x = x^2 + 2x + 1 - 2x.\nThe terms 3x cancel, and we are left with x^2 + 1.\nThe claim is true."
    assert check(proposition("(x + 1)^2 - 2x = x^2 + 1 for all real x."), text).score == 0


@pytest.mark.parametrize("bound", ["k >= 5", "x", "7", "k >= 1"])
def test_a_case_that_leaves_values_out_is_none(bound: str) -> None:
    text = (
        f"If n = 2k for some {bound}, then n^2 + n = 4k^2 + 2k = 2(2k^2 + k) = 0 mod 2.\n"
        "If n = 2k + 1, then n^2 + n = 4k^2 + 6k + 2 = 2(2k^2 + 3k + 1) = 0 mod 2.\nThe claim is true."
    )
    assert check(proposition(WHOLE), text).score == 0
    assert check(proposition(WHOLE), text.replace(bound, "k", 1)).score == 1


@pytest.mark.parametrize(("bound", "score"), [("k >= 1", 1), ("k", 1), ("k >= 2", 0), ("k >= 5", 0), ("x", 0)])
def test_a_hypothesis_begins_at_the_first_value(bound: str, score: int) -> None:
    text = (
        f"For n = 1: S(1) = 2 and n^2 + n = 2.\nAssume S(k) = k^2 + k for some {bound}.\n"
        "Then S(k + 1) = S(k) + 2(k + 1) = k^2 + 3k + 2 = (k + 1)^2 + k + 1.\nThe claim is true."
    )
    assert check(proposition(SUM), text).score == score


def test_no_formula_without_its_discriminant() -> None:
    for value, score in (("25 - 24 = 1", 1), ("7 = 7", 0)):
        end = "Hence x = (5 + 1)/2 or x = (5 - 1)/2.\nSo x = 3 or x = 2.\nThe claim is true."
        text = f"The discriminant is {value}.\n{end}"
        assert check(proposition(QUADRATIC), text).score == score


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("(x + 2)(2x + 2) - 2x - 5 = 2x^2 + 4x - 1 for all real x.", "(x + 2)(2x + 2) - 2x - 5 = 2x^2 + 4x - 1"),
        ("2(x + 3) - 6 = 2x for all real x.", "2x = 2(x + 3) - 6"),
    ],
)
@pytest.mark.parametrize(
    "text", ["{line}.", "Clearly {line}.", "{line}.\nThen {line}.", "1 = 1.\nSince 2 = 2, {line}."]
)
def test_the_claim_in_one_line_is_circular(statement: str, line: str, text: str) -> None:
    verdict = check(proposition(statement), text.replace("{line}", line) + "\nThe claim is true.")
    assert {defect.kind for defect in verdict.defects} == {Kind.CIRCULAR}
    assert verdict.score == 0


@pytest.mark.parametrize(
    ("start", "score"),
    [
        ("Let k >= 1 and assume S(k) = k^2 + k.", 1),
        ("Let k >= 1 with S(k) = k^2 + k.", 1),
        ("Suppose the claim holds for some k >= 1.", 1),
        ("Let k >= 5 and assume S(k) = k^2 + k.", 0),
        ("Let x be given and assume S(k) = k^2 + k.", 0),
        ("Suppose the claim holds for some k >= 2.", 0),
    ],
)
def test_a_variable_introduced_with_its_hypothesis(start: str, score: int) -> None:
    step = "Then S(k + 1) = S(k) + 2(k + 1) = k^2 + 3k + 2 = (k + 1)^2 + k + 1, which is the formula for k + 1."
    text = (
        f"For n = 1: S(1) = 2 and n^2 + n = 2.\n{start}\n{step}\nSo the claim holds for k + 1, which proves the claim."
    )
    assert check(proposition(SUM), text).score == score
    wrong = text.replace("= k^2 + 3k + 2 = (k + 1)^2 + k + 1, which", ", which")
    assert check(proposition(SUM), wrong).score == 0


@pytest.mark.parametrize(
    ("statement", "proof", "score"),
    [
        ("x^2 - 2x >= 0 for all real x.", "Plugging in x = 1 gives 1 - 2 = -1 < 0.\nThe claim is false.", 1),
        ("x^2 - 2x >= 0 for all real x.", "Plugging in x = 1 gives 5 = 5.\nThe claim is false.", 0),
        (WHOLE, "n^2 + n = n(n + 1) is the product of two consecutive integers, so it is even.\nQED.", 1),
        (WHOLE, "n^2 + n = n(n + 1) is the product of three consecutive integers, so it is even.\nQED.", 0),
        (WHOLE, "n^2 + n is always even.\nQED.", 0),
        (
            "3 divides n^2 + n for all integers n.",
            "n^2 + n = n(n + 1) is the product of two consecutive integers.\nQED.",
            0,
        ),
        (QUADRATIC, "x^2 - 5x + 6 = (x - 2)(x - 3) = 0, so x = 2 or x = 3, as claimed.", 1),
        (QUADRATIC, "5 is a solution.\nx^2 - 5x + 6 = (x - 2)(x - 3) = 0, so x = 2 or x = 3, as claimed.", 0),
        (REAL, "x^2 - 4x + 5 = (x - 2)^2 + 1 >= 1 > 0, with equality exactly when x = 2.\nThe claim is true.", 0),
        (
            "x^2 - 4x + 4 >= 0 for all real x.",
            "x^2 - 4x + 4 = (x - 2)^2 >= 0, with equality exactly when x = 2.\nQED.",
            1,
        ),
        (
            "x^2 - 4x + 4 >= 0 for all real x.",
            "x^2 - 4x + 4 = (x - 2)^2 >= 0, with equality exactly when x = 3.\nQED.",
            0,
        ),
        (
            "3 divides 4^n - 1 for all integers n >= 0.",
            "For n = 0: 4^n - 1 = 0.\nAssume 4^k = 1 mod 3.\nThen 4^(k + 1) - 1 = 4*4^k - 1 = 4 - 1 = 0 mod 3.\nQED.",
            1,
        ),
        (
            "3 divides 4^n - 1 for all integers n >= 0.",
            "For n = 0: 4^n - 1 = 0.\nAssume 4^k = 2 mod 3.\nThen 4^(k + 1) - 1 = 4*4^k - 1 = 8 - 1 = 7 mod 3.\nQED.",
            0,
        ),
    ],
)
def test_mathematicians_forms(statement: str, proof: str, score: int) -> None:
    assert check(proposition(statement), proof).score == score


def test_a_side_that_is_equal_to_itself_refutes_nothing() -> None:
    claimed = proposition("2 divides 3^n for all integers n >= 0.")
    assert check(claimed, "For n = 1: 3^n = 3^n.\nThe claim is false.").score == 0
    assert check(claimed, "For n = 1: 3^n = 3 = 1 mod 2.\nThe claim is false.").score == 1


def test_nothing_is_solved_at_one_value() -> None:
    solved = "(x - 2)(x - 3) = 0.\nx - 2 = 0 or x - 3 = 0.\nSo x = 2 or x = 3.\nThe claim is true."
    assert check(proposition(QUADRATIC), solved).score == 1
    assert check(proposition(QUADRATIC), f"Let x = 2.\n{solved}").score == 0
