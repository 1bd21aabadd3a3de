"""Passages: a selection or quotation of a rendered text is found in the source, with its span."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.passages import find_passage
from tests.shared import shared

SOURCE = (
    r"Let \(x<y\). Then \[ \sum_{i=1}^n \lcm(i) = 5 \tag{3}\] holds." "\n\n"
    r"1. Let \(x<y\) again, **bold** words and $\alpha^2$." "\n2. Done \\(\\ge 0\\)."
)  # fmt: skip


@pytest.mark.parametrize(
    ("quote", "near", "expected"),
    [
        ("Let $x< y$.", 0.0, r"Let \(x<y\)."),
        ("Let $x< y$", 0.9, r"Let \(x<y\)"),
        ("bold words and", 0.0, "**bold** words and"),
        (r"Then $\sum_{i=1}^n \operatorname{lcm}(i) = 5 \tag{3}$ holds", 0.0, SOURCE[13:61]),
        ("Done", 0.0, "Done"),
        ("not there", 0.0, None),
        (" .,", 0.0, None),
    ],
)
def test_a_quotation_is_found_by_its_letters(quote: str, near: float, expected: str | None) -> None:
    found = find_passage(SOURCE, quote, near)
    assert (found.text.rstrip(".") if found else None) == (expected.rstrip(".") if expected else None)
    if found:
        assert SOURCE[found.start : found.end] == found.text


@given(st.text(max_size=80), st.text(max_size=20), st.floats(0, 1))
def test_a_passage_is_always_a_part_of_its_source(source: str, quote: str, near: float) -> None:
    found = find_passage(source, quote, near)
    assert found is None or (source[found.start : found.end] == found.text and found.text)


def test_every_sentence_of_the_released_proofs_is_found_where_it_is() -> None:
    folder = shared("data/deepseek_math_v2/outputs")
    proof = json.loads((folder / "IMO2025.jsonl").read_text().splitlines()[0])["model_prediction"]["proof"]
    position = 0
    for line in proof.splitlines():
        start = proof.index(line, position)
        position = start + len(line)
        if sum(char.isalpha() for char in line) > 20:
            found = find_passage(proof, line, start / len(proof))
            assert found is not None
            assert found.start <= start + 10
            assert found.end >= position - 12
