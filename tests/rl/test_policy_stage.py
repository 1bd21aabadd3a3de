"""Stage of reinforcement learning: resampling of groups, epochs of a rollout, a reference that may move."""

from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from rl.algorithm import AlgorithmConfig
from rl.policy_stage import PolicyStage
from rl.reward_shaping import NO_SHAPING
from tests.rl.settings import algorithm, loss_config
from tests.rl.small import Letters, Uneven, learner, policy_config, small_module

pytestmark = [pytest.mark.trains, pytest.mark.slow]

V32, DAPO = algorithm("v32"), algorithm("dapo")
WITH_KL = replace(V32, loss=loss_config(beta=0.1, off_policy_delta=0.1))


def stage(algorithm: AlgorithmConfig = V32, task: Letters | None = None, **changes: Any) -> PolicyStage:
    return PolicyStage(learner(small_module(), task), policy_config(**changes), algorithm, NO_SHAPING)


def descend(stage: PolicyStage, rate: float = 0.05) -> None:
    """One step against the gradients, without an optimizer's state."""
    with torch.no_grad():
        for weight in stage.learner.module.parameters():
            if weight.grad is not None:
                weight.sub_(weight.grad, alpha=rate)
                weight.grad = None
    stage.weights_changed()


def test_groups_that_teach_nothing_are_replaced() -> None:
    task = Uneven()
    values = stage(DAPO, task, groups=4, max_resamples=4).step()
    assert values["sequences"] == 4 * 4
    assert values["resamples"] >= 1
    assert len(task.asked) > 4
    assert 0 < values["zero_variance_groups"] < 1


def test_refills_end() -> None:
    values = stage(DAPO, Uneven(), groups=4, max_resamples=0).step()
    assert values["resamples"] == 0
    assert values["sequences"] == 2 * 4


def test_every_epoch_learns_from_every_sample_once() -> None:
    under = stage(epochs=2, minibatches=3)
    seen: list[list[int]] = []
    for _ in range(6):
        under.step()
        seen.append([id(sample) for sample in under.latest])
        descend(under, 0.0)
    first, second = [*chain(*seen[:3])], [*chain(*seen[3:])]
    assert sorted(first) == sorted(second)
    assert len(set(first)) == 12
    assert under.rollout == 1
    under.step()
    assert under.rollout == 2


def test_the_first_step_of_a_rollout_is_on_policy_and_later_ones_are_not() -> None:
    under = stage(epochs=3)
    ratios = []
    for _ in range(3):
        ratios.append(under.step()["ratio_max"])
        descend(under, 5.0)
    # Scored twice, once without gradients, which on some processors rounds its last bits otherwise.
    assert ratios[0] == pytest.approx(1.0, abs=1e-12)
    assert all(ratio > 1.0 + 1e-9 for ratio in ratios[1:])


def test_a_rollout_that_is_used_once_is_exactly_on_policy() -> None:
    assert stage(epochs=1).step()["ratio_max"] == 1.0


def test_the_kl_starts_at_nothing_and_grows() -> None:
    under = stage(WITH_KL)
    first = under.step()
    descend(under, 5.0)
    second = under.step()
    assert first["kl"] == pytest.approx(0, abs=1e-12)
    assert second["kl"] > 1e-6


def test_a_domain_may_have_no_kl_and_then_needs_no_reference() -> None:
    free = stage(replace(WITH_KL, beta_by_domain={"letters": 0.0}))
    assert free.reference is None
    assert "kl" not in free.step() or free.step()["kl_loss"] == 0


def test_the_reference_moves_when_it_should() -> None:
    under = stage(WITH_KL, reference_every=2)
    for count in range(4):
        under.step()
        descend(under, 1.0)
        assert under.reference is not None
        same = all(
            torch.equal(one, other)
            for one, other in zip(under.reference.parameters(), under.learner.module.parameters(), strict=True)
        )
        assert same == (count % 2 == 1)


def test_the_indexers_learn_beside_the_policy() -> None:
    plain, with_loss = stage(), stage(indexer_weight=1.0)
    plain.step()
    values = with_loss.step()
    assert values["indexer_kl"] > 0
    for under, learns in ((plain, False), (with_loss, True)):
        weight = under.learner.module.get_parameter("model.layers.0.self_attn.indexer.wk.weight")
        assert (weight.grad is not None and weight.grad.abs().max() > 0) == learns


def test_several_turns_share_a_trys_advantage() -> None:
    under = stage(task=Letters(rounds=3), groups=2)
    values = under.step()
    assert values["sequences"] == 2 * 4 * 3
    advantages = [sample.advantage for sample in under.buffer]
    trajectories = [advantages[place : place + 3] for place in range(0, len(advantages), 3)]
    assert all(len(set(turns)) == 1 for turns in trajectories)


def test_the_engine_has_the_new_weights() -> None:
    under = stage()
    before = under.validate(4, temperature=0.0)
    for _ in range(3):
        under.step()
        descend(under, 5.0)
    assert under.validate(4, temperature=0.0) != before


def test_the_reward_rises() -> None:
    """Adam for 25 steps on a task that a tiny model can learn."""
    under = stage(groups=4, samples=8)
    weights = [weight for weight in under.learner.module.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    rewards = []
    for _ in range(25):
        optimizer.zero_grad()
        rewards.append(under.step()["reward"])
        optimizer.step()
        under.weights_changed()
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.2
