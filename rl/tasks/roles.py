"""The roles as tasks on cases of any source: prompt and reward of each, written once (DeepSeekMath-V2, section 2).

The lab (`rl.tasks.lab`), tables (`rl.tasks.table_roles`) and the adapters to other engines (`rl.adapters`) use these.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from typing_extensions import override

from core.reward import Reward
from core.sections import split_proof
from core.templates import Templates
from lab import check
from meta_verifier.reward import meta_verifier_reward
from prover.reward import prover_reward
from rl.task import Answer, Task
from rl.tasks.tables import Case, Cases
from verifier.reward import verifier_reward

DOMAIN = "mathematics"


@dataclass(frozen=True)
class RoleTask(Task):
    """Base of the roles: the message about a case, and the reward of the last answer. Without SFT examples."""

    cases: Cases
    templates: Templates
    rounds: int

    @property
    @override
    def domain(self) -> str:
        return DOMAIN

    def message(self, case: Case) -> str:
        """Returns the user's message about a case."""
        raise NotImplementedError

    def reward(self, case: Case, answer: Answer) -> Reward:
        """Rewards an answer about a case."""
        raise NotImplementedError

    @override
    def prompt(self, number: int) -> str:
        return self.message(self.cases.case(number))

    @override
    def follow_ups(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[str | None]:
        return [None] * len(trajectories)

    @override
    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """The reward is that of the last turn."""
        return [self.reward(self.cases.case(number), answers[-1]) for number, answers in trajectories]


class ProverTask(RoleTask):
    """Prover: proves or refutes, and evaluates its own proof. R_Y is the checker's score, of theorems of the lab."""

    @override
    def message(self, case: Case) -> str:
        return self.templates.proof(case.statement)

    @override
    def follow_ups(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[str | None]:
        """Asks for a refinement of the latest proof, while there is a round left and a proof."""
        return [self._follow_up(number, answers) for number, answers in trajectories]

    def _follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        sections = split_proof(answers[-1].text)
        if len(answers) == self.rounds or not sections.body or not sections.self_evaluation:
            return None
        candidates = [(sections.body, [sections.self_evaluation])]
        return self.templates.refinement(self.cases.case(number).statement, candidates)

    @override
    def reward(self, case: Case, answer: Answer) -> Reward:
        """The part ``pass`` is 1 for complete proofs. The total is None where the truth is unknown."""
        truth = exact_score(case, split_proof(answer.text).body)
        reward = prover_reward(answer.text, truth, truncated=answer.truncated)
        return Reward(reward.total, {**reward.parts, "pass": None if truth is None else float(truth == 1.0)})


class RefinerTask(ProverTask):
    """Refiner: improves a proof by an analysis of it."""

    @override
    def message(self, case: Case) -> str:
        return self.templates.refinement(case.statement, [(case.proof, [case.analysis])])


class VerifierTask(RoleTask):
    """Verifier: scores proofs, rewarded by their labels. The part ``exact`` is 1 for scores equal to the label."""

    @override
    def message(self, case: Case) -> str:
        return self.templates.verification(case.statement, case.proof)

    @override
    def reward(self, case: Case, answer: Answer) -> Reward:
        assert case.label is not None
        return with_exact(verifier_reward(answer.text, case.label, quoted=case.proof, truncated=answer.truncated))


class MetaVerifierTask(RoleTask):
    """Meta-verifier: rates analyses, rewarded by their quality. The part ``exact`` is as the verifier's."""

    @override
    def message(self, case: Case) -> str:
        return self.templates.meta_verification(case.statement, case.proof, case.analysis)

    @override
    def reward(self, case: Case, answer: Answer) -> Reward:
        assert case.quality is not None
        quoted = f"{case.proof}\n{case.analysis}"
        return with_exact(meta_verifier_reward(answer.text, case.quality, quoted=quoted, truncated=answer.truncated))


def exact_score(case: Case, proof: str | None) -> float | None:
    """The checker's score of a proof, 0 without a proof; None where the case is not a theorem of the lab."""
    if case.theorem is None:
        return None
    return 0.0 if proof is None else check(case.theorem, proof).score


def with_exact(reward: Reward) -> Reward:
    """Adds the part ``exact``: 1 where the score equals the label."""
    return Reward(reward.total, {**reward.parts, "exact": float(reward.parts.get("score") == 1.0)})
