"""Simultaneous congruences."""

import random
from math import prod
from typing import Any

CATEGORY = "number theory"
MODULI = (3, 5, 7, 11, 13, 17, 19, 23)


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"chinese_remainder {seed} {level}")
    moduli = sorted(draw.sample(MODULI, min(2 + level, len(MODULI))))
    x = draw.randrange(prod(moduli))
    rests = ", ".join(f"{x % m} modulo {m}" for m in moduli)
    text = f"Find the integer x with 0 <= x < {prod(moduli)} that is congruent to {rests}."
    return {"statement": text, "reference": str(x), "data": [[x % m, m] for m in moduli]}


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    text = answer.strip()
    if not text.isdigit() or int(text) >= prod(m for _, m in data):
        return False
    return all(int(text) % m == r for r, m in data)
