"""Square roots modulo a prime."""

import random
from typing import Any

import sympy

CATEGORY = "number theory"


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"modular_root {seed} {level}")
    p = sympy.nextprime(draw.randrange(30 * 5**level, 60 * 5**level))
    x = draw.randrange(2, (p - 1) // 2 + 1)
    text = f"Find an integer x with 0 < x <= {(p - 1) // 2} and x^2 = {x * x % p} modulo {p}."
    return {"statement": text, "reference": str(x), "data": [x * x % p, p]}


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    square, p = data
    text = answer.strip()
    return text.isdigit() and 0 < int(text) <= (p - 1) // 2 and int(text) ** 2 % p == square
