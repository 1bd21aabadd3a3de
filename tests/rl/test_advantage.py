"""Advantages within groups of any size, and groups that are dropped."""

import random
from collections.abc import Sequence
from math import inf, nan, sqrt

import pytest

pytest.importorskip("torch")

from rl.advantage import group_advantages
from tests.rl.settings import advantage_config

CENTERED = advantage_config()


def test_centred_on_the_group_in_any_order() -> None:
    result = group_advantages([1, 0, 0.5, 1, 0, 3], ["a", "b", "a", "a", "b", "c"], CENTERED)
    mean = 2.5 / 3
    assert result.advantages_S.tolist() == pytest.approx([1 - mean, 0, 0.5 - mean, 1 - mean, 0, 0])
    assert result.keep_S.tolist() == [True] * 6
    assert (result.groups, result.zero_variance_groups, result.kept_groups) == (3, 2, 3)
    assert result.reward_mean == pytest.approx(5.5 / 6)


def test_divided_by_the_standard_deviation_of_a_sample() -> None:
    config = advantage_config(divide_by_std=True, std_eps=1e-2)
    result = group_advantages([1, 0, 0, 0], [7, 7, 7, 7], config)
    std = sqrt((0.75**2 + 3 * 0.25**2) / 3)
    assert result.advantages_S.tolist() == pytest.approx([0.75 / (std + 1e-2), *[-0.25 / (std + 1e-2)] * 3])
    assert result.reward_std == pytest.approx(std)


def test_groups_that_teach_nothing_are_dropped_and_counted() -> None:
    config = advantage_config(divide_by_std=True, drop_zero_variance_groups=True)
    # Sums of the same parts in another order differ in the last bit.
    rewards = [0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1, 1, 0, 0.4]
    assert rewards[0] != rewards[1]
    result = group_advantages(rewards, ["same", "same", "good", "good", "single"], config)
    assert result.keep_S.tolist() == [False, False, True, True, False]
    assert result.advantages_S[[0, 1, 4]].tolist() == [0, 0, 0]
    assert (result.groups, result.zero_variance_groups, result.kept_groups) == (3, 2, 1)


def test_they_sum_to_zero_in_every_group() -> None:
    draw = random.Random(0)
    for _ in range(50):
        groups = [draw.randrange(4) for _ in range(draw.randrange(1, 30))]
        rewards = [draw.random() for _ in groups]
        config = advantage_config(divide_by_std=draw.random() < 0.5)
        advantages = group_advantages(rewards, groups, config).advantages_S.tolist()
        for group in set(groups):
            assert sum(a for a, g in zip(advantages, groups, strict=True) if g == group) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("bad", [nan, inf, -inf])
def test_a_reward_that_is_no_number_is_named(bad: float) -> None:
    with pytest.raises(ValueError, match=r"sample 2 \(group 'p7'\)"):
        group_advantages([0, 1, bad], ["p6", "p6", "p7"], CENTERED)


@pytest.mark.parametrize(("rewards", "groups"), [([1.0], []), ([], ["a"])])
def test_lengths_that_differ(rewards: Sequence[float], groups: Sequence[str]) -> None:
    with pytest.raises(ValueError, match="group names"):
        group_advantages(rewards, groups, CENTERED)


def test_an_empty_batch_misses_everything() -> None:
    result = group_advantages([], [], CENTERED)
    assert result.advantages_S.shape == result.keep_S.shape == (0,)
    assert result.kept_groups == 0
