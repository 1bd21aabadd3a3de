"""Statements are read as what they were drawn from; what cannot be decided exactly is unsupported, never guessed."""

import random
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import LEVELS, Theorem, check, families, generate
from lab.claims import Solutions
from lab.planter import labeled_proof
from lab.rules.roots import rational_roots
from lab.statements import Unsupported, read_statement
from lab.theorem import Proposition

READ = tuple(family for family in families() if family != "recurrences")
SECONDS = 1.0
WORDS = [
    *("x", "n", "S", "u", "i", "(", ")", "+", "-", "^", "/", "2", "30", "=", ">=", ",", ":", ".", "for", "all", "real"),
    *("integers", "divides", "the", "only", "solution", "of", "is", "has", "no", "are", "exactly", "and", "prove"),
]


def supported(text: str) -> Proposition:
    found = read_statement(text)
    assert isinstance(found, Proposition), found
    return found


@pytest.mark.parametrize("family", READ)
@pytest.mark.parametrize("level", LEVELS)
def test_a_drawn_statement_reads_back_as_its_claim_and_truth(family: str, level: int) -> None:
    for seed in range(15):
        drawn = generate(family, level, seed, "test")
        found = supported(drawn.statement)
        assert (found.statement, found.claim, found.truth) == (drawn.statement, drawn.claim, drawn.truth)


@pytest.mark.parametrize("family", READ)
def test_proofs_get_the_same_verdicts(family: str) -> None:
    for level in LEVELS:
        for seed in range(3):
            drawn = generate(family, level, seed, "test")
            found = supported(drawn.statement)
            for text in (drawn.derivation, labeled_proof(drawn, seed).text, _changed(drawn, seed)):
                assert check(found, text) == check(drawn, text)
            assert check(found, drawn.derivation).score == 1


def _changed(drawn: Theorem, seed: int) -> str:
    """The derivation with one digit replaced."""
    rng = random.Random(seed)
    text = drawn.derivation
    place = rng.choice([index for index, char in enumerate(text) if char.isdigit()])
    return f"{text[:place]}{rng.choice('123456789')}{text[place + 1 :]}"


@given(st.integers(-30, 30), st.integers(-60, 60), st.integers(-60, 60), st.sampled_from([">=", ">", "<=", "<"]))
def test_inequalities_are_true_as_their_discriminant_says(a: int, b: int, c: int, relation: str) -> None:
    found = supported(f"{a}*x^2 + {b}*x >= {-c} for all real x".replace(">=", relation).replace("+ -", "- "))
    if relation in {"<=", "<"}:
        a, b, c = -a, -b, -c
    strict = relation in {">", "<"}
    above = c > 0 if strict else c >= 0
    discriminant = b * b - 4 * a * c
    parabola = a > 0 and (discriminant < 0 if strict else discriminant <= 0)
    assert found.truth == (parabola or (a == b == 0 and above))


@given(
    st.integers(-6, 6).filter(bool),
    st.lists(st.fractions(-20, 20, max_denominator=6), max_size=4),
    st.sampled_from([(1,), (1, 0, 1), (2, 1, 3), (1, 0, -2), (1, 0, -3, -1)]),
)
def test_rational_roots_are_those_that_were_multiplied(lead: int, roots: list[Fraction], rest: tuple[int, ...]) -> None:
    product = [Fraction(lead * value) for value in rest]
    for root in roots:
        product = [
            left - root * right for left, right in zip([*product, Fraction(0)], [Fraction(0), *product], strict=True)
        ]
    assert len(product) < 2 or rational_roots(product) == set(roots)


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("Prove or refute: x^2 + 6x + 11 >= 2 for all real x.", True),
        ("prove that x^2+6x+11>=2 for all real x", True),
        ("Show that 2 <= x^2 + 6x + 11 for all real x.", True),
        ("x^2 < 0 for all real x", False),
        ("x^2 + y^2 >= 2xy for all real x and y", True),
        ("(x + 1)^2 = x^2 + 2x + 1 for all real x", True),
        ("x = x + 1 has no real solution", True),
        ("x^2 + 1 = 0 has no real solution", True),
        ("the only real solution of 6x = 4 is x = 2/3", True),
        ("the real solutions of x^3 = x are exactly x = 0 and x = 1", False),
        ("7 divides n^7 - n for all integers n", True),
        ("n^2 leaves remainder 1 modulo 3 for all integers n", False),
        ("n^2 + 1 is never divisible by 3, for all integers n", True),
        ("3 divides 4^n - 1 for all integers n >= 0", True),
        ("Let S(n) be the sum of i over i = 1, ..., n. S(n) = n(n + 1)/2 for all n >= 1.", True),
        ("Let S(n) be the sum of 2^i over i = 1, ..., n. Show that S(n) = 2^(n + 1) - 2 for all n >= 1.", True),
        ("Let S(n) be the sum of i^3 over i = 1, ..., n. S(n) = n^3 for all n >= 1.", False),
    ],
)
def test_statements_of_ones_own(text: str, truth: bool) -> None:
    assert supported(text).truth == truth


