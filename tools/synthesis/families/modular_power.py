"""Remainders of powers."""

import random
from typing import Any

CATEGORY = "number theory"


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"modular_power {seed} {level}")
    a, e, m = draw.randrange(2, 50), draw.randrange(20, 90), draw.randrange(20 * 4**level, 40 * 4**level)
    text = f"Find the remainder of {a}^{e} when divided by {m}."
    return {"statement": text, "reference": str(pow(a, e, m)), "data": [a, e, m]}


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    a, e, m = data
    return answer.strip().lstrip("-").isdigit() and int(answer) == pow(a, e, m)
