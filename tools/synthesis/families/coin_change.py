"""Numbers of ways to write a sum."""

import random
from typing import Any

CATEGORY = "combinatorics"


def generate(seed: int, level: int) -> dict[str, Any]:
    """Returns an instance."""
    draw = random.Random(f"coin_change {seed} {level}")
    coins = sorted(draw.sample(range(2, 12), 3))
    total = draw.randrange(15 * 2**level, 30 * 2**level)
    text = f"In how many ways is {total} a sum of the numbers {coins}, each used any number of times, order ignored?"
    return {"statement": text, "reference": str(_ways(coins, total)), "data": [coins, total]}


def verify(data: Any, answer: str) -> bool:
    """Checks an answer."""
    text = answer.strip()
    return text.isdigit() and int(text) == _ways(*data)


def _ways(coins: Any, total: Any) -> int:
    ways = [1] + [0] * total
    for coin in coins:
        for amount in range(coin, total + 1):
            ways[amount] += ways[amount - coin]
    return ways[total]
