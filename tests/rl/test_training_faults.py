"""Faults in training: each is an error with its cause, and no faulty state is saved."""

import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from core.errors import LemmataError
from core.reward import Reward
from rl import checkpoint
from rl.metrics import make_trackers, read_metrics
from rl.task import Answer
from tests.rl.small import Letters, train_config, trainer

pytestmark = [pytest.mark.trains, pytest.mark.slow]

torch.set_num_threads(1)


def weights(training: Any) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in training.learner.module.state_dict().items()}


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_a_loss_that_is_no_number_stops_and_keeps_its_batch(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = trainer(tmp_path, train_config(stage))
    before = weights(training)
    real = training.learner.accumulate

    def poisoned(*arguments: Any) -> dict[str, float]:
        values = real(*arguments)
        return {**values, "loss": float("nan")} if training.step == 2 else values

    monkeypatch.setattr(training.learner, "accumulate", poisoned)
    with pytest.raises(LemmataError, match=r"step 3 of stage .*loss.*failed-step-3"):
        training.run()
    assert len(read_metrics(tmp_path)) == 2
    (saved,) = tmp_path.glob("failed-step-3-*.pt")
    (batch,) = torch.load(saved, weights_only=True).values()
    assert len(batch) > 0
    resumed = trainer(tmp_path, train_config(stage))
    assert resumed.run()
    assert len(read_metrics(tmp_path)) == len(range(4 if stage == "rl" else 3))
    assert any(not torch.equal(value, before[name]) for name, value in weights(resumed).items())


def test_gradients_that_are_no_number_change_no_weight(tmp_path: Path) -> None:
    training = trainer(tmp_path, train_config("sft"))
    module = training.learner.module
    module.model.norm.weight.register_hook(lambda gradient: gradient * float("inf"))
    before = weights(training)
    with pytest.raises(LemmataError, match="grad_norm not finite"):
        training.run()
    assert all(torch.equal(value, before[name]) for name, value in weights(training).items())


def test_weights_that_are_no_number_are_told_before_they_write(tmp_path: Path) -> None:
    training = trainer(tmp_path, train_config("rl"))
    with torch.no_grad():
        training.learner.module.model.norm.weight.fill_(float("nan"))
    with pytest.raises(Exception, match="NaN or infinite"):
        training.run()
    assert read_metrics(tmp_path) == []


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = trainer(tmp_path, train_config("sft"))
    real, calls = torch.save, []

    def full(*arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        if len(calls) > 2:  # two files a checkpoint
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments, **options)

    monkeypatch.setattr(checkpoint.torch, "save", full)
    with pytest.raises(LemmataError, match=r"step 2 cannot be written .*No space left"):
        training.run()
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]
    monkeypatch.undo()
    assert trainer(tmp_path, train_config("sft")).run()
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3]


class Broken(Letters):
    """Answers whose reward is no number."""

    def reward(self, text: str) -> Reward:
        return Reward(float("nan"), {})


class Indifferent(Letters):
    """Every answer is worth the same."""

    def reward(self, text: str) -> Reward:
        return Reward(0.5, {})


class Silent(Letters):
    """The judge never answers."""

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        return [Reward(None, {}) for _ in trajectories]


def test_a_reward_that_is_no_number_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the reward of sample 0"):
        trainer(tmp_path, train_config("rl"), Broken()).run()


@pytest.mark.parametrize("task", [Indifferent(), Silent()])
def test_a_rollout_without_anything_to_learn_is_told(task: Letters, tmp_path: Path) -> None:
    with pytest.raises(LemmataError, match="nothing to learn from"):
        trainer(tmp_path, train_config("rl", "dapo"), task).run()


def test_equal_rewards_move_nothing_where_groups_stay(tmp_path: Path) -> None:
    training = trainer(tmp_path, train_config("rl", "dr_grpo"), Indifferent())
    before = weights(training)
    assert training.run()
    # Only the gates' biases go by load.
    moved = [name for name, value in weights(training).items() if not torch.equal(value, before[name])]
    assert all(name.endswith("e_score_correction_bias") for name in moved)


@pytest.mark.parametrize("garbage", ["\ufffd\x00", "\\boxed{1}" * 3, "", "🤖" * 5])
def test_garbage_is_rewarded_and_trained_on_like_anything(
    garbage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rl.rollout.clean_text", lambda text: garbage)
    assert trainer(tmp_path, train_config("rl")).run()
    assert all(line["reward"] == pytest.approx(Letters().reward(garbage).total) for line in read_metrics(tmp_path))


def test_a_logger_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(LemmataError, match="loggers=trackio needs trackio: pip install trackio"):
        make_trackers(["trackio"], tmp_path, {})


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_tracker_is_told_every_step(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    library = SimpleNamespace(
        init=lambda **about: calls.append(("init", about["name"])),
        log=lambda values, step: calls.append((step, values)),
        finish=lambda: calls.append(("finish",)),
    )
    monkeypatch.setitem(sys.modules, name, library)
    trackers = tuple(make_trackers([name], tmp_path, {}))
    assert trainer(tmp_path, train_config("sft"), trackers=trackers).run()
    assert calls[0] == ("init", tmp_path.name)
    assert calls[-1] == ("finish",)
    for (step, values), line in zip(calls[1:-1], read_metrics(tmp_path), strict=True):
        assert step == line["step"]
        assert values["sft/loss"] == line["loss"]
        assert values["sft/seconds"] == line["time"]["seconds"]
