"""Derivations of inequalities and equations: sums of numbers stand by themselves, before they are used."""

import re

import pytest

from lab import generate

SUM = re.compile(r"Here -?[0-9]+(?:/[0-9]+)?(?: [-+=] -?[0-9]+(?:/[0-9]+)?)+\.")
LEVELS = (1, 2, 3)


def test_like_terms_are_added_before_they_are_written_together() -> None:
    derivations = [generate("equations", 1, seed).derivation for seed in range(200)]
    found = [pair for text in derivations for pair in re.findall(r"[+-] ([0-9]+) ([+-]) ([0-9]+) = [^\n]*\n(.*)", text)]
    assert len(found) > 20
    assert all(line.startswith("Here ") for *_, line in found)


@pytest.mark.parametrize("level", LEVELS)
def test_what_squares_leave_over_comes_first(level: int) -> None:
    """The number that decides an inequality of level 1 to 3 is known before the proof or refutation begins."""
    for seed in range(60):
        theorem = generate("inequalities", level, seed)
        lines = theorem.derivation.split("\n")
        decided = next((place for place, line in enumerate(lines) if not line.startswith("Here ") or "x" in line), 0)
        assert all(SUM.fullmatch(line) for line in lines[:decided])
        square = re.search(r"\)\^2 ([+-]) ([0-9/]+)(?: >| =|\.|$)", theorem.derivation)
        if theorem.truth and decided and square and not lines[decided - 1].endswith(" = 0."):  # then it is the square's
            assert lines[decided - 1].endswith(f" = {square[1].strip('+')}{square[2]}.")


@pytest.mark.parametrize("family", ["inequalities", "equations"])
def test_numbers_of_statements_grow_with_the_level(family: str) -> None:
    largest = [max(_largest(generate(family, level, seed).statement) for seed in range(150)) for level in (*LEVELS, 4)]
    assert largest == sorted(largest)
    assert largest[0] <= 12
    assert largest[-1] > 20


def _largest(statement: str) -> int:
    return max(map(int, re.findall(r"[0-9]+", statement)))
