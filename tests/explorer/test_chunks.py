"""Chunks of a long text: together they are the text, and no formula, display or code block is cut."""

import json

from hypothesis import given
from hypothesis import strategies as st

from explorer.chunks import chunks
from explorer.math_markdown import MAX_FORMULA, normalize
from tests.shared import shared

PIECES = ("word\n", "\n\n", "so $x$\n", "$$\nx\n\n$$\n", "```\ncode\n\nmore\n```\n", "- a\n\n  b\n", "1. c\n", "> q\n")


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_no_display_or_code_is_cut(markdown: str) -> None:
    parts = chunks(markdown, 20)
    assert "".join("".join(parts).split()) == "".join(markdown.split())
    for part in parts:
        assert part.count("```") % 2 == 0
        assert part.count("$$") % 2 == 0
        assert part.replace("$$", "").count("$") % 2 == 0


def test_a_paragraph_without_end_is_cut_between_words() -> None:
    parts = chunks("word $x y$ " * 5000, 1000)
    assert len(parts) > 10
    assert all(len(part) < 3000 and part.count("$") % 2 == 0 for part in parts)


def test_released_proofs_are_cut_into_whole_blocks() -> None:
    folder = shared("data/deepseek_math_v2/outputs")
    for line in (folder / "Putnam2024.jsonl").read_text().splitlines():
        markdown = normalize(json.loads(line)["model_prediction"]["proof"])
        parts = chunks(markdown, 2000)
        assert "".join(parts) == markdown
        assert all(part.count("$$") % 2 == 0 for part in parts)


def test_a_formula_without_end_is_code() -> None:
    shown = normalize(f"so \\({'x+' * MAX_FORMULA}1\\) holds")
    assert "$" not in shown
    assert shown.startswith("so ` x+x+")
