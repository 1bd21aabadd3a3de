"""Lattice paths around blocked points."""

import random
from typing import Any

CATEGORY = "combinatorics"


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"lattice_paths {seed} {level}")
    width, height = draw.randrange(2 + level, 5 + level), draw.randrange(2 + level, 5 + level)
    cells = [[x, y] for x in range(width + 1) for y in range(height + 1)][1:-1]
    blocked = sorted(draw.sample(cells, min(level, len(cells))))
    text = (
        f"Count the paths from (0, 0) to ({width}, {height}) by steps of 1 to the right or up that avoid the points "
        f"{', '.join(f'({x}, {y})' for x, y in blocked)}."
    )
    return {"statement": text, "reference": str(_paths(width, height, blocked)), "data": [width, height, blocked]}


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    text = answer.strip()
    return text.isdigit() and int(text) == _paths(*data)


def _paths(width: Any, height: Any, blocked: Any) -> int:
    closed = {tuple(point) for point in blocked}
    ways = {(0, 0): 1}
    for x in range(width + 1):
        for y in range(height + 1):
            if (x, y) != (0, 0):
                ways[x, y] = 0 if (x, y) in closed else ways.get((x - 1, y), 0) + ways.get((x, y - 1), 0)
    return ways[width, height]
