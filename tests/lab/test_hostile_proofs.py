"""Hostile texts are refused, or judged, within bounded time and memory, and nothing is raised."""

import time
import tracemalloc

import pytest

from lab import Kind, Theorem, check, families, generate

SECONDS = 0.05
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
HEAVY = {
    "long chain": "x + 1" + " = x + 1" * 700,
    "many facts": "\n".join(f"(x + {i})(x + {i + 1}) = (x + {i + 1})(x + {i})." for i in range(95)),
    "many forms": "\n".join(f"{i}x + {i} - {i}x - {i} + x = x." for i in range(99)),
    "many factors": "x" + "(x + 1)" * 16 + " = 0.",
    "many sums": "+".join(["(x + 1)(x + 2)(x + 3)"] * 200) + " = 0",
    "fractions": " + ".join(f"x/{i}" for i in range(100001, 100300)) + " = 0",
    "many cases": "\n".join(f"Case n = {i} mod 97: n^9 = {i}^9 mod 97." for i in range(97)),
    "a high equation": "x^60 + 12345678x^59 + 1 = 0.",
    "other variables": "n^2 + x = 0. k = 2 or n = 3. x*n = 4. u(7) + x = 1.",
    "alternatives": " or ".join(f"x = {i}" for i in range(600)),
    "assumptions": "\n".join(f"Assume u(k + {i}) = 2^(k + {i})." for i in range(99)),
    "moduli": "\n".join(f"5^n + n = 3 mod {i}." for i in range(1, 90)),
    "no stops": "the claim " * 590,
    "commas": "," * 5990,
    "colons": ": , " * 1490,
    "for all": "for all x, " * 540,
    "and": "x and " * 990,
    "for and": "for x = 1 and " * 420,
    "words": "known as " * 650,
    "squares": "\n".join(f"(x + {i})^2 + (x - {i})^2 + {i}(x + 1)^2 = {2 + i}x^2 + {i}x + {i}." for i in range(1, 90)),
    "cubes": "\n".join(f"{i}(x + {i})^3 = {i}x^3 + {3 * i * i}x^2 + {3 * i**3}x + {i**4}." for i in range(1, 95)),
    "which is": "1, which is positive, " * 270,
    "semicolons": "for n = 0: " + "u(0) = 1; " * 400,
    "bold": "**A** " * 900,
    "stars": "*" * 5900,
    "both": "2 and 3 both divide n, " * 240,
    "consecutive": "n(n + 1) is a product of two consecutive integers.\n" * 99,
    "hypotheses": "By the induction hypothesis, u(k) = 2^k.\n" * 99,
    "let": "let k >= 1 and suppose " * 200,
    "goals": "The inequality is equivalent to x^2 + 1 >= 0, that is, (x - 1)^2 >= 0.\n" * 80,
}


@pytest.fixture(scope="module")
def theorems() -> list[Theorem]:
    """One theorem of each family."""
    return [generate(family, 3, 1, "test") for family in families()]


def seconds(theorem: Theorem, text: str) -> float:
    """The best of three runs in processor time: other work on the machine is not the checker's."""
    times = []
    for _ in range(3):
        start = time.process_time()
        check(theorem, text)
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_text_is_refused(name: str, theorems: list[Theorem]) -> None:
    for theorem in theorems:
        verdict = check(theorem, REFUSED[name])
        assert verdict.score == 0
        assert verdict.defects[0].kind is Kind.UNREADABLE


@pytest.mark.parametrize("name", [*REFUSED, *HEAVY])
def test_no_text_costs_much(name: str, theorems: list[Theorem]) -> None:
    text = (REFUSED | HEAVY)[name]
    tracemalloc.start()
    try:
        for theorem in theorems:
            assert check(theorem, text).score == 0
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()
    slowest = max(seconds(theorem, text) for theorem in theorems)
    assert slowest < SECONDS, slowest
