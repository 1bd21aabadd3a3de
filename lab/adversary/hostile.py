"""Hostile texts: as much work for the checker as a text within its limits can make, and what each costs.

Costs are in units of processor time that are measured beside them, so that they hold on any processor: one ``unit`` is
the time that 30,000 entries of a dictionary take, about 3 ms.
"""

import time
from collections.abc import Callable, Iterator

from lab.checker import check
from lab.generator import families, generate
from lab.limits import MAX_SENTENCES, MAX_TEXT
from lab.theorem import Theorem

Line = Callable[[int], str]
RUNS = 3

# One sentence a line, by its number.
LINES: dict[str, Line] = {
    "facts": lambda i: f"(x + {i})(x + {i + 1}) = (x + {i + 1})(x + {i}).",
    "collections": lambda i: f"{i}x + {i} - {i}x - {i} + x = x.",
    "long sums": lambda i: f"{' + '.join(f'{j + 2}x' for j in range(14))} = {i + 119}x.",
    "products": lambda i: f"(x + {i})(x + 1)(x + 2) = x^3 + {i + 3}x^2 + {3 * i + 2}x + {2 * i}.",
    "squares": lambda i: f"(x + {i})^2 + (x - {i})^2 + {i}(x + 1)^2 = {2 + i}x^2 + {i}x + {i}.",
    "cubes": lambda i: f"{i}(x + {i})^3 = {i}x^3 + {3 * i * i}x^2 + {3 * i**3}x + {i**4}.",
    "openings": lambda i: (
        f"{i + 2}(x + 1)^3 + {i}(x + 1)^2 = {i + 2}x^3 + {4 * i + 6}x^2 + {5 * i + 6}x + {2 * i + 2}."
    ),
    "high powers": lambda i: f"(999999x + {i})^9 = (999999x + {i})^8 (999999x + {i}).",
    "two variables": lambda i: f"(x + {i}y + 3)(x - y + {i}) = (x - y + {i})(x + {i}y + 3).",
    "factors": lambda i: f"x(x + {i})(x + {i + 1}) + x(x + {i})(x - {i + 1}) = x(x + {i})(2x).",
    "folds": lambda i: f"(x + {i})(x + {i + 1}) + (x + {i})(x + {i + 1}) + x + {i} = (x + {i})(2x + {2 * i + 3}).",
    "nested": lambda i: f"(((x + 1)^2 + 1)^2 + {i})^2 = 0.",
    "parentheses": lambda i: f"{'(' * 10}x + {i}{' + 1)' * 10} = x + {i + 10}.",
    "fractions": lambda i: f"x/{i + 2} + x/{i + 3} + x^2/{i + 5} = {2 * i + 5}x/7 + x^2/{i + 5}.",
    "large numbers": lambda i: f"999999999{i + 100}x * 999999999{i + 101} = 999999999{i + 101}x * 999999999{i + 100}.",
    "inequalities": lambda i: f"x^2 - 2x + y^2 + z^2 + n^2 + k^2 + m^2 + j^2 + {i} >= 0.",
    "means": lambda i: f"By AM-GM, x^2 + y^2 >= 2xy and x^2 + {i} >= 2x.",
    "discriminants": lambda i: f"The discriminant of x^2 + {i}x + 1 is {i}^2 - 4 = {i * i - 4}.",
    "goals": lambda i: f"The inequality is equivalent to x^2 + {i} >= 0, that is, (x - 1)^2 >= 0.",
    "equations": lambda i: f"({i + 1}x - 1)({i + 1}x + 2)({i + 1}x - 3)(x^2 + {i}) = 0.",
    "alternatives": lambda i: f"(x - {i})(x + {i}) = 0 or x = {i}.",
    "values": lambda i: f"For x = {i} and y = {i}: x^9 y^3 + x^2 = {i}^9 * {i}^3 + {i}^2 and y = {i}.",
    "indices": lambda i: f"For n = {i}: n^9 + 3^n + n^2 = {i}^9 + 3^{i % 16} + {i}^2.",
    "cases": lambda i: f"If n = {i} mod 97 then (n + 1)^9 - n^9 + n^3 = {i} mod 97.",
    "moduli": lambda i: f"n^9 + 5^n + 3^n + 2^n = {i} mod 30.",
    "sequence": lambda i: f"S(k + {i}) = S(k + {i - 1}) + S(k + {i - 2}) + {i}.",
    "terms of a sequence": lambda i: f"u({i + 100}) = u({i + 99}) + u({i + 98}) + u({i + 1}).",
    "assumptions": lambda i: f"Suppose S(k + {i % 4}) = {i}k^2 + k.",
    "substitutions": lambda i: f"Let x = t + {i}. Then (t + {i})^2 = t^2 + {2 * i}t + {i * i}.",
    "consecutive": lambda _: "n(n + 1)(n + 2) is the product of three consecutive integers, so it is even.",
    "hypotheses": lambda _: "By the induction hypothesis, u(k) = 2^k.",
    "sides": lambda i: f"The left-hand side is x^2 + {i} and the right-hand side at k + 1 is {i}.",
    "both sides": lambda i: f"Both sides are equal to x^2 + {i} at x = {i}.",
    "which": lambda i: (
        f"x = {i}, which is positive, which is even, which is divisible by 3, so it is true and then it is"
    ),
    "words": lambda _: "indeed then so hence the equation is equivalent to the claim and it is true that both agree",
    "doing": lambda i: f"Adding {i} to both sides, dividing by {i + 1}, we get x^2 + {i} = {i} + x^2, as required.",
}
# One sentence: how it begins, a part by its number, and what stands between the parts.
CHAINS: dict[str, tuple[str, Line, str]] = {
    "chain": ("x + 1", lambda _: "x + 1", " = "),
    "chain of sums": ("x", lambda i: f"x + {i} - {i}", " = "),
    "chain of squares": ("(x + 1)^2", lambda i: f"x^2 + {i}x - {i}x + 2x + 1", " = "),
    "chain modulo 6": ("n^3", lambda i: f"n^3 + {6 * i}n", " = "),
    "chain of a sequence": ("S(k + 1)", lambda i: f"S(k) + {i}k^2 + (k + 1)^2 - {i}k^2", " = "),
    "falling chain": ("x^2 + 1", lambda i: f"x^2 + {i % 9}", " >= "),
    "one sum": ("0 = 1", lambda _: "(x + 1)(x + 2)(x + 3)", " + "),
    "one sum of a sequence": ("S(1)", lambda i: f"S(k + {i})", " + "),
    "one sum of fractions": ("x", lambda i: f"x/{100001 + i}", " + "),
    "one product": ("x", lambda _: "(x + 1)", ""),
    "solutions": ("The solutions are x = 1", lambda i: f"x = {i}", " and "),
    "or": ("x = 1", lambda i: f"x = {i}", " or "),
    "so": ("x = 1", lambda i: f"x = {i}", ", so "),
    "if and only if": ("x = 1", lambda i: f"x = {i}", " if and only if "),
    "semicolons": ("for n = 0: u(0) = 1", lambda _: "u(0) = 1", "; "),
    "claims": ("the claim", lambda _: "the claim", " "),
    "and": ("x", lambda _: "x", " and "),
    "for and": ("for x = 1", lambda _: "for x = 1", " and "),
    "for all": ("for all x", lambda _: "for all x", ", "),
    "phrases": ("note that", lambda _: "it follows that by the induction hypothesis we have", " "),
    "actions": ("expand", lambda _: "expanding and collecting like terms on both sides we get", " "),
    "known": ("known as", lambda _: "known as", " "),
    "positive": ("1", lambda _: "which is positive, 1", ", "),
    "both": ("2 and 3 both divide n", lambda _: "2 and 3 both divide n", ", "),
    "let": ("let k >= 1", lambda _: "suppose let k >= 1", " and "),
    "bold": ("**A**", lambda _: "**A**", " "),
    "stars": ("*", lambda _: "*", ""),
    "commas": (",", lambda _: ",", ""),
    "colons": (":", lambda _: ",", " : "),
}


