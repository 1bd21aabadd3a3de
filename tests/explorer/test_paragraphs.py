"""Changes between two proofs by paragraph, and the complaints about them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.paragraphs import changes, complaints, paragraphs
from explorer.quotes import JudgeText

PIECES = st.sampled_from(["a b", "x", "\n", "\n\n", "$$", "\\[", "\\]", "```\n", "\\begin{cases}", "\\end{cases}", " "])


@given(st.lists(PIECES, max_size=30).map("".join), st.lists(PIECES, max_size=30).map("".join))
def test_every_word_of_both_texts_is_in_one_change(old: str, new: str) -> None:
    found = changes(old, new)
    for text, side in ((old, "old"), (new, "new")):
        parts = [one for change in found for one in getattr(change, side)]
        assert "".join("".join(one.text.split()) for one in parts) == "".join(text.split())
        assert all(text[one.start : one.end].strip() == one.text.strip() for one in parts)
    assert all(change.same for change in changes(old, old))


@pytest.mark.parametrize(("text", "count"), [
    ("One.\n\nTwo.", 2),
    ("Here 1 - 1 = 0.\nFor x = 1: 0 < 1.\nHence.", 3),  # a proof of lines
    ("So\n\n\\[\na\n\nb\n\\]\n\nend", 3),  # an empty line in a display
    ("So\n\n$$\na\n\nb\n$$\n\nend", 3),
    ("\\begin{align}\na\n\nb\n\\end{align}\n\nend", 2),
    ("```\na\n\nb\n```\n\nend", 2),
    ("", 0),
])  # fmt: skip
def test_paragraphs_keep_displays_and_code_whole(text: str, count: int) -> None:
    assert len(paragraphs(text)) == count


def test_versions_of_a_paragraph_are_paired_and_others_are_added_or_removed() -> None:
    old = "Let n be even, so n = 2k.\n\nThen n squared is 4k.\n\nWe digress here.\n\nThis proves it."
    new = "Let n be even, so n = 2k.\n\nThen n squared is 4k squared.\n\nThis proves it.\n\nAn added remark ends it."
    shown = [
        (change.same, [one.text for one in change.old], [one.text for one in change.new])
        for change in changes(old, new)
    ]
    assert shown == [
        (True, ["Let n be even, so n = 2k."], ["Let n be even, so n = 2k."]),
        (False, ["Then n squared is 4k."], ["Then n squared is 4k squared."]),
        (False, ["We digress here."], []),
        (True, ["This proves it."], ["This proves it."]),
        (False, [], ["An added remark ends it."]),
    ]


def test_a_complaint_stands_beside_the_change_that_it_quotes_or_names_by_line() -> None:
    old = "Here -1 - 1 = -2.\nFor x = -1: x^2 + 2x - 1 = -2 - 1 < 0.\nHence the claim is false."
    new = "Here -1 - 1 = -2.\nFor x = -1: x^2 + 2x - 1 = -2 < 0.\nHence the claim is false."
    doubt = 'I doubt this: "For x = -1: x^2 + 2x - 1 = -2 - 1 < 0", it is 1 too low.'
    found = changes(old, new)
    critiques = [
        JudgeText("line", 0.0, "Line 1 is right.\nLine 2: a wrong step."),
        JudgeText("quote", 0.5, f"{doubt}\n\nThe rest is fine."),
        JudgeText("silent", 0.0, "It is not rigorous."),
    ]
    by_change, silent = complaints(found, old, critiques)
    changed = next(number for number, change in enumerate(found) if not change.same)
    assert {one.analysis: one.excerpts for one in by_change[changed]} == {
        "line": ("Line 2: a wrong step.",),
        "quote": (doubt,),
    }
    assert list(by_change) == [changed]
    assert silent == ["silent"]
