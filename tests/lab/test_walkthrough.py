"""Analyses go through proofs item by item: what they work out is true, and no item is both right and wrong."""

import re
from operator import eq, gt, lt, ne

import pytest
from sympy import expand

from lab import LEVELS, families, generate
from lab.analyses import right_complaints, write_analysis
from lab.claims import Claim, NumberSequence
from lab.complaints import END
from lab.language import read_expression
from lab.planter import labeled_proof
from lab.statements import read_statement
from lab.theorem import Proposition
from lab.walkthrough import items
from tests.lab.independent import value

pytestmark = pytest.mark.slow

ORDERS = {"same": eq, "other": ne, "equal": eq, "below": lt, "above": gt}
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
    assert lines[1] == "Line 1 gives 5 - 4 = 1; 1 and 2: other."
    assert lines[2].startswith("Line 1: 5 - 4 = 2 is ")
    assert len(lines) == 3  # a grave defect decides the score


def test_a_proof_is_gone_through_relation_by_relation() -> None:
    squares = "So x^2 + 4x + 5 = x^2 + 4x + 4 + 1 = (x + 2)^2 + 1."
    assert body(SQUARE, squares, "Hence (x + 2)^2 + 1 >= 1.", "So the claim is true.")[:-1] == [
        "Claim and proof give x^2 and x^2: same; 4x and 4x: same; 5 and 5: same; 1 and 1: same; stated: it holds.",
        "Line 1 gives x^2: 1 and 1: same; x: 4 and 4: same; number: 5 and 4 + 1 = 5: same.",
        "Line 1: this is right.",
        "Line 1 gives (x + 2)^2 = x^2 + 2x + 2x + 4; x^2: 1 and 1: same; x: 4 and 2 + 2 = 4: same; "
        "number: 4 + 1 = 5 and 4 + 1 = 5: same.",
        "Line 1: this is right.",
        "Line 2 gives (x + 2)^2 and (x + 2)^2: same; 1 and 1: same; 1 and 1: equal.",
        "Line 2: this is right.",
        "Line 3 gives 1 and 1: same; >= and >=: it holds; stated: it holds: same.",
        RIGHT,
    ]


@pytest.mark.parametrize(
    ("proof", "start"),
    [
        # another theorem's proof, the claim's numbers miscopied
        ("We have x^2 + 6x + 10 = (x + 3)^2 + 1.\nHence (x + 3)^2 + 1 >= 1.", "x^2 and x^2: same; 4x and 6x: other"),
        ("We have x^2 + 4x + 7 = (x + 2)^2 + 3.\nHence (x + 2)^2 + 3 >= 1.", "4x and 4x: same; 5 and 7: other"),
        # another claim's side, nothing reached, nothing at all
        ("We have x^2 + 4x + 5 = (x + 2)^2 + 1.\nHence (x + 2)^2 + 1 >= 0.", "5 and 5: same; 1 and 0: other"),
        ("We have x^2 + 4x + 5 = (x + 2)^2 + 1.", "5 and 5: same; 1 and nothing: other"),
        ("", "x^2 and nothing: other"),
    ],
)
def test_a_proof_of_something_else_is_seen_before_its_lines_are_judged(proof: str, start: str) -> None:
    lines = body(SQUARE, *proof.split("\n"), "The claim is true.")
    assert f"{start}; stated: it holds." in lines[0]
    assert lines[-1].startswith("At the end: ")


@pytest.mark.parametrize(("said", "stated", "agree"), [("true", "holds", "same"), ("false", "fails", "other")])
def test_what_follows_what_is_stated_and_whether_they_agree_are_three_decisions(
    said: str, stated: str, agree: str
) -> None:
    lines = body(BY_PRODUCT, "So (x - 2)(x - 3) = 0.", "Hence x = 2 or x = 3.", f"The claim is {said}.")
    assert lines[0] == f"Claim and proof give 2 and 2: same; 3 and 3: same; stated: it {stated}."
    assert lines[3:6] == [
        "Line 2 gives 2 and 2: same; 3 and 3: same.",
        "Line 2: this is right.",
        f"Line 3 gives 2 and 2: same; 3 and 3: same: it holds; stated: it {stated}: {agree}.",
    ]
    assert (lines[6] == RIGHT) == (agree == "same")


@pytest.mark.parametrize(
    ("proof", "outcome"),
    [
        # another right side: the pair that decides stands in the verdict's own line
        ("So x^2 + 4x + 5 = (x + 2)^2 + 1.\nHence (x + 2)^2 + 1 >= 0.", "1 and 0: other"),
        # a relation that is not of what was worked out
        ("So x^2 + 4x + 5 = (x + 2)^2 + 1.\nHence x^2 + 1 >= 1.", "(x + 2)^2 and x^2: other"),
    ],
)
def test_a_verdict_that_does_not_follow_is_faulted_at_once(proof: str, outcome: str) -> None:
    lines = body(SQUARE, *proof.split("\n"), "So the claim is true.")
    assert lines[-2] == f"Line 3 gives {outcome}: it is open; stated: it holds: other."
    assert lines[-1].startswith("At the end: ")


