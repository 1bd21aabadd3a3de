"""Base of the stages that learn from the model's own answers: samples a rollout, learns from it in minibatches."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from core.errors import LemmataError
from core.ids import derive_seed, digest
from model.engine import EngineConfig, SamplingParams
from model.packed_attention import IndexerStage
from rl.config import RolloutConfig
from rl.learner import Learner
from rl.models.interface import PolicyModel, RolloutEngine
from rl.models.kinds import kind_of
from rl.reward_shaping import RewardShapingConfig
from rl.rollout import sample_groups, sampled_tokens
from rl.rollout_log import rollout_metrics
from rl.samples import Keep, Sample, by_prompt, computed_tokens, micro_batches
from rl.task import Task
from rl.trajectory import Trajectory

WriteRollout = Callable[[int, Sequence[Trajectory]], None]  # gets the number of a rollout, and its trajectories


class NothingToLearn(LemmataError):
    """The rewards teach nothing: training stops after a checkpoint."""


def no_log(rollout: int, trajectories: Sequence[Trajectory]) -> None:
    """Discards a rollout."""


class RolloutStage:
    """``step`` computes the gradients of one minibatch; it samples a rollout where no minibatch is pending.

    ``keep``: choices of the rollout that the engine records. ``shaping``: terms of rollout rewards, not of
    validation rewards. ``sampled``: the module that ``engine`` generates with: the trained one, or a whole copy of it
    where that is sharded.
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
        self.cursor = 0  # problems sampled so far by all processes
        self.rollout = 0
        self.buffer: list[Sample] = []
        self.pending: list[list[int]] = []
        self.latest: list[Sample] = []
        self.sampled_tokens = 0  # by this process, since the latest step
        self.sampled = learner.module if learner.parallel.world_size == 1 else self._copy()
        self.engine = self._make_engine()
        self._named: set[str] = set()  # prompts that were too long

    def _collect(self) -> dict[str, float]:
        """Samples the next rollout into ``buffer`` and sets ``pending``; returns its metrics."""
        raise NotImplementedError

    def _loss(self, batch: Sequence[Sample], counts: Mapping[str, float]) -> tuple[Tensor, dict[str, float]]:
        """Computes a micro-batch's part of the loss and of the metrics; ``counts`` are of the whole minibatch."""
        raise NotImplementedError

    def step(self) -> dict[str, float]:
        """Computes the gradients of the next minibatch; returns its metrics, with those of a new rollout.

        Raises LemmataError where a rollout has nothing to learn from.
        """
        metrics = {} if self.pending else self._collect()
        if not self.pending:
            raise LemmataError(
                f"rollout {self.rollout} has no answer to learn from: every prompt fills the context of "
                f"{self.engine.max_model_len} tokens. Use shorter problems, a model of a longer context, or a larger "
                f"stages.{self.name}.cache_tokens"
            )
        self.latest = [self.buffer[number] for number in self.pending.pop(0)]
        computed = self.sampled_tokens + computed_tokens(self.latest)
        self.sampled_tokens = 0
        counts = self.learner.parallel.sum({**self._counts(), "computed_tokens": computed})
        numbers = micro_batches(self.latest, self.settings.micro_batch_tokens)
        batches = [[self.latest[number] for number in batch] for batch in numbers]
        losses = self.learner.accumulate(batches, lambda batch: self._loss(batch, counts), self._indexer)
        return {**metrics, **losses, **counts}

    def validate(self, items: int, temperature: float) -> dict[str, float]:
        """Returns the mean reward, and its parts, of one answer to each of the first ``items`` validation problems."""
        parallel, learner = self.learner.parallel, self.learner
        sampling = self._sampling("validation", temperature=temperature)
        own = range(parallel.rank, items, parallel.world_size)
        trajectories = sample_groups(self.engine, learner, learner.validation, own, 1, sampling)
        self._name_too_long("validation", learner.validation, trajectories)
        return rollout_metrics(trajectories, parallel)

    def weights_changed(self) -> None:
        """Gives the engine the new weights after an optimizer step."""
        if self.sampled is not self.learner.module:
            self.engine.load_weights(self.learner.parallel.whole_weights(self.learner.module))
        else:
            self.engine.weights_changed()

    def failed_batch(self) -> dict[str, Any]:
        """The minibatch of the latest step, saved where its loss or gradient is not finite."""
        return {"samples": [_as_dict(sample) for sample in self.latest]}

    def state(self) -> dict[str, Any]:
        """The state that resuming needs, with the rest of the rollout."""
        return {
            "cursor": self.cursor,
            "rollout": self.rollout,
            "pending": self.pending,
            "buffer": [_as_dict(sample) for sample in self.buffer] if self.pending else [],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores ``state``."""
        self.cursor, self.rollout, self.pending = state["cursor"], state["rollout"], state["pending"]
        self.buffer = [Sample(**sample) for sample in state["buffer"]]

    def close(self) -> None:
        """Ends the stage: it holds no resources."""

    @property
    def _indexer(self) -> IndexerStage:
        return "sparse" if self.settings.indexer_weight else "off"

    def _counts(self) -> dict[str, float]:
        """Counts of this process's part of the minibatch; all processes have the same keys."""
        return {"sequences": len(self.latest), "tokens": sum(len(sample.token_ids) for sample in self.latest)}

    def _make_engine(self) -> RolloutEngine:
        config = EngineConfig(
            cache_tokens=self.settings.cache_tokens,
            max_num_seqs=self.settings.max_num_seqs,
            capture_routing=self.keep.routing,
            capture_selection=self.keep.selection,
        )
        return kind_of(self.sampled).engine(self.sampled, self.learner.tokenizer, config)

    def _copy(self) -> PolicyModel:
        """Copies the current model, unsharded and without gradients."""
        module = self.learner.module
        copy = kind_of(module).empty_like(module, str(self.learner.device))
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

    def _sample(self, problems: int) -> list[Trajectory]:
        """Samples trajectories of this process's part of the next ``problems`` of all processes."""
        parallel, learner = self.learner.parallel, self.learner
        numbers = range(self.cursor + parallel.rank, self.cursor + problems, parallel.world_size)
        self.cursor += problems
        sampling = self._sampling("rollout")
        samples, task = self.settings.samples, learner.training
        trajectories = sample_groups(
            self.engine, learner, task, numbers, samples, sampling, self.shaping, judge_early=learner.judge_early
        )
        self.sampled_tokens += sampled_tokens(trajectories)
        self._name_too_long("training", task, trajectories)
        return trajectories

    def _name_too_long(self, purpose: str, task: Task, trajectories: Sequence[Trajectory]) -> None:
        """Logs each problem that a too long prompt leaves without an answer, or its refinement without one, once."""
        for trajectory in trajectories:
            if trajectory.too_long is None:
                continue
            prompt = task.prompt(trajectory.number)
            if digest(prompt) not in self._named:
                self._named.add(digest(prompt))
                self.learner.notice(
                    f"left out: turn {len(trajectory.turns) + 1} of {purpose} problem {trajectory.number} has a prompt "
                    f"of {trajectory.too_long} tokens, and the context is {self.engine.max_model_len}; it begins "
                    f"{prompt[:80]!r}"
                )

    def _minibatches(self) -> list[list[int]]:
        """Splits the buffer into the minibatches of all epochs, by sample number; a prompt's samples stay together.

        The prompts of all processes are split together, so that a minibatch is the same for any number of processes;
        this process may have none of its prompts. With fewer prompts than minibatches there are as many as prompts.
        """
        own = {digest(str(self.buffer[group[0]].prompt_ids)): group for group in by_prompt(self.buffer)}
        firsts = {prompt: (self.buffer[group[0]].number, group[0]) for prompt, group in own.items()}
        first: dict[str, tuple[int, int]] = {}
        for other in self.learner.parallel.gather(firsts):
            first |= {prompt: min(place, first.get(prompt, place)) for prompt, place in other.items()}
        prompts = sorted(first, key=first.__getitem__)
        steps = []
        for epoch in range(self.settings.epochs):
            random.Random(derive_seed(self.learner.seed, "order", self.rollout, epoch)).shuffle(prompts)
            count = min(self.settings.minibatches, len(prompts))
            parts = [prompts[part::count] for part in range(count)]
            steps += [[number for prompt in part for number in own.get(prompt, ())] for part in parts]
        return steps


def _as_dict(sample: Sample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in sample.__slots__}
