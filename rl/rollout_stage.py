"""What the stages share that learn from the model's own answers: sample a rollout, learn from it in minibatches."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from core.ids import derive_seed
from model.engine import Engine, EngineConfig, SamplingParams
from model.initialize import empty_model
from model.transformer import DsaModel
from rl.config import RolloutConfig
from rl.learner import Learner
from rl.reward_shaping import RewardShapingConfig
from rl.rollout import Trajectory, sample_groups
from rl.rollout_log import rollout_metrics
from rl.samples import Keep, Sample, by_prompt, micro_batches

WriteRollout = Callable[[int, Sequence[Trajectory]], None]


class RolloutStage:
    """``step`` computes the gradients of one minibatch, after sampling a rollout where none is left.

    ``keep``: choices of the rollout that the engine records. ``shaping`` is part of the rewards of rollouts, not of
    validation's.
    """

    name: str

    def __init__(
        self,
        learner: Learner,
        config: RolloutConfig,
        keep: Keep,
        shaping: RewardShapingConfig,
        write_rollout: WriteRollout,
    ) -> None:
        self.learner, self.settings, self.keep = learner, config, keep
        self.shaping, self.write_rollout = shaping, write_rollout
        self.cursor = 0  # problems asked so far, by all processes
        self.rollout = 0
        self.buffer: list[Sample] = []
        self.pending: list[list[int]] = []
        self.latest: list[Sample] = []
        self.engine = self._make_engine()

    def _collect(self) -> dict[str, float]:
        """Sample the next rollout into the buffer, set what is pending; what to log of it."""
        raise NotImplementedError

    def _loss(self, batch: Sequence[Sample], counts: Mapping[str, float]) -> tuple[Tensor, dict[str, float]]:
        """A micro-batch's part of the loss, and of what to log; ``counts`` are of the whole minibatch."""
        raise NotImplementedError

    def step(self) -> dict[str, float]:
        """Gradients of the next minibatch, and what to log; with a new rollout also about that."""
        parts = {} if self.pending else self._collect()
        self.latest = [self.buffer[number] for number in self.pending.pop(0)]
        counts = self.learner.parallel.sum(self._counts())
        parts_of = micro_batches(self.latest, self.settings.micro_batch_tokens)
        batches = [[self.latest[place] for place in places] for places in parts_of]
        learnt = self.learner.accumulate(batches, lambda batch: self._loss(batch, counts))
        return {**parts, **learnt, **counts}

    def validate(self, items: int, temperature: float) -> dict[str, float]:
        """Mean reward, with its parts, of one answer to each of the first ``items`` problems for validation."""
        parallel, learner = self.learner.parallel, self.learner
        sampling = self._sampling("validation", temperature=temperature)
        own = range(parallel.rank, items, parallel.world_size)
        trajectories = sample_groups(self.engine, learner.render, learner.validation, own, 1, sampling)
        return rollout_metrics(trajectories, parallel)

    def weights_changed(self) -> None:
        """After an optimizer's step: the engine goes on with the new weights."""
        if self.engine.module is not self.learner.module:
            self.engine.load_weights(self.learner.parallel.whole_weights(self.learner.module))
        else:
            self.engine.weights_changed()

    def failed_batch(self) -> dict[str, Any]:
        """What the latest step learnt from, for whoever looks into a failure."""
        return {"samples": [_as_dict(sample) for sample in self.latest]}

    def state(self) -> dict[str, Any]:
        """All that a resumed stage needs, the rest of the rollout included."""
        return {
            "cursor": self.cursor,
            "rollout": self.rollout,
            "pending": self.pending,
            "buffer": [_as_dict(sample) for sample in self.buffer] if self.pending else [],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self.cursor, self.rollout, self.pending = state["cursor"], state["rollout"], state["pending"]
        self.buffer = [Sample(**sample) for sample in state["buffer"]]

    def close(self) -> None:
        """Nothing is held beyond the stage."""

    def _counts(self) -> dict[str, float]:
        """Of this process's part of the minibatch; every process counts the same things."""
        return {"sequences": len(self.latest), "tokens": sum(len(sample.token_ids) for sample in self.latest)}

    def _make_engine(self) -> Engine:
        alone = self.learner.parallel.world_size == 1
        config = EngineConfig(
            cache_tokens=self.settings.cache_tokens,
            max_num_seqs=self.settings.max_num_seqs,
            capture_routing=self.keep.routing,
            capture_selection=self.keep.selection,
        )
        return Engine(self.learner.module if alone else self._copy(), self.learner.tokenizer, config)

    def _copy(self) -> DsaModel:
        """The model as it is, whole, and not learning."""
        module = self.learner.module
        copy = empty_model(module.config, module.model.norm.weight.dtype, str(self.learner.device)).eval()
        copy.load_state_dict(self.learner.parallel.whole_weights(module))
        return copy.requires_grad_(False)

    def _sampling(self, *purpose: str | int, temperature: float | None = None) -> SamplingParams:
        sampling = self.settings.sampling
        return SamplingParams(
            temperature=sampling.temperature if temperature is None else temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            seed=derive_seed(self.learner.seed, *purpose),
            record_sampling_masks=self.keep.sampling_mask,
        )

    @property
    def _own_groups(self) -> int:
        """Problems of a rollout that this process samples."""
        return len(range(self.learner.parallel.rank, self.settings.groups, self.learner.parallel.world_size))

    def _ask(self, problems: int) -> list[Trajectory]:
        """Trajectories of the next ``problems`` of this process; every process goes on by the same number."""
        parallel, learner = self.learner.parallel, self.learner
        first = self.cursor + parallel.rank
        self.cursor += parallel.max(problems) * parallel.world_size
        numbers = range(first, first + problems * parallel.world_size, parallel.world_size)
        sampling = self._sampling("rollout")
        trajectories = self.settings.samples
        return sample_groups(
            self.engine, learner.render, learner.training, numbers, trajectories, sampling, self.shaping
        )

    def _minibatches(self) -> list[list[int]]:
        """The samples' numbers of every step of this rollout, a prompt's samples together."""
        steps = []
        groups = by_prompt(self.buffer)
        for epoch in range(self.settings.epochs):
            random.Random(derive_seed(self.learner.seed, "order", self.rollout, epoch)).shuffle(groups)
            parts = [groups[part :: self.settings.minibatches] for part in range(self.settings.minibatches)]
            steps += [[number for group in part for number in group] for part in parts]
        return steps


def _as_dict(sample: Sample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in sample.__slots__}
