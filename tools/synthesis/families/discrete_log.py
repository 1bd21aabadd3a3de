"""Discrete logarithms."""

import random
from typing import Any

import sympy

CATEGORY = "number theory"


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"discrete_log {seed} {level}")
    p = int(sympy.nextprime(draw.randrange(30 * 4**level, 60 * 4**level)))
    g = int(sympy.primitive_root(p) or 0)
    k = draw.randrange(2, p - 1)
    text = f"Find the integer k with 0 <= k < {p - 1} and {g}^k = {pow(g, k, p)} modulo {p}."
    return {"statement": text, "reference": str(k), "data": [g, pow(g, k, p), p]}


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    g, power, p = data
    text = answer.strip()
    return text.isdigit() and int(text) < p - 1 and pow(g, int(text), p) == power
