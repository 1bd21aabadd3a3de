"""Training loop of all roles and stages: gradients, optimizer step, metrics, validation, checkpoint.

A run that was stopped, at any moment, resumes from its latest checkpoint. Its metrics are those of an uninterrupted
run, bit for bit on a CPU.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from core.errors import LemmataError
from model.balance import update_biases
from model.router_capture import gates
from rl.checkpoint import Checkpoints, load_optimizer, optimizer_state
from rl.config import RolloutConfig, SupervisedConfig, TrainConfig
from rl.distill_stage import DistillStage
from rl.learner import Learner
from rl.metrics import Metrics, Tracker
from rl.models.kinds import kind_of
from rl.optimizer import clip_gradients, lr_multiplier, make_optimizer, set_learning_rate
from rl.policy_stage import PolicyStage
from rl.rollout_log import write_rollout
from rl.rollout_stage import NothingToLearn, RolloutStage
from rl.supervised import Supervised
from rl.teachers import check_teachers
from rl.trajectory import Trajectory

Report = Callable[[int, int, str, Mapping[str, float]], None]
Stage = Supervised | RolloutStage
StageConfig = SupervisedConfig | RolloutConfig


@dataclass
class Trainer:
    """Trains ``learner`` through the stages of ``config``, and writes to ``folder``, at the end to ``folder/model``.

    ``report`` is called after every step with its number, the number of all steps, the stage and the metrics; then
    ``stopping``, which returns whether to stop.
    """

    learner: Learner
    config: TrainConfig
    folder: Path
    trackers: tuple[Tracker, ...] = ()
    report: Report = lambda step, steps, stage, values: None
    stopping: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        """Raises LemmataError where a later stage could not start."""
        self.checkpoints = Checkpoints(self.folder, self.config.checkpoint.keep, self.config.checkpoint.keep_every)
        if "distill" in self.config.schedule:
            check_teachers(self.config.stages.distill.teachers, self.learner, self.config.role)
        self._check_model()

    def _check_model(self) -> None:
        """Raises LemmataError where the stages need what the model does not have."""
        schedule, stages, module = self.config.schedule, self.config.stages, self.learner.module
        if "rl" in schedule and self.config.algorithm.keep_routing and not gates(module):
            raise LemmataError(
                "algorithm.keep_routing=true: the model is dense, or rollouts do not record its experts; set "
                "algorithm.keep_routing=false"
            )
        if kind_of(module).records_choices:
            return
        trains_indexers = [f"stage {name}" for name in ("warmup", "sparse") if name in schedule]
        trains_indexers += [
            f"stages.{name}.indexer_weight"
            for name in ("rl", "distill")
            if name in schedule and getattr(stages, name).indexer_weight
        ]
        if "rl" in schedule and stages.rl.keep_selection:
            trains_indexers.append("stages.rl.keep_selection")
        if trains_indexers:
            raise LemmataError(
                f"{trains_indexers[0]}: an ordinary causal model has no indexers; leave it out, or convert the model "
                "to DSA (python -m model.convert)"
            )

    @property
    def steps(self) -> int:
        """The number of steps of all stages."""
        return sum(getattr(self.config.stages, name).steps for name in self.config.schedule)

    def run(self) -> bool:
        """Trains to the end; returns False where ``stopping`` ended it before.

        Raises LemmataError where loss or gradients are not finite, and where a file cannot be written.
        """
        parallel = self.learner.parallel
        saved = self.checkpoints.latest(parallel, self.learner.module)
        parallel.shard(self.learner.module)
        self.step = saved["step"] if saved else 0
        self.metrics = Metrics(self.folder, self.step, self.trackers) if parallel.is_main else None
        try:
            return self._run_stages(saved)
        finally:
            if self.metrics:
                self.metrics.close()

    def _run_stages(self, state: Mapping[str, Any] | None) -> bool:
        first = 0
        for place, name in enumerate(self.config.schedule):
            last = first + getattr(self.config.stages, name).steps
            own_state = state if state and state["place"] == place else None
            if self.step < last and not self._run_stage(place, first, last, own_state):
                return False
            first = last
        if self.learner.parallel.is_main:
            self.checkpoints.publish(self.folder / "model")
        return True

    def _run_stage(self, place: int, first: int, last: int, state: Mapping[str, Any] | None) -> bool:
        """Trains through one stage, steps ``first`` to ``last`` of the run; returns False where it was stopped."""
        stage = self._make_stage(self.config.schedule[place])
        settings = getattr(self.config.stages, stage.name)
        optimizer = make_optimizer(self.learner.module, settings.optimizer)
        self.computed = state["computed"] if state else 0
        if state:
            stage.load_state(state["stage"])
            load_optimizer(optimizer, state["optimizer"])
        stop = False
        while self.step < last:
            try:
                self._train_step(stage, optimizer, settings, first, last)
            except NothingToLearn as error:
                self._save(place, stage, optimizer)
                kept = self.checkpoints.latest_model()
                raise NothingToLearn(f"{error}. The model of step {self.step} is kept: {kept}") from error
            stop = self.stopping()
            if self._budget_used(settings):
                self.step = last  # the steps that are left out count as done
            if stop or self.step == last or self.step % self.config.checkpoint.every == 0:
                self._save(place, stage, optimizer)
            if stop:
                break
        stage.close()
        final = place == len(self.config.schedule) - 1
        return self.step == last and (final or not stop)

    def _budget_used(self, settings: StageConfig) -> bool:
        return settings.token_budget is not None and self.computed >= settings.token_budget

    def _make_stage(self, name: str) -> Stage:
        config, learner = self.config, self.learner
        if name == "rl":
            return PolicyStage(learner, config.stages.rl, config.algorithm, config.reward_shaping, self._keep_rollout)
        if name == "distill":
            return DistillStage(learner, config.stages.distill, config.role, self._keep_rollout)
        return Supervised(name, learner, getattr(config.stages, name))

    def _keep_rollout(self, rollout: int, trajectories: Sequence[Trajectory]) -> None:
        if self.learner.parallel.is_main and rollout % self.config.save_rollouts_every == 0:
            path = self.folder / "rollouts" / f"{rollout:06d}.jsonl"
            write_rollout(path, trajectories, self.learner.training.prompt)

    def _train_step(self, stage: Stage, optimizer: Optimizer, config: StageConfig, first: int, last: int) -> None:
        started, cpu, settings = time.monotonic(), time.process_time(), config.optimizer
        rate = set_learning_rate(optimizer, lr_multiplier(settings, self.step - first, last - first))
        optimizer.zero_grad(set_to_none=True)
        values = stage.step()
        self._check(stage, values)
        weights = [weight for group in optimizer.param_groups for weight in group["params"] if weight.grad is not None]
        norm = clip_gradients(weights, settings.max_grad_norm) if weights else 0.0
        self._check(stage, {"grad_norm": norm})
        optimizer.step()
        if settings.bias_update_speed:
            self.learner.parallel.sum_tensors(self.learner.loads)
            update_biases(self.learner.module, self.learner.loads, settings.bias_update_speed)
        stage.weights_changed()
        self.step += 1
        self.computed += int(values["computed_tokens"])
        values = {**values, "grad_norm": norm, "learning_rate": rate}
        if self.step == last or self._budget_used(config) or self.step % self.config.validation.every == 0:
            values |= {f"validation/{name}": value for name, value in self._validate(stage).items()}
        if self.metrics:
            seconds = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
            self.metrics.write(self.step, stage.name, values, seconds)
        self.report(self.step, self.steps, stage.name, values)

    def _validate(self, stage: Stage) -> dict[str, float]:
        settings = self.config.validation
        if isinstance(stage, RolloutStage):
            return stage.validate(settings.items, settings.temperature)
        return stage.validate(settings.items)

    def _check(self, stage: Stage, values: Mapping[str, float]) -> None:
        """Raises LemmataError where a value is NaN or infinite, after saving the batch."""
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        if bad:
            path = self.folder / f"failed-step-{self.step + 1}-rank-{self.learner.parallel.rank}.pt"
            torch.save(stage.failed_batch(), path)
            raise LemmataError(
                f"step {self.step + 1} of stage {stage.name}: {', '.join(bad)} not finite. The batch is in {path}; the "
                "weights are those of the step before. Lower the learning rate, or resume from another checkpoint"
            )

    def _save(self, place: int, stage: Stage, optimizer: Optimizer) -> None:
        learner = self.learner
        shared = {
            "step": self.step,
            "place": place,
            "computed": self.computed,
            "optimizer": optimizer_state(optimizer),
        }
        self.checkpoints.save(learner.parallel, learner.module, learner.tokenizer, shared, stage.state())
