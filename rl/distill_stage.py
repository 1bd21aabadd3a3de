"""Stage of on-policy distillation: the student answers, and the teacher of the problem's kind scores every token.

Agarwal et al. 2024 (GKD, arXiv 2306.13649) with answers of the student alone; Thinking Machines Lab 2025, On-Policy
Distillation. They estimate the reverse KL at the sampled tokens; here it is computed over the whole vocabulary.

Shape suffixes: P predicted tokens, n of them, M model width.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from typing_extensions import override

from rl.config import DistillConfig
from rl.divergence import Divergence, divergence
from rl.head import by_rows
from rl.learner import Learner
from rl.models.interface import PolicyModel
from rl.reward_shaping import NO_SHAPING
from rl.rollout_log import rollout_metrics
from rl.rollout_stage import RolloutStage, WriteRollout, no_log
from rl.samples import Keep, Sample, answer_states, by_prompt
from rl.teachers import check_teachers, kind_of, kinds_of, load_teachers
from rl.trajectory import Trajectory

NOTHING = Keep()  # without ratios of policies, student and teacher choose experts and tokens themselves


class DistillStage(RolloutStage):
    """Learns the next-token distribution of the teacher of each problem's kind, on the student's answers.

    ``role``: the kind of all problems, where the task is not mixed. Rewards are only logged.
    """

    name = "distill"

    def __init__(
        self,
        learner: Learner,
        config: DistillConfig,
        role: str,
        write_rollout: WriteRollout = no_log,
    ) -> None:
        """Raises LemmataError where a kind has no teacher, or one that does not fit the student."""
        self.config, self.role = config, role
        self.kinds = kinds_of(learner.training, role)
        self.teachers = load_teachers(check_teachers(config.teachers, learner, role), learner)
        super().__init__(learner, config, NOTHING, NO_SHAPING, write_rollout)

    @override
    def _collect(self) -> dict[str, float]:
        trajectories = self._sample(self.config.groups)
        self.rollout += 1
        self.write_rollout(self.rollout, trajectories)
        self.buffer = [sample for trajectory in trajectories for sample in self._samples(trajectory)]
        self.pending = self._minibatches()
        return rollout_metrics(trajectories, self.learner.parallel)

    def _samples(self, trajectory: Trajectory) -> list[Sample]:
        """The samples of all turns; later turns have the teacher of the first."""
        kind = kind_of(self.learner.training, self.role, trajectory.number)
        return [
            Sample(
                prompt_ids=turn.prompt_ids,
                token_ids=turn.completion.token_ids,
                logprobs=turn.completion.logprobs,
                temperature=self.config.sampling.temperature,
                number=trajectory.number,
                kind=kind,
            )
            for turn in trajectory.turns
        ]

    @override
    def _counts(self) -> dict[str, float]:
        own = {kind: [sample for sample in self.latest if sample.kind == kind] for kind in self.kinds}
        tokens = {f"tokens/{kind}": sum(len(one.token_ids) for one in samples) for kind, samples in own.items()}
        return super()._counts() | tokens

    @override
    def _loss(self, batch: Sequence[Sample], counts: Mapping[str, float]) -> tuple[Tensor, dict[str, float]]:
        weight = self.config.indexer_weight
        ordered = [batch[number] for group in by_prompt(batch) for number in group]
        student_PM, indexer_kl = answer_states(self.learner.module, ordered, NOTHING, self._indexer)
        found = self._divergence(ordered, student_PM)
        loss = found.divergence.sum() / counts["tokens"]
        logged = {
            "kl": loss.item(),
            "entropy": found.entropy.sum().item() / counts["tokens"],
            "agreement": found.agreement.sum().item() / counts["tokens"],
            **self._by_kind(ordered, found.divergence.detach(), counts),
        }
        if weight:
            # A micro-batch's mean is weighted by its fraction of the sequences.
            indexer_kl = indexer_kl * (len(batch) / counts["sequences"])
            loss, logged["indexer_kl"] = loss + weight * indexer_kl, indexer_kl.item()
        return loss, {**logged, "loss": loss.item()}

    def _divergence(self, ordered: Sequence[Sample], student_PM: Tensor) -> Divergence:
        """The divergence from the teacher of each answer's kind, of the tokens in the order of ``student_PM``."""
        lengths = [len(sample.token_ids) for sample in ordered]
        states = student_PM.split(lengths)
        rows: dict[int, tuple[Tensor, ...]] = {}
        for teacher in dict.fromkeys(self.teachers.values()):
            numbers = [place for place, sample in enumerate(ordered) if self.teachers[sample.kind] is teacher]
            if numbers:
                own = [ordered[place] for place in numbers]
                found = self._from_teacher(teacher, own, torch.cat([states[place] for place in numbers]))
                parts = (values.split([lengths[place] for place in numbers]) for values in found)
                rows |= zip(numbers, zip(*parts, strict=True), strict=True)
        whole = zip(*(rows[place] for place in range(len(ordered))), strict=True)
        return Divergence(*(torch.cat(values) for values in whole))

    def _from_teacher(self, teacher: PolicyModel, own: Sequence[Sample], student_PM: Tensor) -> tuple[Tensor, ...]:
        student = self.learner.module
        with torch.no_grad():
            teacher_PM, _ = answer_states(teacher, own, NOTHING)

        def of_rows(student_nM: Tensor, teacher_nM: Tensor) -> tuple[Tensor, ...]:
            with torch.no_grad():
                teacher_nV = teacher.logits(teacher_nM)
            return divergence(student.logits(student_nM), teacher_nV, self.config.divergence)

        return by_rows(of_rows, student.config.vocab_size, student_PM, teacher_PM)

    def _by_kind(self, ordered: Sequence[Sample], values_P: Tensor, counts: Mapping[str, float]) -> dict[str, float]:
        """Each kind's part of its mean KL; kinds without tokens in the minibatch are left out."""
        sums = {kind: 0.0 for kind in self.kinds if counts[f"tokens/{kind}"]}
        for sample, value in zip(ordered, values_P.split([len(one.token_ids) for one in ordered]), strict=True):
            sums[sample.kind] += value.sum().item()
        return {f"kl/{kind}": total / counts[f"tokens/{kind}"] for kind, total in sums.items()}