def test_the_wording_of_the_lab() -> None:
    found = supported("show that  x^2+6x+11>=2 for all real x")
    assert found.statement == "Prove or refute: x^2 + 6x + 11 >= 2 for all real x."
    assert supported(found.statement) == found


def test_a_proof_of_a_statement_of_ones_own() -> None:
    found = supported("2 <= x^2 + 6x + 11 for all real x")
    proof = "Complete the square: x^2 + 6x + 11 = (x + 3)^2 + 2. Squares are never negative, so (x + 3)^2 + 2 >= 2."
    assert check(found, f"{proof} The claim is true.").score == 1
    assert check(found, f"{proof} The claim is false.").score == 0


UNDECIDED = {
    "": "a statement is one sentence",
    "Prove that there are infinitely many primes.": "its words are none of those",
    "x^2 = 2 has no real solution": "a solution of this equation is irrational",
    "x^4 >= 0 for all real x": "degree above 2",
    "x^2 >= y for all real x": "no polynomial in x",
    "2^x >= 0 for all real x": "no polynomial in x",
    "x^2 != -1 for all real x": "!= are not decided",
    "x >= 0 for all real 3": "named one by one",
    "the only real solution of x = x is x = 1": "every real x",
    "the only real solution of x = 1 is y = 1": "solutions are written x = 3",
    "the only real solution of x = 1 is x = x": "no polynomial",
    "the only real solution of n = 1 is x = 1": "no polynomial in x",
    "the only real solution of x > 1 is x = 2": "only equations",
    "0 divides n for all integers n": "0 divides nothing",
    "41 divides n for all integers n": "divisors above 40",
    "2 divides n(n + 1)/2 for all integers n": "whole coefficients",
    "2 divides 2^n for all integers n": "n >= 0",
    "2 divides 2^n for all integers n >= 1": "n >= 0",
    "2 divides n + k for all integers n": "other variables",
    "2 divides u(n) for all integers n": "other variables",
    "n leaves remainder 5 modulo 3 for all integers n": "smaller than the divisor",
    "Let S(n) be the sum of i^4 over i = 1, ..., n. S(n) = n for all n >= 1.": "degree 3 at most",
    "Let S(n) be the sum of n over i = 1, ..., n. S(n) = n for all n >= 1.": "in i alone",
    "Let S(n) be the sum of i over i = 1, ..., n. S(n) = S(n) for all n >= 1.": "a closed form is",
    "Let S(n) be the sum of i over i = 1, ..., n. S(n) = n for all n >= 0.": "for all n >= 1",
    "the only real solution of x^12 = 123456789012^12 is x = 1": "too large",
}


@pytest.mark.parametrize("text", UNDECIDED)
def test_what_cannot_be_decided_is_unsupported(text: str) -> None:
    found = read_statement(text)
    assert isinstance(found, Unsupported)
    assert UNDECIDED[text] in found.reason


HOSTILE = {
    "megabytes": "x = x. " * 1_000_000,
    "one long word": "x" * 1_000_000,
    "a long sum": "Let S(n) be the sum of " + "i + " * 100_000 + "i over i = 1, ..., n.",
    "deep parentheses": "(" * 3000 + "x" + ")" * 3000 + " >= 0 for all real x",
    "a tower": "((9^16)^16)^16 = 0 for all real x.",
    "an expansion": "(x + y + z + n + k + m + 1)^16 = 0 for all real x.",
    "many variables": "x >= 0 for all real " + "x, " * 900 + "x and x.",
    "many solutions": "the real solutions of x = 1 are exactly "
    + "".join(f"x = {i}, " for i in range(500))
    + "x = 1 and x = 2.",
    "a high equation": "x^60 + 12345678x^59 + 1 = 0 has no real solution.",
    "large roots": "(123456x - 1)(123455x - 1)(123453x - 1)(x^2 - 3)(x^2 - 5)(x^2 - 7) = 0 has no real solution.",
    "high degree": "x^12 - 40x^11 + 3x^5 - 30x + 7 = 0 has no real solution.",
    "powers": "40 divides " + " + ".join(f"{b}^n" for b in range(2, 99)) + " for all integers n >= 0",
    "a surrogate": "\ud800",
    "code": "__import__('os').system('true') >= 0 for all real x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_statements_are_read_in_bounded_time(name: str) -> None:
    start = time.process_time()
    read_statement(HOSTILE[name])
    assert time.process_time() - start < SECONDS


@settings(max_examples=60)
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(WORDS),
        max_size=25,
    ).map(" ".join)
)
def test_any_text_is_read_or_unsupported(text: str) -> None:
    found = read_statement(text)
    if isinstance(found, Proposition):
        assert check(found, "The claim is true.").score == 0
        assert supported(found.statement).claim == found.claim or isinstance(found.claim, Solutions)
