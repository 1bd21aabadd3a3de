"""Faults in training: each is an error with its cause, and no faulty state is saved."""

import errno
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from safetensors import SafetensorError

from core.errors import LemmataError
from core.reward import Reward
from model.checkpoint import save_pretrained
from model.transformer import DsaModel
from rl import checkpoint
from rl.metrics import make_trackers, read_metrics
from rl.parallel import Parallel
from rl.setup import make_trainer
from rl.task import Answer
from rl.trainer import Trainer
from tests.rl.settings import defaults
from tests.rl.small import TOKENIZER, Letters, distill_config, learner, small_module, train_config, trainer

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
    assert isinstance(module, DsaModel)
    module.model.norm.weight.register_hook(lambda gradient: gradient * float("inf"))
    before = weights(training)
    with pytest.raises(LemmataError, match="grad_norm not finite"):
        training.run()
    assert all(torch.equal(value, before[name]) for name, value in weights(training).items())


def test_weights_that_are_no_number_are_told_before_they_write(tmp_path: Path) -> None:
    training = trainer(tmp_path, train_config("rl"))
    module = training.learner.module
    assert isinstance(module, DsaModel)
    with torch.no_grad():
        module.model.norm.weight.fill_(float("nan"))
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


def full_disk(*_: Any, **__: Any) -> None:
    """As safetensors fails on a full disk: with an error that is no OSError."""
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def test_a_full_disk_leaves_no_part_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trainer(tmp_path, train_config("sft"), stopping=lambda: True).run() is False
    monkeypatch.setattr("model.shards.save_file", full_disk)
    with pytest.raises(LemmataError, match=r"step 2 cannot be written .*model\.safetensors.*Free disk space"):
        trainer(tmp_path, train_config("sft")).run()
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]


def test_a_full_disk_leaves_no_part_of_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = checkpoint.shutil.copytree

    def full(source: Path, target: Path) -> None:
        real(source, target)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.shutil, "copytree", full)
    with pytest.raises(LemmataError, match=r"cannot be copied to .*model.*Free disk space"):
        trainer(tmp_path, train_config("sft")).run()
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / "checkpoints" / "partial").exists()
    monkeypatch.undo()
    assert trainer(tmp_path, train_config("sft")).run()
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_a_torn_model_of_a_checkpoint_is_named(tmp_path: Path) -> None:
    trainer(tmp_path, train_config("sft"), stopping=lambda: True).run()
    (weights_file,) = (tmp_path / "checkpoints").glob("*/model/model.safetensors")
    weights_file.write_bytes(weights_file.read_bytes()[:-40])
    with pytest.raises(LemmataError, match=r"step-00000001 is damaged.*model\.safetensors.*delete it"):
        trainer(tmp_path, train_config("sft")).run()
    with pytest.raises(LemmataError, match=r"step-00000001 is damaged.*model\.safetensors.*delete it"):
        make_trainer(train_config("sft"), tmp_path, Parallel(), lambda *_: None, lambda: False)


def test_routing_of_a_dense_model_cannot_be_kept(tmp_path: Path) -> None:
    dense = small_module(first_k_dense_replace=small_module().config.num_hidden_layers)
    with pytest.raises(LemmataError, match=r"keep_routing=true.*dense.*algorithm\.keep_routing=false"):
        Trainer(learner(dense), train_config("rl"), tmp_path)
    assert Trainer(learner(dense), train_config("rl", "dr_grpo"), tmp_path).run()


