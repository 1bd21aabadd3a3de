"""Quotations of analyses: found in the proof, with the number of judges who stopped there."""

from explorer.quotes import JudgeText, quotations, quoted_passages

PROOF = (
    "First, \\(n\\) is even, so \\(n = 2m\\) for some integer.\n\nThen the sum of squares is at most "
    "\\[ \\sum_{i=1}^{n} i^2 \\le n^3 . \\]\n\nHence the claim holds for all large values."
)


def test_quotations_are_found_in_their_forms() -> None:
    analysis = (
        'The step "the sum of squares is at most" has a gap. It writes $\\sum_{i=1}^{n} i^2 \\leq n^3$.\n'
        "> Hence the claim holds for all large values.\n"
        'But "it is easy to see" is not in it, and "so" is too short.'
    )
    found = [passage.text for passage in quotations(PROOF, analysis)]
    assert found[0] == "the sum of squares is at most"
    assert found[-1] == "Hence the claim holds for all large values."
    assert len(found) == 2  # the formula has too few letters


def test_passages_that_overlap_are_one_and_count_the_judges_who_report_an_issue() -> None:
    judges = [
        JudgeText("a", 0.0, '"the sum of squares is at most" is wrong'),
        JudgeText("b", 0.5, '"Then the sum of squares is at most" is unclear'),
        JudgeText("c", 1.0, '"sum of squares is at most" is right'),
        JudgeText("d", None, '"Hence the claim holds for all large values"'),
    ]
    first, second = quoted_passages(PROOF, judges)
    assert first.passage.text == "Then the sum of squares is at most"
    assert (set(first.analyses), first.stops) == ({"a", "b", "c"}, 2)
    assert (second.analyses, second.stops) == (("d",), 0)
    assert PROOF[second.passage.start : second.passage.end] == second.passage.text
