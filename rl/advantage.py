"""Advantages: rewards of samples relative to their group, and groups without reward variance."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import torch
from torch import Tensor

from rl.algorithm import AdvantageConfig

ZERO_VARIANCE = 1e-9  # largest range of equal rewards: the same parts may have been added in another order


@dataclass(frozen=True, slots=True)
class GroupAdvantages:
    """Advantages of S samples.

    ``advantages_S``: fp64. ``keep_S``: samples of the batch (all, unless zero-variance groups are dropped).
    ``groups``, ``zero_variance_groups``, ``kept_groups``: numbers of groups. ``reward_mean``: over all samples.
    ``reward_std``: mean over groups of the standard deviation within a group.
    """

    advantages_S: Tensor
    keep_S: Tensor
    groups: int
    zero_variance_groups: int
    kept_groups: int
    reward_mean: float
    reward_std: float


def group_advantages(rewards: Sequence[float], groups: Sequence[Hashable], config: AdvantageConfig) -> GroupAdvantages:
    """Computes A_i = R_i - mean(R), or (R_i - mean(R)) / (std(R) + eps), over the samples of a group.

    DeepSeek-V3.2 (text under its equation 6) without the standard deviation, DeepSeekMath (arXiv 2402.03300, section
    4.1.2) with it; std has n - 1 in the denominator, as in TRL.

    Args:
        rewards: R_i of S samples. The caller leaves out samples without a reward (a judge failed), so groups may be of
            any size. A conversation of several turns is one sample; its turns share its advantage.
        groups: the group of each sample, in any order. A group of one has advantage 0.
        config: whether to divide by the standard deviation, and to drop zero-variance groups.

    Raises:
        ValueError: a reward is not finite (the message has its sample and group), or the lengths differ.
    """
    if len(rewards) != len(groups):
        raise ValueError(f"{len(rewards)} rewards, but {len(groups)} group names")
    members: dict[Hashable, list[int]] = {}
    for sample, (reward, group) in enumerate(zip(rewards, groups, strict=True)):
        if not math.isfinite(reward):
            raise ValueError(f"the reward of sample {sample} (group {group!r}) is {reward}, not a finite number")
        members.setdefault(group, []).append(sample)
    advantages, keep, stds, zero_variance = [0.0] * len(rewards), [True] * len(rewards), [], 0
    for samples in members.values():
        group_rewards = [float(rewards[sample]) for sample in samples]
        stds.append(stdev(group_rewards) if len(samples) > 1 else 0.0)
        equal = max(group_rewards) - min(group_rewards) <= ZERO_VARIANCE
        zero_variance += equal
        for sample, advantage in zip(samples, _centered(group_rewards, stds[-1], config), strict=True):
            advantages[sample] = 0.0 if equal else advantage  # not the rounding error of the mean
            keep[sample] = not (equal and config.drop_zero_variance_groups)
    return GroupAdvantages(
        advantages_S=torch.tensor(advantages, dtype=torch.float64),
        keep_S=torch.tensor(keep, dtype=torch.bool),
        groups=len(members),
        zero_variance_groups=zero_variance,
        kept_groups=len(members) - (zero_variance if config.drop_zero_variance_groups else 0),
        reward_mean=fmean(rewards) if len(rewards) else 0.0,
        reward_std=fmean(stds) if stds else 0.0,
    )


def _centered(rewards: Sequence[float], std: float, config: AdvantageConfig) -> list[float]:
    mean = fmean(rewards)
    divisor = std + config.std_eps if config.divide_by_std else 1.0
    return [(reward - mean) / divisor for reward in rewards]