def hostile_texts() -> Iterator[tuple[str, str]]:
    """Every text by its name, as long as the checker's limits allow."""
    for name, line in LINES.items():
        written = [line(number) for number in range(1, MAX_SENTENCES + 1)]
        while sum(map(len, written)) + len(written) > MAX_TEXT:
            written.pop()
        yield name, "\n".join(written)
    for name, (start, part, between) in CHAINS.items():
        text, number = start, 1
        while len(longer := f"{text}{between}{part(number)}") < MAX_TEXT:
            text, number = longer, number + 1
        yield name, text


def unit() -> float:
    """Processor time of a fixed piece of work, in seconds."""
    start = time.process_time()
    entries = {}
    for number in range(30_000):
        entries[number, "a"] = number, number + 1
    return time.process_time() - start


def cost(theorem: Theorem, text: str) -> float:
    """Units of processor time that the check of a text takes: the least of ``RUNS`` runs, a unit measured beside each.

    Other work on the machine slows both, and is no part of the ratio.
    """
    found = []
    for _ in range(RUNS):
        before, spent = unit(), seconds(theorem, text)
        found.append(spent / max(before, unit()))
    return min(found)


def seconds(theorem: Theorem, text: str) -> float:
    """Processor time of one check."""
    start = time.process_time()
    check(theorem, text)
    return time.process_time() - start


def costs(level: int, seed: int) -> Iterator[tuple[float, str, str]]:
    """The cost of every text about a theorem of each family, with the family and the name of the text."""
    theorems = [generate(family, level, seed, "test") for family in families()]
    for name, text in hostile_texts():
        for theorem in theorems:
            yield cost(theorem, text), theorem.family, name
