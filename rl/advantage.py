"""Advantages of samples within their groups, and which groups teach nothing."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import torch
from torch import Tensor

from rl.algorithm import AdvantageConfig

EQUAL = 1e-9  # rewards that differ by no more are equal: sums of the same parts in another order


@dataclass(frozen=True, slots=True)
class GroupAdvantages:
    """Advantages of S samples.

    ``advantages_S``: fp64. ``keep_S``: which samples go into the batch (all, unless groups of equal rewards are
    dropped). ``groups``, ``zero_variance_groups``, ``kept_groups`` count groups; ``mean`` is the mean reward of all samples,
    ``spread`` the mean over groups of their standard deviation.
    """

    advantages_S: Tensor
    keep_S: Tensor
    groups: int
    zero_variance_groups: int
    kept_groups: int
    mean: float
    spread: float

    def missing(self, wanted: int) -> int:
        """How many more groups a batch of ``wanted`` groups needs (active sampling: the trainer max_resamples it)."""
        return max(0, wanted - self.kept_groups)


def group_advantages(rewards: Sequence[float], groups: Sequence[Hashable], config: AdvantageConfig) -> GroupAdvantages:
    """A_i = R_i - mean(R), or (R_i - mean(R)) / (std(R) + eps), over the samples of its group.

    DeepSeek-V3.2 (text under its equation 6) without the standard deviation, DeepSeekMath (arXiv 2402.03300, section
    4.1.2) with it; std is that of a sample (n - 1 in the denominator), as in TRL.

    Args:
        rewards: R_i of S samples. What has no reward (a judge that failed) is left out by the caller, so groups may be
            of any size. A conversation of several turns is one sample; its turns share its advantage.
        groups: the name of each sample's group, in any order. A group of one has advantage 0.
        config: whether to divide by the standard deviation, and to drop groups of equal rewards.

    Raises:
        ValueError: a reward is not finite (named with its place and group), or the lengths differ.
    """
    if len(rewards) != len(groups):
        raise ValueError(f"{len(rewards)} rewards, but {len(groups)} names of groups")
    members: dict[Hashable, list[int]] = {}
    for place, (reward, group) in enumerate(zip(rewards, groups, strict=True)):
        if not math.isfinite(reward):
            raise ValueError(f"the reward of sample {place} (group {group!r}) is {reward}, not a finite number")
        members.setdefault(group, []).append(place)
    advantages, keep, spreads, equal = [0.0] * len(rewards), [True] * len(rewards), [], 0
    for places in members.values():
        own = [float(rewards[place]) for place in places]
        spreads.append(stdev(own) if len(own) > 1 else 0.0)
        same = max(own) - min(own) <= EQUAL
        equal += same
        for place, advantage in zip(places, _centred(own, spreads[-1], config), strict=True):
            advantages[place] = 0.0 if same else advantage  # rounding of the mean is no advantage
            keep[place] = not (same and config.drop_zero_variance_groups)
    return GroupAdvantages(
        advantages_S=torch.tensor(advantages, dtype=torch.float64),
        keep_S=torch.tensor(keep, dtype=torch.bool),
        groups=len(members),
        zero_variance_groups=equal,
        kept_groups=len(members) - (equal if config.drop_zero_variance_groups else 0),
        mean=fmean(rewards) if len(rewards) else 0.0,
        spread=fmean(spreads) if spreads else 0.0,
    )


def _centred(rewards: Sequence[float], spread: float, config: AdvantageConfig) -> list[float]:
    mean = fmean(rewards)
    divisor = spread + config.std_eps if config.divide_by_std else 1.0
    return [(reward - mean) / divisor for reward in rewards]
