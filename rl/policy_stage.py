"""The stage of reinforcement learning: sample, reward, learn (DeepSeek-V3.2 report, section 3.1).

Shape suffixes: S samples, T tokens.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from model.engine import Engine, EngineConfig, Sampling
from model.initialise import empty_model
from model.transformer import DsaModel
from proofs.errors import LemmataError
from proofs.ids import derive_seed
from rl.advantage import GroupAdvantages, group_advantages
from rl.config import PolicyConfig
from rl.learner import Learner
from rl.loss import Denominator, LossInputs, policy_loss
from rl.presets import AlgorithmConfig
from rl.reward_shape import ShapeConfig
from rl.rollout import Try, sample_groups
from rl.rollout_log import rollout_parts
from rl.samples import Keep, Sample, by_prompt, mask_of, micro_batches, padded, score

WriteRollout = Callable[[int, Sequence[Try]], None]


class PolicyStage:
    """``step`` computes the gradients of one minibatch, after sampling a rollout where none is left."""

    name = "rl"

    def __init__(
        self,
        learner: Learner,
        config: PolicyConfig,
        algorithm: AlgorithmConfig,
        shaping: ShapeConfig,
        write_rollout: WriteRollout = lambda rollout, tries: None,
    ) -> None:
        self.learner, self.config, self.algorithm = learner, config, algorithm
        self.keep = Keep(algorithm.keep_routing, algorithm.keep_sampling_mask, config.keep_selection)
        self.shaping, self.write_rollout = shaping, write_rollout
        self.cursor = 0  # problems asked so far, by all processes
        self.rollout = 0
        self.buffer: list[Sample] = []
        self.pending: list[list[int]] = []
        self.latest: list[Sample] = []
        self.engine = self._make_engine()
        self.reference = self._copy() if self._needs_reference else None
        self.steps_since_reference = 0

    @property
    def _needs_reference(self) -> bool:
        return self.algorithm.beta(self.learner.training.domain) > 0

    def step(self) -> dict[str, float]:
        """Gradients of the next minibatch, and what to log; with a new rollout also about that."""
        parts = {} if self.pending else self._collect()
        self.latest = [self.buffer[number] for number in self.pending.pop(0)]
        counts = self.learner.parallel.sum(
            {"sequences": len(self.latest), "tokens": sum(len(sample.token_ids) for sample in self.latest)}
        )
        parts_of = micro_batches(self.latest, self.config.micro_tokens)
        batches = [[self.latest[place] for place in places] for places in parts_of]
        learnt = self.learner.accumulate(batches, lambda batch: self._loss(batch, Denominator(**counts)))
        return {**parts, **learnt, **counts}

    def validate(self, items: int, temperature: float) -> dict[str, float]:
        """Mean reward, with its parts, of one answer to each of the first ``items`` problems for validation."""
        parallel, learner = self.learner.parallel, self.learner
        sampling = self._sampling("validation", temperature=temperature)
        own = range(parallel.rank, items, parallel.world)
        tries = sample_groups(self.engine, learner.render, learner.validation, own, 1, sampling)
        return rollout_parts(tries, parallel)

    def weights_changed(self) -> None:
        """After an optimiser's step: the engine goes on with the new weights."""
        self.steps_since_reference += 1
        if self.engine.module is not self.learner.module:
            self.engine.load_weights(self.learner.parallel.whole_weights(self.learner.module))
        else:
            self.engine.weights_changed()
        if self.reference and self.steps_since_reference == self.config.reference_every:
            self.reference.load_state_dict(self.learner.parallel.whole_weights(self.learner.module))
            self.steps_since_reference = 0

    def failed_batch(self) -> dict[str, Any]:
        """What the latest step learnt from, for whoever looks into a failure."""
        return {"samples": [_as_dict(sample) for sample in self.latest]}

    def state(self) -> dict[str, Any]:
        """All that a resumed stage needs, the rest of the rollout and the reference included."""
        return {
            "cursor": self.cursor,
            "rollout": self.rollout,
            "pending": self.pending,
            "buffer": [_as_dict(sample) for sample in self.buffer] if self.pending else [],
            "reference": None if self.reference is None else self.reference.state_dict(),
            "steps_since_reference": self.steps_since_reference,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self.cursor, self.rollout, self.pending = state["cursor"], state["rollout"], state["pending"]
        self.steps_since_reference = state["steps_since_reference"]
        self.buffer = [Sample(**sample) for sample in state["buffer"]]
        if self.reference is not None:
            self.reference.load_state_dict(state["reference"])

    def close(self) -> None:
        """Nothing is held beyond the stage."""

    def _make_engine(self) -> Engine:
        alone = self.learner.parallel.world == 1
        config = EngineConfig(
            cache_tokens=self.config.cache_tokens,
            most_sequences=self.config.sequences,
            keep_routing=self.keep.routing,
            keep_selection=self.keep.selection,
        )
        return Engine(self.learner.module if alone else self._copy(), self.learner.tokenizer, config)

    def _copy(self) -> DsaModel:
        """The model as it is, whole, and not learning."""
        module = self.learner.module
        copy = empty_model(module.config, module.model.norm.weight.dtype, str(self.learner.device)).eval()
        copy.load_state_dict(self.learner.parallel.whole_weights(module))
        return copy.requires_grad_(False)

    def _sampling(self, *purpose: str | int, temperature: float | None = None) -> Sampling:
        sampling = self.config.sampling
        return Sampling(
            temperature=sampling.temperature if temperature is None else temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            seed=derive_seed(self.learner.seed, *purpose),
            keep_masks=self.keep.sampling_mask,
        )

    def _collect(self) -> dict[str, float]:
        """Sample the next rollout into the buffer."""
        tries, groups, refills = self._sample_tries()
        self.rollout += 1
        self.write_rollout(self.rollout, tries)
        rewarded = [one for one in tries if one.reward.total is not None]
        self.buffer = [
            sample
            for one, advantage, kept in zip(rewarded, groups.advantages_S.tolist(), groups.keep_S.tolist(), strict=True)
            if kept
            for sample in self._samples(one, advantage)
        ]
        if not self.learner.parallel.largest(len(self.buffer)):
            raise LemmataError(
                f"rollout {self.rollout} has nothing to learn from: every group has equal rewards, or no reward. "
                "Choose easier or harder problems, more samples, or a start that solves some"
            )
        self._score_fixed()
        self.pending = self._minibatches()
        return rollout_parts(tries, self.learner.parallel) | self._group_parts(groups, refills)

    def _sample_tries(self) -> tuple[list[Try], GroupAdvantages, int]:
        """Tries of as many groups as wanted, others in place of those that the algorithm drops; how often refilled."""
        parallel = self.learner.parallel
        wanted = missing = len(range(parallel.rank, self.config.groups, parallel.world))
        tries: list[Try] = []
        refills = -1
        while True:
            tries += self._ask(missing)
            refills += 1
            rewarded = [(one.reward.total, one.number) for one in tries if one.reward.total is not None]
            groups = group_advantages(*_transposed(rewarded), self.algorithm.advantage)
            missing = groups.missing(wanted)
            if refills == self.config.refills or not parallel.largest(missing):
                return tries, groups, refills

    def _ask(self, problems: int) -> list[Try]:
        """Tries of the next ``problems`` of this process; every process goes on by the same number."""
        parallel, learner, config = self.learner.parallel, self.learner, self.config
        first = self.cursor + parallel.rank
        self.cursor += parallel.largest(problems) * parallel.world
        numbers = range(first, first + problems * parallel.world, parallel.world)
        sampling = self._sampling("rollout")
        tries = config.samples
        return sample_groups(self.engine, learner.render, learner.training, numbers, tries, sampling, self.shaping)

    def _samples(self, one: Try, advantage: float) -> list[Sample]:
        return [
            Sample(
                prompt_ids=turn.prompt_ids,
                token_ids=turn.completion.token_ids,
                logprobs=turn.completion.logprobs,
                advantage=advantage,
                beta=self.algorithm.beta(self.learner.training.domain),
                temperature=self.config.sampling.temperature,
                masks=turn.completion.masks if self.keep.sampling_mask else None,
                routing=turn.completion.routing,
                selection=turn.completion.selection,
            )
            for turn in one.turns
        ]

    @torch.no_grad()
    def _score_fixed(self) -> None:
        """Log-probabilities that no later step changes: of the policy as it is now, and of the reference."""
        models: list[tuple[str, DsaModel]] = []
        if self.config.steps_per_rollout > 1:
            models.append(("old", self.engine.module))
        if self.reference is not None:
            models.append(("reference", self.reference))
        for numbers in micro_batches(self.buffer, self.config.micro_tokens) if models else ():
            batch = [self.buffer[number] for number in numbers]
            for name, module in models:
                # The reference has experts and attention of its own; what it shares is the support of the sampling.
                keep = self.keep if name == "old" else Keep(sampling_mask=self.keep.sampling_mask)
                rows = score(module, batch, keep).logprobs_ST.cpu()
                for sample, row_T in zip(batch, rows, strict=True):
                    setattr(sample, name, row_T[: len(sample.token_ids)].clone())

    def _minibatches(self) -> list[list[int]]:
        """The samples' numbers of every step of this rollout, a prompt's samples together."""
        steps = []
        groups = by_prompt(self.buffer)
        for epoch in range(self.config.epochs):
            random.Random(derive_seed(self.learner.seed, "order", self.rollout, epoch)).shuffle(groups)
            parts = [groups[part :: self.config.minibatches] for part in range(self.config.minibatches)]
            steps += [[number for group in part for number in group] for part in parts]
        return steps

    def _loss(self, batch: Sequence[Sample], denominator: Denominator) -> tuple[Tensor, dict[str, float]]:
        weight, device = self.config.indexer_weight, self.learner.device
        scored = score(self.learner.module, batch, self.keep, "sparse" if weight else "off")
        new_ST = scored.logprobs_ST
        inputs = LossInputs(
            new_ST=new_ST,
            old_ST=new_ST.detach() if batch[0].old is None else padded([_known(s.old) for s in batch], device),
            sampler_ST=padded([sample.logprobs for sample in batch], device),
            mask_ST=mask_of(batch, device),
            advantages_S=torch.tensor([sample.advantage for sample in batch], dtype=torch.float64, device=device),
            reference_ST=None if self.reference is None else padded([_known(s.reference) for s in batch], device),
            beta_S=torch.tensor([sample.beta for sample in batch], device=device),
            entropy_ST=scored.entropy_ST,
        )
        computed = policy_loss(inputs, self.algorithm.loss, denominator)
        loss, logged = computed.loss, {name: part.item() for name, part in computed.parts.items()}
        if weight:
            # Each micro-batch's mean counts by its share of the sequences.
            kl = scored.indexer_kl * (len(batch) / denominator.sequences)
            loss, logged["indexer_kl"] = loss + weight * kl, kl.item()
        return loss, {**logged, "loss": loss.item()}

    def _group_parts(self, groups: GroupAdvantages, refills: int) -> dict[str, float]:
        sums = self.learner.parallel.sum(
            {"groups": groups.groups, "equal": groups.equal_groups, "spread": groups.spread * groups.groups}
        )
        return {
            "groups": sums["groups"],
            "equal_groups": sums["equal"] / sums["groups"],
            "group_spread": sums["spread"] / sums["groups"],
            "refills": refills,
        }


def _known(values: Tensor | None) -> Tensor:
    assert values is not None
    return values


def _transposed(rewarded: Sequence[tuple[float, int]]) -> tuple[list[float], list[int]]:
    return [reward for reward, _ in rewarded], [number for _, number in rewarded]


def _as_dict(sample: Sample) -> dict[str, Any]:
    return {name: getattr(sample, name) for name in sample.__slots__}
