"""A model's domain: the statements of its families and levels are inside, and others outside for a reason."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import LemmataError
from lab import generate
from lab.domain import FILE, ModelDomain, outside, read_domain

DOMAIN = ModelDomain(families=("inequalities", "equations"), levels=(1, 2, 3), prompts="lab", collected=False)


@pytest.mark.parametrize("family", DOMAIN.families)
@pytest.mark.parametrize("level", DOMAIN.levels)
def test_statements_of_its_levels_are_inside(family: str, level: int) -> None:
    assert [outside(DOMAIN, generate(family, level, seed, "test").statement) for seed in range(40)] == [""] * 40


def test_a_model_trained_on_collected_terms_is_asked_nothing_else() -> None:
    narrow = replace(DOMAIN, collected=True)
    assert outside(narrow, "Prove or refute: x^2 + 6x + 11 >= 2 for all real x.") == ""
    split = "Prove or refute: x^2 + 4x + 9 + 2x + 2 >= 2 for all real x."
    assert (outside(narrow, split), outside(DOMAIN, split)) == (
        "it has more to collect than what is drawn there",
        "",
    )


@pytest.mark.parametrize("level", [4, 5, 6])
@pytest.mark.parametrize("family", DOMAIN.families)
def test_statements_of_higher_levels_are_outside(family: str, level: int) -> None:
    assert all(outside(DOMAIN, generate(family, level, seed, "test").statement) for seed in range(20))


def test_numbers_count_by_level() -> None:
    easy = ModelDomain(families=("inequalities",), levels=(1,), prompts="lab")
    statement = "Prove or refute: 2x^2 - 12x + 20 >= 0 for all real x."
    assert (outside(DOMAIN, statement), outside(easy, statement)) == (
        "",
        "it has larger numbers than what is drawn there",
    )


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("Prove or refute: x^2 + 6x + 11 >= 2 for all real x.", ""),
        (" Prove or refute: the only real solution of 2x + 3 = 7 is x = 2.\n", ""),
        ("x^2+6x+11 >= 2 for all real x", 'the lab writes "Prove or refute: x^2 + 6x + 11 >= 2 for all real x."'),
        (
            "Prove or refute: 2 <= x^2 + 6x for all real x.",
            'the lab writes "Prove or refute: x^2 + 6x >= 2 for all real x."',
        ),
        ("Prove or refute: x^2 + y^2 >= 0 for all real x and y.", "it has more variables than"),
        ("Prove or refute: (x + 1)(x + 2) >= -3 for all real x.", "it has more to multiply out than"),
        ("Prove or refute: x^2 + 600x + 100000 >= 0 for all real x.", "it has larger numbers than"),
        ("Prove or refute: x^2 + 1/100 >= 0 for all real x.", "it has larger denominators than"),
        ("Prove or refute: the only real solution of x^3 = 8 is x = 2.", "it has a higher degree than"),
        ("Prove or refute: (x + 1)^2 = x^2 + 2x + 1 for all real x.", "it belongs to the lab's identities"),
        ("Prove or refute: 3 divides n^3 - n for all integers n.", "it belongs to the lab's divisibility"),
        ("Prove that there are infinitely many primes.", "its words are none of those"),
        ("", "a statement is one sentence"),
    ],
)
def test_reasons(statement: str, reason: str) -> None:
    found = outside(DOMAIN, statement)
    assert reason in found
    assert bool(found) == bool(reason)


def test_the_file(tmp_path: Path) -> None:
    assert read_domain(tmp_path) is None
    path = tmp_path / FILE
    path.write_text(json.dumps({"families": ["inequalities", "equations"], "levels": [1, 2, 3], "prompts": "lab"}))
    assert read_domain(tmp_path) == replace(DOMAIN, collected=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "domain.json cannot be read: "),
        ("[]", "domain.json"),
        ('{"families": ["primes"], "levels": [1], "prompts": "lab"}', "families are some of identities, "),
        ('{"families": ["sums"], "levels": [9], "prompts": "lab"}', "levels are some of (1, 2"),
        ('{"families": ["sums"], "levels": [1], "prompts": "lab", "more": 1}', "more: there is no such setting"),
        ('{"families": ["sums"], "levels": [1]}', "prompts is not set"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(LemmataError) as caught:
        read_domain(tmp_path)
    assert message in str(caught.value)
