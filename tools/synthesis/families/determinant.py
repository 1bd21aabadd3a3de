"""Determinants of integer matrices."""

import random
from typing import Any

import sympy

CATEGORY = "algebra"


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"determinant {seed} {level}")
    size, reach = 1 + level, 4 + 2 * level
    rows = [[draw.randrange(-reach, reach + 1) for _ in range(size)] for _ in range(size)]
    text = f"Find the determinant of the matrix with the rows {rows}."
    return {"statement": text, "reference": str(sympy.Matrix(rows).det()), "data": rows}


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    text = answer.strip()
    return text.removeprefix("-").isdigit() and int(text) == sympy.Matrix(data).det()
