"""Hostile texts are refused, or judged, within bounded time and memory, and nothing is raised."""

import tracemalloc

import pytest

from lab import Kind, Theorem, check, families, generate
from lab.adversary.hostile import cost, hostile_texts, seconds
from lab.limits import MAX_DEFECTS, MAX_SENTENCES

UNITS = 8  # of processor time, about 25 ms on a core of 2024 that has nothing else to do
BYTES = 50 * 2**20
MEGABYTE = 1_000_000

REFUSED = {
    "megabytes": "x = x. " * MEGABYTE,
    "one long word": "x" * MEGABYTE,
    "one long number": "9" * 10_000,
    "thirteen digits": "1234567890123 = 0.",
    "deep parentheses": "(" * 3000 + "x" + ")" * 3000 + " = 0",
    "deep exponents": "2^(" * 1000 + "x" + ")" * 1000 + " = 0",
    "signs": "-" * 5000 + "x = 0",
    "a tower": "((9^16)^16)^16 = 0.",
    "a large power": "x^999999999999 = 0.",
    "an expansion": "(x + y + z + n + k + m + 1)^16 = 0.",
    "nested expansions": "((((x + y)^9 + z)^9 + n)^9 + k)^9 = 0.",
    "look-alike letters": "\u0445 = \u0445. The claim is true.",
    "look-alike digits": "\u0661 = \uff11.",
    "look-alike minus": "x \u2212 x = 0.",
    "invisible marks": "x\u200b = x.",
    "null": "x = \x00.",
    "code": "__import__('os').system('true') = 0.",
    "markup": "\\boxed{1} <think> $x$",
    "surrogate": "\ud800",
    "many sentences": "x = x.\n" * 800,
    "many names": " + ".join(f"u({i}x + {i})" for i in range(1, 300)) + " >= 0",
}
HEAVY = dict(hostile_texts())


@pytest.fixture(scope="module")
def theorems() -> list[Theorem]:
    """One theorem of each family."""
    return [generate(family, 3, 1, "test") for family in families()]


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_text_is_refused(name: str, theorems: list[Theorem]) -> None:
    for theorem in theorems:
        verdict = check(theorem, REFUSED[name])
        assert verdict.score == 0
        assert verdict.defects[0].kind is Kind.UNREADABLE


@pytest.mark.parametrize("name", [*REFUSED, *HEAVY])
def test_no_text_costs_much(name: str, theorems: list[Theorem]) -> None:
    text = (REFUSED | HEAVY)[name]
    slowest = max(theorems, key=lambda theorem: seconds(theorem, text))
    tracemalloc.start()
    try:
        assert check(slowest, text).score == 0
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()
    assert cost(slowest, text) < UNITS


@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_text_is_no_proof(name: str, theorems: list[Theorem]) -> None:
    assert not any(check(theorem, HEAVY[name]).score for theorem in theorems)


@pytest.mark.parametrize("family", ["identities", "equations"])
def test_the_rest_is_not_judged_after_many_defects(family: str) -> None:
    false = [f"{number} = {number + 1}." for number in range(MAX_SENTENCES - 1)]
    verdict = check(generate(family, 1, 1, "test"), "\n".join([*false, "The claim is true."]))
    assert verdict.score == 0
    assert len(verdict.defects) == MAX_DEFECTS
    assert {defect.kind for defect in verdict.defects} == {Kind.INVALID_STEP}