def test_products_are_multiplied_out_and_solutions_divided_before_they_are_judged() -> None:
    lines = body(BY_PRODUCT, "So (x - 2)(x + 3) = 0.")
    products = "(x - 2)(x + 3) = x^2 + 3x - 2x - 6"
    assert lines[1] == f"Line 1 gives {products}; x^2: 1 and 1: same; x: -5 and 3 - 2 = 1: other."
    assert lines[2].startswith("Line 1: (x - 2)(x + 3) = 0 ")
    linear = "Prove or refute: the only real solution of 2(x + 1) = -x + 8 is x = 2."
    steps = "Expand: 2x + 2 = -x + 8.", "Collect terms: 2x + x = 8 - 2.", "So -3x = -6.", "Divide: x = 2."
    lines = body(linear, *steps)
    assert lines[1].startswith("Line 1 gives 2(x + 1) = 2x + 2; x: 2 + 1 = 3 and 2 + 1 = 3: same; ")
    assert "Line 4 gives 6/3 = 2; 2 and 2: same." in lines


def test_a_chain_at_a_point_is_compared_term_by_term() -> None:
    lines = body(SQUARE, "At x = -3: x^2 + 4x + 5 = 9 + 4(-3) + 5 = 9 - 12 + 6 = 3.")
    assert lines[1] == "Line 1 gives 4(-3) = -12; 9 and 9: same; -12 and -12: same; 5 and 5: same."
    values = "9 and 9: same; -12 and -12: same; 5 and 6: other"
    assert lines[3] == f"Line 1 gives {values}; 9 - 12 + 5 = -3 + 5 = 2 and 9 - 12 + 6 = -3 + 6 = 3: other."
    assert lines[4].startswith("Line 1: = 9 - 12 + 6 is ")
    assert not lines[4].endswith("right.")


def test_terms_in_another_order_are_added_up() -> None:
    lines = body(SQUARE, "At x = -3: x^2 + 4x + 5 = 5 - 12 + 9.")
    worked = "9 and 5: other; 9 - 12 + 5 = -3 + 5 = 2 and 5 - 12 + 9 = -7 + 9 = 2: same"
    assert lines[1] == f"Line 1 gives {worked}."


def test_values_of_both_sides_are_compared() -> None:
    two_sides = "Prove or refute: x^2 + 1 >= x^2 + x for all real x."
    lines = body(two_sides, "At x = 3: x^2 + 1 = 10 and x^2 + x = 12.", "The claim is false.")
    assert "Line 2 gives 10 and 12: below: it fails; stated: it fails: same." in lines


def test_a_false_sum_in_an_equation_is_a_wrong_step_and_loses_no_solution() -> None:
    line = body(BY_PRODUCT, "Here 6 - 2 = 3.")[2]
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
                if item.working and item.line != END and "stated: " not in item.working:
                    sequence = theorem.claim.sequence if isinstance(theorem.claim, Claim) else None
                    assert all(_is_true(part, sequence) for part in item.working.split("; ")), item.working
                    compared += 1
    assert compared or family not in {"equations", "inequalities", "identities"}


@pytest.mark.parametrize("family", families())
def test_the_outcome_of_a_right_proof_is_the_truth(family: str) -> None:
    found = 0
    for level in LEVELS:
        for seed in range(10):
            theorem = generate(family, level, seed, "test")
            working = items(theorem, theorem.derivation)[-1].working
            if outcome := re.search(r": it (holds|fails|is open); stated: it (?:holds|fails): (same|other)$", working):
                found += 1
                if outcome[1] != "is open":
                    assert outcome.groups() == ("holds" if theorem.truth else "fails", "same")
    assert found or family not in {"equations", "inequalities", "identities"}


def _is_true(part: str, sequence: NumberSequence | None) -> bool:
    """True where equations and a comparison of the values at their ends, or of two texts, hold, by sympy."""
    if part.endswith(" is no square"):
        return True
    named = part.count(": ") == 2  # a coefficient, behind the name of its monomial
    pair, _, order = (part.partition(": ")[2] if named else part).rpartition(": ")
    sides = [side.split(" = ") for side in (pair or order).split(" and ")]
    if "nothing" in (sides[0][0], sides[-1][0]):
        return order == "other"
    values = [[value(read_expression(term), sequence) for term in side] for side in sides]
    chained = all(expand(one - side[0]) == 0 for side in values for one in side)
    difference = expand(values[0][-1] - values[-1][-1])
    return chained and (not pair or bool(ORDERS[order](difference, 0)))


@pytest.mark.parametrize(
    ("solutions", "said"),
    [
        ("x = 3 or x = 2", "2 and 2: same; 3 and 3: same: it holds; stated: it holds: same"),
        ("x = 2 or x = -3", "2 and -3: other: it fails; stated: it holds: other"),
        ("x = 2", "2 and 2: same; 3 and nothing: other: it fails; stated: it holds: other"),
        (
            "x = 2 or x = 3 or x = 5",
            "2 and 2: same; 3 and 3: same; nothing and 5: other: it fails; stated: it holds: other",
        ),
    ],
)
def test_solutions_are_matched_in_their_order(solutions: str, said: str) -> None:
    proposition = read_statement(BY_PRODUCT)
    assert isinstance(proposition, Proposition)
    assert items(proposition, f"So {solutions}.\nThe claim is true.")[-1].working == said
