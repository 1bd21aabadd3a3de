"""Analyses go through proofs item by item: what they work out is true, and no item is both right and wrong."""

from fractions import Fraction
from operator import eq, gt, lt

import pytest

from lab import LEVELS, families, generate
from lab.analyses import right_complaints, write_analysis
from lab.complaints import END
from lab.planter import labelled_proof
from lab.statements import read_statement
from lab.theorem import Proposition
from lab.walkthrough import items

ORDERS = {"=": eq, "<": lt, ">": gt}
SQUARE = "Prove or refute: x^2 + 4x + 5 >= 1 for all real x."
BY_PRODUCT = "Prove or refute: the real solutions of x^2 - 5x + 6 = 0 are exactly x = 3 and x = 2."
RIGHT = "Line 3: this is right."


def body(statement: str, *proof: str) -> list[str]:
    """The lines of the analysis of a proof between opening and score; the last without its varying words."""
    proposition = read_statement(statement)
    assert isinstance(proposition, Proposition)
    return write_analysis(proposition, "\n".join(proof)).split("\n")[1:-2]


def test_a_sum_is_added_up_before_it_is_judged() -> None:
    lines = body(SQUARE, "Here 5 - 4 = 2.", "So the claim is true.")
    assert lines[0] == "Line 1: 5 - 4 = 1."
    assert lines[1].startswith("Line 1: 5 - 4 = 2 is ")
    assert len(lines) == 2  # a grave defect decides the score


def test_a_proof_is_gone_through_relation_by_relation() -> None:
    squares = "So x^2 + 4x + 5 = x^2 + 4x + 4 + 1 = (x + 2)^2 + 1."
    assert body(SQUARE, squares, "Hence (x + 2)^2 + 1 >= 1.", "So the claim is true.")[:-1] == [
        "Line 1: x^2 + 4x + 5 = x^2 + 4x + 4 + 1 is right.",
        "Line 1: = (x + 2)^2 + 1 is right.",
        "Line 2: 1 = 1.",
        "Line 2: (x + 2)^2 + 1 >= 1 is right.",
        "Line 3: (x + 2)^2 + 1 >= 1 is found, >= 1 is claimed: the claim is true.",
        RIGHT,
    ]


@pytest.mark.parametrize(("said", "right"), [("true", True), ("false", False)])
def test_before_the_verdict_what_is_found_stands_beside_the_claim(said: str, right: bool) -> None:
    lines = body(BY_PRODUCT, "So (x - 2)(x - 3) = 0.", "Hence x = 2 or x = 3.", f"The claim is {said}.")
    assert lines[1:3] == [
        "Line 2: x = 2 or x = 3 is right.",
        "Line 3: x = 2, x = 3 is found, x = 3, x = 2 is claimed: the claim is true.",
    ]
    assert (lines[3] == RIGHT) == right


def test_a_false_sum_in_an_equation_is_a_wrong_step_and_loses_no_solution() -> None:
    line = body(BY_PRODUCT, "Here 6 - 2 = 3.")[1]
    assert line.startswith("Line 1: 6 - 2 = 3 is ")


@pytest.mark.parametrize("family", families())
def test_complaints_of_planted_proofs_stand_in_the_place_of_their_item(family: str) -> None:
    complaints, missed = 0, 0
    for level in LEVELS:
        for seed in range(10):
            theorem = generate(family, level, seed, "test")
            proof = labelled_proof(theorem, seed, (1, 1, 0))
            places = {(item.line, item.quote) for item in items(theorem, proof.text)}
            text = write_analysis(theorem, proof.text, proof.verdict, seed)
            for complaint in right_complaints(proof.text, proof.verdict):
                if complaint.line == END:
                    continue
                complaints += 1
                missed += (complaint.line, complaint.quote) not in places
                assert f"Line {complaint.line}: {complaint.quote} is right." not in text
    assert missed <= complaints / 20


@pytest.mark.parametrize("family", families())
def test_what_is_worked_out_is_true(family: str) -> None:
    compared = 0
    for level in LEVELS:
        for seed in range(10):
            theorem = generate(family, level, seed, "test")
            for item in items(theorem, labelled_proof(theorem, seed, (1, 0, 0)).text):
                if item.working.endswith((": the claim is true", ": the claim is false")):
                    assert item.working.endswith("true") == theorem.truth
                elif item.working:
                    left, order, right = item.working.rsplit(" ", 2)
                    assert ORDERS[order](added(left), Fraction(right))
                    compared += 1
    assert compared or family not in {"equations", "inequalities"}


def added(text: str) -> Fraction:
    """The value of a sum of numbers as it is written: 5/4 - 3 + 2."""
    first, *rest = text.split(" ")
    return Fraction(first) + sum(
        Fraction(number) * (1 if sign == "+" else -1) for sign, number in zip(rest[::2], rest[1::2], strict=True)
    )
