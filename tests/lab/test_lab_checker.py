"""The checker accepts every written derivation, and names the defects of others."""

import pytest

from lab import LEVELS, Kind, check, families, generate
from lab.algebra import Algebra
from lab.checker import check as check_text
from lab.claims import Claim
from lab.language import read, read_expression
from lab.sentences import Derivation
from lab.theorem import Proposition


def theorem(left: str, right: str, truth: bool) -> Proposition:
    """An identity in x."""
    claim = Claim(read_expression(left), "=", read_expression(right), ("x",))
    return Proposition(f"{left} = {right}", claim, truth)


SQUARE = theorem("(2x - 3)(x + 4) - x^2 + 1", "x^2 + 5x - 11", True)
FALSE = theorem("(x + 1)^2", "x^2 + 1", False)


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("level", LEVELS)
def test_every_written_derivation_scores_1(family: str, level: int) -> None:
    for seed in range(25):
        drawn = generate(family, level, seed, "test")
        assert check(drawn, drawn.derivation).defects == (), drawn.derivation


@pytest.mark.parametrize("family", families())
def test_a_derivation_reads_back_as_its_steps(family: str) -> None:
    for seed in range(20):
        drawn = generate(family, 3, seed, "test")
        read_back = Derivation(read(drawn.derivation))
        assert read_back.text.lower() == drawn.derivation.lower()


@pytest.mark.parametrize(
    "proof",
    [
        "(2x - 3)(x + 4) - x^2 + 1 = 2x^2 + 8x - 3x - 12 - x^2 + 1 = x^2 + 5x - 11. The claim is true.",
        "(x + 4)(2x - 3) + 1 - x^2 = -3x - 12 + 8x + 2x^2 + 1 - x^2\n= x^2 + 5x - 11\nThe claim is true",
        "The claim is true. Expand: (2x - 3)(x + 4) = 2x^2 + 5x - 12; so (2x - 3)(x + 4) - x^2 + 1 = 2x^2 + 5x"
        " - 12 - x^2 + 1 = x^2 + 5x - 11.",
        "x^2 + 5x - 11 = 2x^2 + 5x - 12 - x^2 + 1 = (2x - 3)(x + 4) - x^2 + 1. Hence the claim is true.",
        "For all real x, (2x - 3)(x + 4) - x^2 + 1 - (x^2 + 5x - 11) = 2x^2 + 5x - 12 - x^2 + 1 - (x^2 + 5x - 11) = 0."
        " The claim is true.",
    ],
)
def test_other_orders_and_wordings_are_accepted(proof: str) -> None:
    assert check(SQUARE, proof).defects == ()


@pytest.mark.parametrize(
    ("proof", "score", "kind"),
    [
        ("", 0, Kind.NOT_ADDRESSING),
        ("The claim is true.", 0, Kind.NOT_ADDRESSING),
        ("x = x. The claim is true.", 0, Kind.MISSING_CONCLUSION),
        ("(2x - 3)(x + 4) - x^2 + 1 = x^2 + 5x - 11. The claim is true.", 0, Kind.CIRCULAR),
        ("(2x - 3)(x + 4) - x^2 + 1 = 2x^2 + 5x - 12 - x^2 + 1 = x^2 + 5x - 11.", 0.5, Kind.MISSING_CONCLUSION),
        (
            "(2x - 3)(x + 4) - x^2 + 1 = 2x^2 - 12 - x^2 + 5x + 1 = x^2 + 5x - 11. The claim is false.",
            0,
            Kind.WRONG_CONCLUSION,
        ),
        (
            "(2x - 3)(x + 4) - x^2 + 1 = 2x^2 + 4x - 12 - x^2 + 1 = x^2 + 5x - 11. The claim is true.",
            0,
            Kind.INVALID_STEP,
        ),
        ("(2x - 3)(x + 4) - x^2 + 1 = x^2 + 5x + 3 - 14 = x^2 + 5x - 11. The claim is true.", 0.5, Kind.GAP),
        (
            "By a known identity, (2x - 3)(x + 4) - x^2 + 1 = x^2 + 5x + 3 - 14. = x^2 + 5x - 11. The claim is true.",
            0.5,
            Kind.UNSUPPORTED_CITATION,
        ),
        ("It is not so that (2x - 3)(x + 4) = 0. The claim is true.", 0, Kind.NOT_UNDERSTOOD),
    ],
)
def test_defects_of_an_identity(proof: str, score: float, kind: Kind) -> None:
    verdict = check(SQUARE, proof)
    assert (verdict.score, {defect.kind for defect in verdict.defects}) == (score, {kind})


@pytest.mark.parametrize(
    ("proof", "score"),
    [
        ("For x = 1: (x + 1)^2 = 4 but x^2 + 1 = 2. The claim is false.", 1),
        ("At x = 5: (x + 1)^2 = 36, x^2 + 1 = 26. The sides differ. The claim is false.", 1),
        ("At x = 1/2: (x + 1)^2 = 9/4 and x^2 + 1 = 5/4. The claim is false.", 1),
        ("For x = 1: (x + 1)^2 = 4 but x^2 + 1 = 3. The claim is false.", 0),
        ("For x = 0: (x + 1)^2 = 1 and x^2 + 1 = 1. The claim is false.", 0),
        ("For x = 1: (x + 1)^2 = 4 but x^2 + 1 = 2. The claim is true.", 0),
        ("The claim is false.", 0),
    ],
)
def test_refutations(proof: str, score: float) -> None:
    assert check(FALSE, proof).score == score


def test_a_defect_says_where_it_is() -> None:
    proof = "Expand: (x + 1)^2 = x^2 + 2x + 1.\nHence (x + 1)^2 = x^2 + 1. The claim is true."
    defect = check(FALSE, proof).defects[0]
    assert (defect.place.sentence, proof[defect.place.start : defect.place.end]) == (1, "(x + 1)^2 = x^2 + 1")


def test_the_work_of_one_check_is_bounded() -> None:
    assert Algebra(10).left == 10
    assert check_text(SQUARE, "(x + y + z + 1)^16 = 0.").defects[0].kind is Kind.UNREADABLE
