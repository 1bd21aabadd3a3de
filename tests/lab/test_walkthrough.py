"""Analyses go through proofs item by item: what they work out is true, and no item is both right and wrong."""

import re
from operator import eq, gt, lt, ne

import pytest
from sympy import expand

from lab import LEVELS, families, generate
from lab.analyses import right_complaints, write_analysis
from lab.claims import Claim, Sequence
from lab.complaints import END
from lab.language import read_expression
from lab.planter import labeled_proof
from lab.statements import read_statement
from lab.theorem import Proposition
from lab.walkthrough import items
from tests.lab.independent import value

pytestmark = pytest.mark.slow

ORDERS = {"equal": eq, "unequal": ne, "below": lt, "above": gt}
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
    assert lines[0] == "Line 1 gives 5 - 4 = 1; 1 and 2: below."
    assert lines[1].startswith("Line 1: 5 - 4 = 2 is ")
    assert len(lines) == 2  # a grave defect decides the score


def test_a_proof_is_gone_through_relation_by_relation() -> None:
    squares = "So x^2 + 4x + 5 = x^2 + 4x + 4 + 1 = (x + 2)^2 + 1."
    assert body(SQUARE, squares, "Hence (x + 2)^2 + 1 >= 1.", "So the claim is true.")[:-1] == [
        "Line 1 gives 4 + 1 = 5; x^2 + 4x + 5 and x^2 + 4x + 5: equal.",
        "Line 1: x^2 + 4x + 5 = x^2 + 4x + 4 + 1 is right.",
        "Line 1 gives (x + 2)^2 = x^2 + 4x + 4; 4 + 1 = 5; 4 + 1 = 5; x^2 + 4x + 5 and x^2 + 4x + 5: equal.",
        "Line 1: = (x + 2)^2 + 1 is right.",
        "Line 2 gives 1 and 1: equal.",
        "Line 2: (x + 2)^2 + 1 >= 1 is right.",
        "Line 3 gives found (x + 2)^2 + 1 >= 1; claimed >= 1: it holds; said to hold.",
        RIGHT,
    ]


@pytest.mark.parametrize(("said", "stated", "right"), [("true", "hold", True), ("false", "fail", False)])
def test_before_the_verdict_what_is_found_stands_beside_the_claim(said: str, stated: str, right: bool) -> None:
    lines = body(BY_PRODUCT, "So (x - 2)(x - 3) = 0.", "Hence x = 2 or x = 3.", f"The claim is {said}.")
    assert lines[2:4] == [
        "Line 2: x = 2 or x = 3 is right.",
        f"Line 3 gives found 2, 3; claimed 2, 3; 2 and 2: equal; 3 and 3: equal: it holds; said to {stated}.",
    ]
    assert (lines[4] == RIGHT) == right


def test_products_are_multiplied_out_and_solutions_divided_before_they_are_judged() -> None:
    lines = body(BY_PRODUCT, "So (x - 2)(x + 3) = 0.")
    assert lines[0] == "Line 1 gives (x - 2)(x + 3) = x^2 + x - 6."
    assert lines[1].startswith("Line 1: (x - 2)(x + 3) = 0 ")
    linear = "Prove or refute: the only real solution of 2(x + 1) = -x + 8 is x = 2."
    steps = "Expand: 2x + 2 = -x + 8.", "Collect terms: 2x + x = 8 - 2.", "So -3x = -6.", "Divide: x = 2."
    lines = body(linear, *steps)
    assert lines[0] == "Line 1 gives 2(x + 1) = 2x + 2."
    assert "Line 4 gives 6/3 = 2; 2 and 2: equal." in lines


def test_a_chain_at_a_point_is_compared_term_by_term() -> None:
    lines = body(SQUARE, "At x = -3: x^2 + 4x + 5 = 9 + 4(-3) + 5 = 9 - 12 + 6 = 3.")
    assert lines[0] == "Line 1 gives 4(-3) = -12; 9, -12, 5 and 9, -12, 5: equal."
    assert lines[2] == "Line 1 gives 9, -12, 5 and 9, -12, 6: unequal."
    assert lines[3].startswith("Line 1: = 9 - 12 + 6 is ")
    assert not lines[3].endswith("right.")


def test_terms_in_another_order_are_added_up() -> None:
    lines = body(SQUARE, "At x = -3: x^2 + 4x + 5 = 5 - 12 + 9.")
    worked = "9 - 12 = -3; -3 + 5 = 2; 5 - 12 = -7; -7 + 9 = 2; 2 and 2: equal"
    assert lines[0] == f"Line 1 gives {worked}."


def test_values_of_both_sides_are_compared() -> None:
    two_sides = "Prove or refute: x^2 + 1 >= x^2 + x for all real x."
    lines = body(two_sides, "At x = 3: x^2 + 1 = 10 and x^2 + x = 12.", "The claim is false.")
    assert "Line 2 gives found 10 and 12: below; claimed >= x^2 + x: it fails; said to fail." in lines


def test_a_false_sum_in_an_equation_is_a_wrong_step_and_loses_no_solution() -> None:
    line = body(BY_PRODUCT, "Here 6 - 2 = 3.")[1]
    assert line.startswith("Line 1: 6 - 2 = 3 is ")


@pytest.mark.parametrize("family", families())
def test_complaints_of_planted_proofs_stand_in_the_place_of_their_item(family: str) -> None:
    complaints, missed = 0, 0
    for level in LEVELS:
        for seed in range(10):
            theorem = generate(family, level, seed, "test")
            proof = labeled_proof(theorem, seed, (1, 1, 0))
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
            for item in items(theorem, labeled_proof(theorem, seed, (1, 0, 0)).text):
                if said := re.search(r": it (holds|fails); said to (?:hold|fail)$", item.working):
                    assert (said[1] == "holds") == theorem.truth
                elif item.working:
                    sequence = theorem.claim.sequence if isinstance(theorem.claim, Claim) else None
                    assert all(_is_true(part, sequence) for part in item.working.split("; ")), item.working
                    compared += 1
    assert compared or family not in {"equations", "inequalities"}


def _is_true(part: str, sequence: Sequence | None) -> bool:
    """True where an equation or a comparison of expressions or lists of numbers holds, by sympy."""
    pair, _, order = part.partition(": ")
    left, right = re.split(" = | and ", pair)
    if "," in pair:
        return (order == "equal") == (left == right)
    difference = expand(value(read_expression(left), sequence) - value(read_expression(right), sequence))
    return bool(ORDERS[order or "equal"](difference, 0))


@pytest.mark.parametrize(
    ("solutions", "said"),
    [
        ("x = 3 or x = 2", "found 2, 3; claimed 2, 3; 2 and 2: equal; 3 and 3: equal: it holds; said to hold"),
        ("x = 2 or x = -3", "found -3, 2; claimed 2, 3; -3 and 2: below: it holds; said to hold"),
        ("x = 2", "found 2; claimed 2, 3; 2 and 2: equal; 3 is not found: it holds; said to hold"),
        (
            "x = 2 or x = 3 or x = 5",
            "found 2, 3, 5; claimed 2, 3; 2 and 2: equal; 3 and 3: equal; 5 is not claimed: it holds; said to hold",
        ),
    ],
)
def test_solutions_are_matched_in_their_order(solutions: str, said: str) -> None:
    proposition = read_statement(BY_PRODUCT)
    assert isinstance(proposition, Proposition)
    assert items(proposition, f"So {solutions}.\nThe claim is true.")[-1].working == said
