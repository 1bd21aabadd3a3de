"""Sums of greatest common divisors."""

import random
from math import gcd
from typing import Any

CATEGORY = "number theory"


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"gcd_sum {seed} {level}")
    n = draw.randrange(8 * 2**level, 24 * 2**level)
    return {
        "statement": f"Find the sum of gcd(k, {n}) over k = 1, 2, ..., {n}.",
        "reference": str(_total(n)),
        "data": n,
    }


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    return answer.strip().lstrip("-").isdigit() and int(answer) == _total(data)


def _total(n: Any) -> int:
    return sum(gcd(k, n) for k in range(1, n + 1))
