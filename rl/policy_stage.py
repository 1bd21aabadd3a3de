"""Stage of reinforcement learning: samples, rewards, learns (DeepSeek-V3.2 report, section 3.1).

Shape suffixes: S samples, T tokens.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from rl.advantage import GroupAdvantages, group_advantages
from rl.algorithm import AlgorithmConfig
from rl.config import PolicyConfig
from rl.learner import Learner
from rl.loss import Denominator, LossInputs, policy_loss
from rl.models.interface import PolicyModel
from rl.reward_shaping import RewardShapingConfig
from rl.rollout_log import rollout_metrics
from rl.rollout_stage import NothingToLearn, RolloutStage, WriteRollout, no_log
from rl.samples import Keep, Sample, mask_of, micro_batches, padded, score
from rl.trajectory import Trajectory


class PolicyStage(RolloutStage):
    """Learns from the rewards of its rollouts by ``algorithm``."""

    name = "rl"

    def __init__(
        self,
        learner: Learner,
        config: PolicyConfig,
        algorithm: AlgorithmConfig,
        shaping: RewardShapingConfig,
        write_rollout: WriteRollout = no_log,
    ) -> None:
        keep = Keep(algorithm.keep_routing, algorithm.keep_sampling_mask, config.keep_selection)
        super().__init__(learner, config, keep, shaping, write_rollout)
        self.config, self.algorithm = config, algorithm
        self.reference = self._copy() if self._needs_reference else None
        self.steps_since_reference = 0
        self.rollouts_without_variance = 0  # the latest in a row

    @property
    def _needs_reference(self) -> bool:
        return self.algorithm.beta(self.learner.training.domain) > 0

    @override
    def weights_changed(self) -> None:
        self.steps_since_reference += 1
        super().weights_changed()
        if self.reference and self.steps_since_reference == self.config.reference_every:
            self.reference.load_state_dict(self.learner.parallel.whole_weights(self.learner.module))
            self.steps_since_reference = 0

    @override
    def state(self) -> dict[str, Any]:
        return {
            **super().state(),
            "reference": None if self.reference is None else self.reference.state_dict(),
            "steps_since_reference": self.steps_since_reference,
            "rollouts_without_variance": self.rollouts_without_variance,
        }

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.steps_since_reference = state["steps_since_reference"]
        self.rollouts_without_variance = state["rollouts_without_variance"]
        if self.reference is not None:
            self.reference.load_state_dict(state["reference"])

    @override
    def _collect(self) -> dict[str, float]:
        """Samples until groups have reward variance, or stay in the batch without any."""
        while True:
            metrics = self._collect_once()
            if self.learner.parallel.max(len(self.buffer)):
                self._score_old_and_reference()
                self.pending = self._minibatches()
                return metrics

    def _collect_once(self) -> dict[str, float]:
        trajectories, groups, resamples = self._sample_trajectories()
        self.rollout += 1
        self.write_rollout(self.rollout, trajectories)
        rewarded = [trajectory for trajectory in trajectories if trajectory.reward.total is not None]
        self.buffer = [
            sample
            for trajectory, advantage, kept in zip(
                rewarded, groups.advantages_S.tolist(), groups.keep_S.tolist(), strict=True
            )
            if kept
            for sample in self._samples(trajectory, advantage)
        ]
        metrics = self._group_metrics(groups, resamples)
        self._check_variance(metrics)
        return rollout_metrics(trajectories, self.learner.parallel) | metrics

    def _check_variance(self, metrics: Mapping[str, float]) -> None:
        """Logs a rollout whose groups all have equal rewards. Raises NothingToLearn after several in a row."""
        groups, limit = int(metrics["groups"]), self.config.max_rollouts_without_variance
        if groups and metrics["zero_variance_groups"] < 1:
            self.rollouts_without_variance = 0
            return
        self.rollouts_without_variance += 1
        sampling = self.config.sampling
        message = (
            f"rollout {self.rollout}: 0 of {groups} groups have reward variance: nothing to learn from; raise "
            f"stages.rl.sampling.temperature={sampling.temperature:g} or choose problems of pass rate 0.1 to 0.9 "
            "(data.families, data.levels, or another model)"
        )
        if not groups:
            message = (
                f"rollout {self.rollout}: no answer has a reward: nothing to learn from; the judge failed on each "
                "(reward_missing), or the prompts fill the context (prompts_too_long)"
            )
        if self.rollouts_without_variance == limit:
            self.rollouts_without_variance = 0  # a resumed run goes on with the next problems
            raise NothingToLearn(f"{message}. This is the case in {limit} rollouts in a row")
        if self.learner.parallel.is_main:
            self.learner.notice(f"{message} ({self.rollouts_without_variance} of at most {limit} in a row)")

    def _sample_trajectories(self) -> tuple[list[Trajectory], GroupAdvantages, int]:
        """Samples groups, and others in place of dropped ones; also returns how often that was done."""
        parallel = self.learner.parallel
        missing = self.config.groups  # of all processes
        trajectories: list[Trajectory] = []
        resamples = -1
        while True:
            trajectories += self._sample(missing)
            resamples += 1
            rewarded = [(one.reward.total, one.number) for one in trajectories if one.reward.total is not None]
            groups = group_advantages(*_transposed(rewarded), self.algorithm.advantage)
            missing = self.config.groups - int(parallel.sum({"kept": groups.kept_groups})["kept"])
            if resamples == self.config.max_resamples or not missing:
                return trajectories, groups, resamples

    def _samples(self, trajectory: Trajectory, advantage: float) -> list[Sample]:
        return [
            Sample(
                prompt_ids=turn.prompt_ids,
                token_ids=turn.completion.token_ids,
                logprobs=turn.completion.logprobs,
                number=trajectory.number,
                advantage=advantage,
                beta=self.algorithm.beta(self.learner.training.domain),
                temperature=self.config.sampling.temperature,
                masks=turn.completion.masks if self.keep.sampling_mask else None,
                routing=turn.completion.routing,
                selection=turn.completion.selection,
            )
            for turn in trajectory.turns
        ]

    @torch.no_grad()
    def _score_old_and_reference(self) -> None:
        """Records the log-probabilities of the policy at the start of the update, and of the reference."""
        models: list[tuple[str, PolicyModel]] = []
        if self.config.steps_per_rollout > 1:
            models.append(("old", self.sampled))
        if self.reference is not None:
            models.append(("reference", self.reference))
        for numbers in micro_batches(self.buffer, self.config.micro_batch_tokens) if models else ():
            batch = [self.buffer[number] for number in numbers]
            for name, module in models:
                # The reference chooses experts and tokens itself; only the support of the sampling is the rollout's.
                keep = self.keep if name == "old" else Keep(sampling_mask=self.keep.sampling_mask)
                rows = score(module, batch, keep).logprobs_ST.cpu()
                for sample, row_T in zip(batch, rows, strict=True):
                    setattr(sample, name, row_T[: len(sample.token_ids)].clone())

    @override
    def _loss(self, batch: Sequence[Sample], counts: Mapping[str, float]) -> tuple[Tensor, dict[str, float]]:
        weight, device = self.config.indexer_weight, self.learner.device
        denominator = Denominator(counts["sequences"], counts["tokens"])
        scored = score(self.learner.module, batch, self.keep, self._indexer)
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
            # A micro-batch's mean is weighted by its fraction of the sequences.
            kl = scored.indexer_kl * (len(batch) / denominator.sequences)
            loss, logged["indexer_kl"] = loss + weight * kl, kl.item()
        return loss, {**logged, "loss": loss.item()}

    def _group_metrics(self, groups: GroupAdvantages, resamples: int) -> dict[str, float]:
        sums = self.learner.parallel.sum(
            {
                "groups": groups.groups,
                "zero_variance": groups.zero_variance_groups,
                "std": groups.reward_std * groups.groups,
            }
        )
        return {
            "groups": sums["groups"],
            "zero_variance_groups": sums["zero_variance"] / max(1, sums["groups"]),
            "group_reward_std": sums["std"] / max(1, sums["groups"]),
            "resamples": resamples,
        }


def _known(values: Tensor | None) -> Tensor:
    assert values is not None
    return values


def _transposed(rewarded: Sequence[tuple[float, int]]) -> tuple[list[float], list[int]]:
    return [reward for reward, _ in rewarded], [number for _, number in rewarded]