class Long(Letters):
    """Every third problem fills the context; so does every refinement of the others, with ``rounds``."""

    def prompt(self, number: int) -> str:
        return "x" * 5000 if number % 3 == 1 else super().prompt(number)

    def follow_ups(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[str | None]:
        return [None if text is None else "y" * 5000 for text in super().follow_ups(trajectories)]


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_prompt_that_is_too_long_is_left_out_counted_and_named_once(
    rounds: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = train_config("rl", "v32", steps=2)
    trainer(tmp_path, config, Long(rounds), stopping=lambda: True).run()
    assert trainer(tmp_path, config, Long(rounds)).run()
    for line in read_metrics(tmp_path):
        # 4 samples of 1 or 2 problems; with refinement, of all.
        assert line["prompts_too_long"] >= (4 if rounds == 1 else 12)
        assert line["sequences"] == 12
    named = [line for line in capsys.readouterr().err.splitlines() if "turn 1 of training problem" in line]
    assert len(named) == 2  # once in each process
    assert all("50" in message and "'xxx" in message for message in named)


def test_only_prompts_that_are_too_long_are_an_error(tmp_path: Path) -> None:
    class Endless(Letters):
        def prompt(self, number: int) -> str:
            return "x" * 5000

    save_pretrained(small_module(), tmp_path / "teacher", TOKENIZER)
    teachers = {"prover": str(tmp_path / "teacher")}
    for config in (train_config("rl"), train_config("distill", distill=distill_config(teachers=teachers))):
        with pytest.raises(LemmataError, match=r"prompts? fills? the context"):
            trainer(tmp_path / str(config.stage), config, Endless()).run()


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


@pytest.mark.parametrize(
    ("task", "preset", "cause", "steps"),
    [
        (Indifferent(), "dapo", "0 of 15 groups have reward variance", 0),
        (Indifferent(), "v32", "0 of 3 groups have reward variance", 1),
        (Silent(), "dapo", "no answer has a reward", 0),
    ],
)
def test_a_stage_without_anything_to_learn_stops_with_a_checkpoint(
    task: Letters, preset: str, cause: str, steps: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Algorithms that drop such groups take no step; the others take one of gradient 0."""
    config = train_config("rl", preset, steps=9, max_rollouts_without_variance=2)
    with pytest.raises(LemmataError, match=rf"rollout 2: {cause}.*step {steps} is kept"):
        trainer(tmp_path, config, task).run()
    assert f"rollout 1: {cause}" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [f"step-{steps:08d}"]
    assert len(read_metrics(tmp_path)) == steps
    assert trainer(tmp_path, config).run()
    assert len(read_metrics(tmp_path)) == 9


def test_rollouts_without_variance_count_in_a_row_only(tmp_path: Path) -> None:
    class Sometimes(Letters):
        """Two rollouts without variance, and one with it."""

        def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
            return [
                self.reward(answers[-1].text) if number // 3 % 3 == 2 else Reward(0.5, {})
                for number, answers in trajectories
            ]

    config = train_config("rl", "dr_grpo", steps=6, max_rollouts_without_variance=3)
    assert trainer(tmp_path, config, Sometimes()).run()


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
    monkeypatch.setattr("rl.trajectory.clean_text", lambda text: garbage)
    assert trainer(tmp_path, train_config("rl")).run()
    assert all(line["reward"] == pytest.approx(Letters().reward(garbage).total) for line in read_metrics(tmp_path))


def test_a_logger_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackio", None)
    with pytest.raises(LemmataError, match="loggers=trackio needs trackio: pip install trackio"):
        make_trackers(["trackio"], tmp_path, {})


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_tracker_is_told_settings_and_steps_and_resumes_its_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Any, ...]] = []
    library = SimpleNamespace(
        init=lambda **about: calls.append(("init", about)),
        log=lambda values, step: calls.append((step, values)),
        finish=lambda: calls.append(("finish",)),
    )
    monkeypatch.setitem(sys.modules, name, library)
    for steps in (3, 5):
        config = replace(train_config("sft"), loggers=(name,), model="pkg://model/shipped", data=defaults().data)
        config = replace(config, stages=replace(config.stages, sft=replace(config.stages.sft, steps=steps)))
        make_trainer(config, tmp_path / "run", Parallel(), lambda *_: None, lambda: False).run()
    inits = [call[1] for call in calls if call[0] == "init"]
    assert all(about["config"]["stages"]["sft"]["optimizer"]["lr"] == 3e-3 for about in inits)
    assert all(about["resume"] == "allow" for about in inits)
    known = "id" if name == "wandb" else "name"  # by which the service finds the run
    assert inits[0][known] == inits[1][known]
    assert [call for call in calls if call[0] == "finish"] == [("finish",)] * 2
    steps = [call for call in calls if isinstance(call[0], int)]
    for (step, values), line in zip(steps, read_metrics(tmp_path / "run"), strict=True):
        assert step == line["step"]
        assert values["sft/loss"] == line["loss"]
        assert values["sft/seconds"] == line["time"]["seconds"]
