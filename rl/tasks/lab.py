"""The roles on theorems of the lab, judged by the exact truth (DeepSeekMath-V2, section 2, has the rewards).

Problem n of a stream is item n of `lab.items`: its theorem, labelled proof and labelled analysis follow from n alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lab import check
from lab.answers import write_answer
from lab.items import Item, Stream
from proofs.config import STRICT, Name, Positive, settings
from proofs.sections import split_proof
from proofs.templates import Templates
from rl.config import RoleName
from rl.reward import Reward, reward_analysis, reward_proof, reward_review
from rl.task import Answer, Example, Task
from rl.tasks.mixed import MixedTask


@settings(frozen=True, config=STRICT)
class LabConfig:
    """Theorems of these families and levels in turn. ``rounds`` of a prover's try: after the first it refines its own
    proof by its own evaluation. ``shares``: of each kind of task among the generator's."""

    families: tuple[Name, ...]
    levels: tuple[Positive, ...]
    rounds: Positive = 1
    shares: Mapping[str, Positive] = field(default_factory=dict)


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


class LabSelfEvaluator(LabProver):
    """Examples of honest evaluations: of a labelled proof that is given, as if the prover had written it."""

    def example(self, number: int) -> Example:
        """As Task.example."""
        item = self.stream.item(number)
        proof, _, evaluation = write_answer(item.theorem, item.proof.text, seed=item.draw).partition("\n\n## Self")
        return Example(self.prompt(number), f"\n\n## Self{evaluation}", given=proof)


class LabRefiner(LabProver):
    """Improves on a labelled proof by a right analysis of it."""

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        item = self.stream.item(number)
        return self.templates.refinement(item.theorem.statement, [(item.proof.text, [item.answer])])

    def example(self, number: int) -> Example:
        """As Task.example: the proof that the defect was planted in."""
        item = self.stream.item(number)
        return Example(self.prompt(number), write_answer(item.theorem, item.proof.source, seed=item.draw))


class LabVerifier(LabTask):
    """Scores proofs of which some have planted defects."""

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        item = self.stream.item(number)
        return self.templates.verification(item.theorem.statement, item.proof.text)

    def reward(self, item: Item, answer: Answer) -> Reward:
        """As LabTask.reward; the part ``exact`` tells scores that are the label."""
        proof = item.proof
        return with_exact(reward_analysis(answer.text, proof.label, quoted=proof.text, truncated=answer.truncated))


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
        return with_exact(reward_review(answer.text, analysis.quality, quoted=quoted, truncated=answer.truncated))


def with_exact(reward: Reward) -> Reward:
    """With the part ``exact``: whether the score is the label."""
    return Reward(reward.total, {**reward.parts, "exact": float(reward.parts.get("score") == 1.0)})


Build = Callable[[Stream, Templates, int], LabTask]
KINDS: Mapping[str, tuple[Build, str]] = {
    "prover": (LabProver, "prove"),
    "self_evaluator": (LabSelfEvaluator, "verify"),
    "refiner": (LabRefiner, "verify"),
    "verifier": (LabVerifier, "verify"),
    "meta_verifier": (LabMetaVerifier, "review"),
}


def lab_task(role: RoleName, data: LabConfig, templates: Templates, split: str, seed: int) -> Task:
    """A role on one split; the generator has the tasks of all.

    Raises ValueError for families and levels that the split does not have, and for unknown kinds of tasks.
    """
    shares = {role: 1} if role != "generator" else dict(data.shares)
    if unknown := shares.keys() - KINDS.keys():
        raise ValueError(f"no kind of task {min(unknown)!r}; there are {', '.join(KINDS)}")
    parts = {}
    for kind, share in shares.items():
        build, item_role = KINDS[kind]
        stream = Stream(item_role, data.families, data.levels, split, seed)
        parts[kind] = (build(stream, templates, data.rounds), share)
    return MixedTask(parts) if role == "generator" else parts[role][0]
