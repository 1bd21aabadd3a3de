"""The three roles on theorems of the lab, judged by the exact truth (DeepSeekMath-V2, section 2, has the rewards).

Problem n of a stream is item n of `lab.items`: its theorem, labelled proof and labelled analysis follow from n alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab import check
from lab.items import Item, Stream
from proofs.config import STRICT, Name, Positive, settings
from proofs.sections import split_proof
from proofs.templates import Templates
from rl.config import RoleName
from rl.reward import Reward, reward_analysis, reward_proof, reward_review
from rl.task import Answer, Example


@settings(frozen=True, config=STRICT)
class LabConfig:
    """Theorems of these families and levels in turn. ``rounds`` of a prover's try: after the first it refines its own
    proof by its own evaluation."""

    families: tuple[Name, ...]
    levels: tuple[Positive, ...]
    rounds: Positive = 1


@dataclass(frozen=True)
class LabTask:
    """What the roles have in common: one turn, and the lab's own answer as the example."""

    stream: Stream
    templates: Templates
    rounds: int = 1
    domain: str = "mathematics"

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        raise NotImplementedError

    def reward(self, item: Item, answer: Answer) -> Reward:
        """The reward of an answer."""
        raise NotImplementedError

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """As Task.follow_up: there is one turn."""
        return None

    def rewards(self, tries: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """As Task.rewards: that of the last answer."""
        return [self.reward(self.stream.item(number), answers[-1]) for number, answers in tries]

    def example(self, number: int) -> Example:
        """As Task.example."""
        return Example(self.prompt(number), self.stream.item(number).answer)


class LabProver(LabTask):
    """Proves or refutes, and evaluates its own proof. R_Y is the checker's score: for tests and for measuring."""

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        return self.templates.proof(self.stream.item(number).theorem.statement)

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """As Task.follow_up: refinement of the latest proof, while rounds are left and there is a proof."""
        sections = split_proof(answers[-1].text)
        if len(answers) == self.rounds or not sections.body or not sections.self_evaluation:
            return None
        candidates = [(sections.body, [sections.self_evaluation])]
        return self.templates.refinement(self.stream.item(number).theorem.statement, candidates)

    def reward(self, item: Item, answer: Answer) -> Reward:
        """As LabTask.reward; the part ``pass`` tells complete proofs."""
        body = split_proof(answer.text).body
        truth = 0.0 if body is None else check(item.theorem, body).score
        reward = reward_proof(answer.text, truth, truncated=answer.truncated)
        return Reward(reward.total, {**reward.parts, "pass": float(truth == 1.0)})


class LabVerifier(LabTask):
    """Scores proofs of which some have planted defects."""

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        item = self.stream.item(number)
        return self.templates.verification(item.theorem.statement, item.proof.text)

    def reward(self, item: Item, answer: Answer) -> Reward:
        """As LabTask.reward; the part ``exact`` tells scores that are the label."""
        proof = item.proof
        return _with_exact(reward_analysis(answer.text, proof.label, quoted=proof.text, truncated=answer.truncated))


class LabMetaVerifier(LabTask):
    """Rates analyses of which some are faulty."""

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        item = self.stream.item(number)
        return self.templates.meta_verification(item.theorem.statement, item.proof.text, item.analysis.text)

    def reward(self, item: Item, answer: Answer) -> Reward:
        """As LabTask.reward; the part ``exact`` tells scores that are the label."""
        proof, analysis = item.proof, item.analysis
        quoted = f"{proof.text}\n{analysis.text}"
        return _with_exact(reward_review(answer.text, analysis.quality, quoted=quoted, truncated=answer.truncated))


def _with_exact(reward: Reward) -> Reward:
    return Reward(reward.total, {**reward.parts, "exact": float(reward.parts.get("score") == 1.0)})


TASKS: Mapping[RoleName, tuple[type[LabTask], str]] = {
    "prover": (LabProver, "prove"),
    "verifier": (LabVerifier, "verify"),
    "meta_verifier": (LabMetaVerifier, "review"),
}


def lab_task(role: RoleName, data: LabConfig, templates: Templates, split: str, seed: int) -> LabTask:
    """A role on one split. Raises ValueError for families and levels that the split does not have."""
    task, item_role = TASKS[role]
    return task(Stream(item_role, data.families, data.levels, split, seed), templates, data.rounds)
