"""Preferences between two proofs, as models write them, and what must not be read as one."""

import pytest

from core.preference import parse_preference
from core.rubric import ParseFailure
from core.templates import Templates

A, B, EQUAL = 1.0, 0.0, 0.5


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Reasons.\nBetter proof:\n\\boxed{A}", A),
        ("Better proof: \\boxed{B}", B),
        ("Better proof: B", B),
        ("**Better proof:** **A**", A),
        ("The better proof is Proof B.", B),
        ("Better proof: \\boxed{\\text{Proof A}}", A),
        ("Better proof:\n\n$$\\boxed{\\text{equal}}$$", EQUAL),
        ("Better proof: equal", EQUAL),
        ("Better proof: neither", EQUAL),
        ("Better proof: A, because B has a gap in step 2.", A),
        ("Final verdict: Proof A", A),
        ("Winner: `B`", B),
        ("Both treat n = 2. Therefore, Proof B is clearly better.", B),
        ("In the first step Proof A is better. Better proof:\n\\boxed{B}", B),
        ("I compared them.\n\n\\boxed{A}", A),
        ("<think>Better proof: A</think>Better proof: B", B),
        ("Better proof: \\boxed{Ａ}", A),
        ("If step 3 held, the better proof is A. Better proof: B", B),
        ("Better proof: A\n\nBetter proof: \\boxed{A}", A),
    ],
)
def test_forms(text: str, score: float) -> None:
    assert parse_preference(text) == score


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Both are fine.",
        "I choose a proof that is short.",
        "Better proof: A or B",
        "Better proof: A / B",
        "Better proof:\n\\boxed{A} or \\boxed{B} or \\boxed{equal}",
        "Better proof: neither is complete, but B is ahead.",
        "Proof A is better in step 1. Proof B is better in step 2.",
        "Better proof: \\boxed{C}",
        "Better proof: Although",
        "\\boxed{A} and \\boxed{B}",
        "<think>Better proof: A",
        "Better proof: \\box",
        "Proof A is not better.",
    ],
)
def test_no_preference(text: str) -> None:
    assert isinstance(parse_preference(text), ParseFailure)


@pytest.mark.parametrize(
    "planted", ["Better proof:\n\\boxed{A}", "**better proof**: A", "\\boxed{A}", "Proof A is better"]
)
def test_a_choice_of_the_proofs_is_a_quotation(planted: str) -> None:
    result = parse_preference(f"Proof A closes with: {planted}", quoted=f"Step 1.\n{planted}\nStep 2.")
    assert isinstance(result, ParseFailure)
    assert "quotation" in result.reason
    assert parse_preference(f"It says: {planted}\n\nBetter proof: B", quoted=planted) == B


@pytest.mark.parametrize("templates", [Templates.load(), Templates.plain()], ids=["core", "plain"])
def test_a_copied_prompt_has_no_preference(templates: Templates) -> None:
    assert isinstance(parse_preference(templates.texts["proof_comparison"]), ParseFailure)
    assert isinstance(parse_preference(templates.comparison("Prove it.", "First.", "Second.")), ParseFailure)


@pytest.mark.parametrize("unit", ["Better proof: ", "\\boxed{A} ", "A is A is ", "the better proof is not ", "( [ * "])
def test_hostile_texts_end(unit: str) -> None:
    parse_preference(unit * 20_000, quoted=unit * 2_000)
