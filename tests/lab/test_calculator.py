"""The lab's calculator: differences of the sides of relations, exact and bounded, and the analyses that use it."""

import pytest

from lab.analyses import analysis_quality, parse_analysis
from lab.calculated import calculated_analysis
from lab.calculator import NOT_READ, calculate
from lab.generator import families
from lab.items import Stream


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("4(x + 1) - 4 = 4x", "0"),
        ("Here 3 - 9 = -5.", "-1"),
        ("4x + 4 - 4 = -2x + 4", "6x - 4"),
        ("For x = 1: (x + 1)(2x - 4) = 2x^2 + 3x - 1 = 5 - 1 = 4", "-8, 0, 0"),
        ("Divide: x = 2/3.", "x - 2/3"),
        ("(x + 1)^2", "x^2 + 2x + 1"),
        ("S(k + 1) = S(k) + 2k", "S(k + 1) - S(k) - 2k"),
        ("-9 + 3 = -6 < -2", "0, -4"),
        ("Hence the claim is true.", "-"),
        ("", "-"),
        ("__import__('os')", NOT_READ),
    ],
)
def test_a_line_has_the_difference_of_each_relation(line: str, expected: str) -> None:
    assert calculate(line) == expected


def test_a_chain_goes_on_from_the_line_before() -> None:
    assert calculate("3(x + 1) = 3x + 3\n= 3x + 4") == "0\n-1"


@pytest.mark.parametrize(
    "text",
    ["2^(9999999)", "(x + y + z + 1)^16 * (x + y + z + 2)^16", "9" * 4000, "(" * 3000, "x" * 10_000, "1/0", "x^x"],
)
def test_a_text_that_would_take_long_is_not_read(text: str) -> None:
    assert calculate(text).startswith(NOT_READ)


def test_an_analysis_with_the_calculator_is_right_and_shorter() -> None:
    stream = Stream("verify", families(), (1, 2, 3), "train", 0)
    lengths = [0, 0]
    for number in range(120):
        item = stream.item(number)
        text = calculated_analysis(item.theorem, item.proof.text, item.proof.verdict, item.draw)
        assert analysis_quality(item.theorem, item.proof.text, text) == 1.0, text
        assert parse_analysis(text).score == item.proof.label
        lengths = [lengths[0] + len(text), lengths[1] + len(item.answer)]
    assert lengths[0] < lengths[1]
