"""The three roles on theorems of the lab, judged by the exact truth (MATH.md names; DeepSeekMath-V2, section 2).

Problem n of a stream is drawn by n alone: family, level and theorem; so are its planted defects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from lab import HELD_OUT_LEVEL, LEVELS, Theorem, check, families, generate
from lab.analyses import write_analysis
from lab.answers import write_answer
from lab.faulty import LabelledAnalysis, labelled_analysis
from lab.planter import LabelledProof, labelled_proof
from lab.reviews import write_review
from proofs.config import STRICT, Name, Positive, settings
from proofs.ids import derive_seed
from proofs.sections import split_proof
from proofs.templates import Templates
from rl.config import RoleName
from rl.reward import Reward, reward_analysis, reward_proof, reward_review
from rl.task import Answer, Example

DOMAIN = "mathematics"
REMEMBERED = 4096  # theorems whose drawing is not repeated


@settings(frozen=True, config=STRICT)
class LabConfig:
    """Which theorems: of these families and levels, each as often as the others. ``rounds`` of a prover's tries: after
    the first it refines its own proof by its own evaluation."""

    families: tuple[Name, ...]
    levels: tuple[Positive, ...]
    rounds: Positive = 1

    def __post_init__(self) -> None:
        if unknown := [name for name in self.families if name not in families()]:
            raise ValueError(f"the lab has no families {unknown}; it has {', '.join(families())}")
        trained = [level for level in LEVELS if level != HELD_OUT_LEVEL]
        if unknown := [level for level in self.levels if level not in trained]:
            raise ValueError(f"levels {unknown} are not for training; {trained} are")


@dataclass(frozen=True)
class Stream:
    """The theorems of one split, by number."""

    config: LabConfig
    split: str
    seed: int

    def theorem(self, number: int) -> Theorem:
        """Theorem ``number``."""
        return _theorem(self.config.families, self.config.levels, self.split, self.seed_of("theorem", number))

    def seed_of(self, purpose: str, number: int) -> int:
        """What is drawn for a purpose beside theorem ``number`` is drawn by this."""
        return derive_seed(self.seed, self.split, purpose, number)


@lru_cache(maxsize=REMEMBERED)
def _theorem(families: Sequence[str], levels: Sequence[int], split: str, seed: int) -> Theorem:
    draw = Random(seed)
    return generate(draw.choice(families), draw.choice(levels), seed, split)


@dataclass(frozen=True)
class LabProver:
    """Proves or refutes, and evaluates its own proof. R_Y is the checker's score: for tests and for measuring."""

    stream: Stream
    templates: Templates
    domain = DOMAIN

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        return self.templates.proof(self.stream.theorem(number).statement)

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """As Task.follow_up: refinement of the latest proof, while rounds are left and there is a proof."""
        sections = split_proof(answers[-1].text)
        if len(answers) == self.stream.config.rounds or not sections.body or not sections.self_evaluation:
            return None
        candidates = [(sections.body, [sections.self_evaluation])]
        return self.templates.refinement(self.stream.theorem(number).statement, candidates)

    def rewards(self, tries: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """As Task.rewards: that of the last answer."""
        return [self._reward(number, answers[-1]) for number, answers in tries]

    def _reward(self, number: int, answer: Answer) -> Reward:
        body = split_proof(answer.text).body
        truth = 0.0 if body is None else check(self.stream.theorem(number), body).score
        reward = reward_proof(answer.text, truth, truncated=answer.truncated)
        return Reward(reward.total, {**reward.parts, "pass": float(truth == 1.0)})

    def example(self, number: int) -> Example:
        """As Task.example: the writer's derivation, and that it is right."""
        theorem = self.stream.theorem(number)
        answer = write_answer(theorem, theorem.derivation, seed=self.stream.seed_of("answer", number))
        return Example(self.prompt(number), answer)


@dataclass(frozen=True)
class LabVerifier:
    """Scores proofs of which some have planted defects."""

    stream: Stream
    templates: Templates
    domain = DOMAIN

    def proof(self, number: int) -> tuple[Theorem, LabelledProof]:
        """What is to be judged."""
        theorem = self.stream.theorem(number)
        return theorem, labelled_proof(theorem, self.stream.seed_of("proof", number))

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        theorem, proof = self.proof(number)
        return self.templates.verification(theorem.statement, proof.text)

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """As Task.follow_up: one turn."""
        return None

    def rewards(self, tries: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """As Task.rewards."""
        return [self._reward(number, answers[-1]) for number, answers in tries]

    def _reward(self, number: int, answer: Answer) -> Reward:
        proof = self.proof(number)[1]
        return reward_analysis(answer.text, proof.label, quoted=proof.text, truncated=answer.truncated)

    def example(self, number: int) -> Example:
        """As Task.example: the true analysis."""
        theorem, proof = self.proof(number)
        analysis = write_analysis(
            theorem, proof.text, check(theorem, proof.text), self.stream.seed_of("answer", number)
        )
        return Example(self.templates.verification(theorem.statement, proof.text), analysis)


@dataclass(frozen=True)
class LabMetaVerifier:
    """Rates analyses of which some are faulty."""

    stream: Stream
    templates: Templates
    domain = DOMAIN

    def analysis(self, number: int) -> tuple[Theorem, LabelledProof, LabelledAnalysis]:
        """What is to be rated, with the proof that it judges."""
        theorem = self.stream.theorem(number)
        proof = labelled_proof(theorem, self.stream.seed_of("proof", number))
        return theorem, proof, labelled_analysis(theorem, proof.text, self.stream.seed_of("analysis", number))

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        theorem, proof, analysis = self.analysis(number)
        return self.templates.meta_verification(theorem.statement, proof.text, analysis.text)

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """As Task.follow_up: one turn."""
        return None

    def rewards(self, tries: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """As Task.rewards."""
        return [self._reward(number, answers[-1]) for number, answers in tries]

    def _reward(self, number: int, answer: Answer) -> Reward:
        _, proof, analysis = self.analysis(number)
        quoted = f"{proof.text}\n{analysis.text}"
        return reward_review(answer.text, analysis.quality, quoted=quoted, truncated=answer.truncated)

    def example(self, number: int) -> Example:
        """As Task.example: the true review."""
        theorem, proof, analysis = self.analysis(number)
        review = write_review(theorem, proof.text, analysis.text, self.stream.seed_of("answer", number))
        return Example(self.templates.meta_verification(theorem.statement, proof.text, analysis.text), review)


ROLES: Mapping[RoleName, type[LabProver | LabVerifier | LabMetaVerifier]] = {
    "prover": LabProver,
    "verifier": LabVerifier,
    "meta_verifier": LabMetaVerifier,
}
