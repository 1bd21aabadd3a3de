"""Rewards: a total with its parts by name. Pure functions.

A part that no judge could give is None, never 0: then the total is None, and training leaves the sample out.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reward:
    """``total`` is None where a part that it needs is. ``parts``, each before any weight, are logged."""

    total: float | None
    parts: Mapping[str, float | None]


NO_FORMAT = Reward(0.0, {"format": 0.0})  # of an answer without the format of its role


def add_parts(reward: Reward, parts: Mapping[str, float | None], weights: Mapping[str, float]) -> Reward:
    """Adds the weighted ``parts``, which do not depend on the format: length penalty, final answer, rubric score.

    Raises:
        ValueError: parts and weights have other names, or the reward has a part of such a name already.
    """
    if parts.keys() != weights.keys():
        raise ValueError(f"weights are for the parts {sorted(weights)}, but the parts are {sorted(parts)}")
    if twice := parts.keys() & reward.parts.keys():
        raise ValueError(f"the reward has the parts {sorted(twice)} already")
    total = reward.total
    for name, value in parts.items():
        total = None if total is None or value is None else total + weights[name] * value
    return Reward(total, {**reward.parts, **parts})
