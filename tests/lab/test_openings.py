"""Larger steps are taken apart where they open powers of two terms and multiples of sums, and only there."""

import pytest

from lab import Kind, check
from lab.certificate import CertificateStep
from lab.checker import certificate_of
from lab.statements import read_statement
from lab.theorem import Proposition


def proposition(statement: str) -> Proposition:
    """Proposition of a statement."""
    found = read_statement(statement)
    assert isinstance(found, Proposition)
    return found


@pytest.mark.parametrize(
    ("statement", "step"),
    [
        ("2x^2 - 4x + 5 > 0 for all real x.", "2x^2 - 4x + 5 = 2(x - 1)^2 + 3 > 0."),
        ("2x^2 + 2y^2 >= 4xy - 1 for all real x and y.", "2x^2 + 2y^2 - 4xy + 1 = 2(x - y)^2 + 1 >= 0."),
        (
            "x^2 + y^2 + 1 >= xy + x + y for all real x and y.",
            "x^2 + y^2 + 1 - xy - x - y = (x - y)^2/2 + (x - 1)^2/2 + (y - 1)^2/2 >= 0.",
        ),
        (
            "(x + 1)^3 - 1 = x^3 + 3x^2 + 3x for all real x.",
            "(x + 1)^3 - 1 = x^3 + 3x^2 + 3x + 1 - 1 = x^3 + 3x^2 + 3x.",
        ),
    ],
)
def test_powers_of_two_terms_are_opened_in_one_line(statement: str, step: str) -> None:
    claimed = proposition(statement)
    text = f"{step}\nThe claim is true."
    assert check(claimed, text).score == 1
    certificate = certificate_of(claimed, text)
    assert certificate is not None
    assert sum(isinstance(node, CertificateStep) for node in certificate.nodes) > step.count(" = ")


@pytest.mark.parametrize(
    ("statement", "step"),
    [
        (
            "(x + 1)(x + 2) + (x - 3)(x + 4) = 2x^2 + 4x - 10 for all real x.",
            "(x + 1)(x + 2) + (x - 3)(x + 4) + 1 = 2x^2 + 4x - 9.",
        ),
        ("x^2 = (x - 1)^4 for all real x.", "(x - 1)^4 = x^4 - 4x^3 + 6x^2 - 4x + 1."),
        ("x^2 = 2x for all real x.", "For x = 17: (3x - 5)^2 + (2x + 9)^2 = 3965."),
    ],
)
def test_other_large_steps_stay_gaps(statement: str, step: str) -> None:
    verdict = check(proposition(statement), f"{step}\nThe claim is true.")
    assert Kind.GAP in {defect.kind for defect in verdict.defects}


def test_the_claim_is_not_opened_in_one_line() -> None:
    claimed = proposition("(x + 1)^2 + (x - 1)^2 + 2(x + 3)^2 = 4x^2 + 12x + 20 for all real x.")
    verdict = check(claimed, "(x + 1)^2 + (x - 1)^2 + 2(x + 3)^2 = 4x^2 + 12x + 20.\nThe claim is true.")
    assert [defect.kind for defect in verdict.defects] == [Kind.CIRCULAR]


def test_an_opened_step_is_no_citation() -> None:
    claimed = proposition("(x + 1)^2 + (x - 1)^2 = 2x^2 + 2 for all real x.")
    verdict = check(claimed, "As is well known, (x + 1)^2 + (x - 1)^2 + 1 = 2x^2 + 3.\nThe claim is true.")
    assert Kind.UNSUPPORTED_CITATION in {defect.kind for defect in verdict.defects}
