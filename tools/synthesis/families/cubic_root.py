"""Integer roots of cubics."""

import random
from typing import Any

CATEGORY = "algebra"


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"cubic_root {seed} {level}")
    root = draw.choice((-1, 1)) * draw.randrange(10 * 3**level, 30 * 3**level)
    b = draw.randrange(-9, 10)
    c = b * b + draw.randrange(1, 40)  # the quadratic factor has no real root
    coefficients = [1, b - root, c - root * b, -root * c]
    text = f"Find the only real root of x^3 + ({coefficients[1]})x^2 + ({coefficients[2]})x + ({coefficients[3]}) = 0."
    return {"statement": text, "reference": str(root), "data": coefficients}


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    text = answer.strip()
    if not text.removeprefix("-").isdigit():
        return False
    x = int(text)
    return data[0] * x**3 + data[1] * x**2 + data[2] * x + data[3] == 0
