"""Frobenius numbers of three integers."""

import random
from math import gcd
from typing import Any

CATEGORY = "number theory"


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"frobenius_number {seed} {level}")
    while True:
        numbers = sorted(draw.sample(range(4 + 4**level, 12 + 2 * 4**level), 3))
        if gcd(*numbers) == 1:
            break
    text = f"Find the largest integer that is no sum of the numbers {numbers}, each used any number of times."
    return {"statement": text, "reference": str(_largest(numbers)), "data": numbers}


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    text = answer.strip()
    return text.isdigit() and int(text) == _largest(data)


def _largest(numbers: Any) -> int:
    limit = numbers[0] * numbers[-1]
    reached = [True] + [False] * limit
    for amount in range(1, limit + 1):
        reached[amount] = any(amount >= one and reached[amount - one] for one in numbers)
    return max(amount for amount in range(limit + 1) if not reached[amount])
