"""The roles on theorems of the lab, judged by the exact truth (DeepSeekMath-V2, section 2, has the rewards).

What a role is asked about are cases: of the lab's stream, or of tables. Worked examples are of the stream alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from core.sections import split_proof
from core.templates import Templates
from lab import check
from lab.answers import BEFORE, BETWEEN, write_parts
from lab.drills import drill, sheet, sum_drill
from lab.items import Item, Stream
from lab.theorem import Theorem
from rl.reward import Reward, reward_analysis, reward_proof, reward_review
from rl.task import Answer, Example
from rl.tasks.tables import Case, Cases

JUDGE = "Judge each line."  # how the user's message of a sheet begins


@dataclass(frozen=True)
class StreamCases:
    """Case n is item n of a stream of `lab.items`; a proof comes with a right analysis, or with the item's own."""

    stream: Stream

    def case(self, number: int) -> Case:
        """As Cases.case."""
        return case_of(self.stream.item(number))


def case_of(item: Item) -> Case:
    """The case that an item asks about."""
    theorem = item.theorem
    if item.role == "prove":
        return Case(theorem.statement, "", theorem=theorem)
    proof = item.proof
    if item.role == "verify":
        return Case(theorem.statement, proof.text, proof.label, item.answer, 1.0, theorem)
    analysis = item.analysis
    return Case(theorem.statement, proof.text, proof.label, analysis.text, analysis.quality, theorem)


@dataclass(frozen=True)
class LabTask:
    """What the roles have in common: one turn, and the lab's own answer as the example."""

    stream: Stream
    cases: Cases
    templates: Templates
    rounds: int = 1
    domain: str = "mathematics"

    def ask(self, case: Case) -> str:
        """The user's message about a case."""
        raise NotImplementedError

    def reward(self, case: Case, answer: Answer) -> Reward:
        """The reward of an answer about a case."""
        raise NotImplementedError

    def answer(self, item: Item) -> Example:
        """The worked example of an item."""
        return Example(self.ask(case_of(item)), item.answer)

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        return self.ask(self.cases.case(number))

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """As Task.follow_up: there is one turn."""
        return None

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """As Task.rewards: that of the last answer."""
        return [self.reward(self.cases.case(number), answers[-1]) for number, answers in trajectories]

    def example(self, number: int) -> Example:
        """As Task.example."""
        return self.answer(self.stream.item(number))


class LabProver(LabTask):
    """Proves or refutes, and evaluates its own proof. R_Y is the checker's score: for tests and for measuring."""

    def ask(self, case: Case) -> str:
        """As LabTask.ask."""
        return self.templates.proof(case.statement)

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """As Task.follow_up: refinement of the latest proof, while rounds are left and there is a proof."""
        sections = split_proof(answers[-1].text)
        if len(answers) == self.rounds or not sections.body or not sections.self_evaluation:
            return None
        candidates = [(sections.body, [sections.self_evaluation])]
        return self.templates.refinement(self.cases.case(number).statement, candidates)

    def answer(self, item: Item) -> Example:
        """As LabTask.answer."""
        return proof_example(self.ask(case_of(item)), item.theorem, item.theorem.derivation, item.seed)

    def reward(self, case: Case, answer: Answer) -> Reward:
        """As LabTask.reward; the part ``pass`` tells complete proofs. No reward where the truth is not known."""
        truth = exact_score(case, split_proof(answer.text).body)
        reward = reward_proof(answer.text, truth, truncated=answer.truncated)
        return Reward(reward.total, {**reward.parts, "pass": None if truth is None else float(truth == 1.0)})


class LabSelfEvaluator(LabProver):
    """Examples of honest evaluations of proofs that are given, as if the prover had written them.

    In turn of a labeled proof, and of one as it may stand after refinement of that: a line is wrong half of the time.
    """

    def answer(self, item: Item) -> Example:
        """As LabTask.answer."""
        theorem, proof = item.theorem, item.proof.text
        if item.draw % 2 == 0:
            return evaluation_example(self.ask(case_of(item)), theorem, proof, item.draw)
        prompt = self.templates.refinement(theorem.statement, [(proof, [item.answer])])
        return evaluation_example(prompt, theorem, drill(theorem, item.draw).proof, item.draw)


class LabRefiner(LabProver):
    """Improves on a proof by an analysis of it."""

    def ask(self, case: Case) -> str:
        """As LabTask.ask."""
        return self.templates.refinement(case.statement, [(case.proof, [case.analysis])])

    def answer(self, item: Item) -> Example:
        """As LabTask.answer: the proof that the defect was planted in."""
        return proof_example(self.ask(case_of(item)), item.theorem, item.proof.source, item.draw)


class LabVerifier(LabTask):
    """Scores proofs, of the stream or a table, by their labels."""

    def ask(self, case: Case) -> str:
        """As LabTask.ask."""
        return self.templates.verification(case.statement, case.proof)

    def reward(self, case: Case, answer: Answer) -> Reward:
        """As LabTask.reward; the part ``exact`` tells scores that are the label."""
        assert case.label is not None
        return with_exact(reward_analysis(answer.text, case.label, quoted=case.proof, truncated=answer.truncated))


class LabMetaVerifier(LabTask):
    """Rates analyses, of the stream or a table, by their quality."""

    def ask(self, case: Case) -> str:
        """As LabTask.ask."""
        return self.templates.meta_verification(case.statement, case.proof, case.analysis)

    def reward(self, case: Case, answer: Answer) -> Reward:
        """As LabTask.reward; the part ``exact`` tells scores that are the label."""
        assert case.quality is not None
        quoted = f"{case.proof}\n{case.analysis}"
        return with_exact(reward_review(answer.text, case.quality, quoted=quoted, truncated=answer.truncated))


class LabDrill(LabVerifier):
    """Scores derivations of which one line is wrong half of the time; a worked example teaches to judge that line."""

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        return self.ask(self._case(number))

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """As Task.rewards."""
        return [self.reward(self._case(number), answers[-1]) for number, answers in trajectories]

    def example(self, number: int) -> Example:
        """As Task.example."""
        theorem = self.stream.item(number).theorem
        proof, judged, given, rest = drill(theorem, number)
        return Example(self.templates.verification(theorem.statement, proof), judged, given, rest)

    def _case(self, number: int) -> Case:
        theorem = self.stream.item(number).theorem
        proof = drill(theorem, number).proof
        return Case(theorem.statement, proof, check(theorem, proof).score, theorem=theorem)


class LabSheet(LabDrill):
    """The same; but a worked example is of the judgments of all lines, each of which is wrong half of the time."""

    def example(self, number: int) -> Example:
        """As Task.example."""
        theorem = self.stream.item(number).theorem
        proof, judged, _, _ = sheet(theorem, number)
        return Example(f"{JUDGE}\n\n{theorem.statement}\n\n{proof}", judged)


class LabSum(LabProver):
    """A prover; but a worked example is of what a sum in a proof comes to; a whole proof where there is none."""

    def example(self, number: int) -> Example:
        """As Task.example."""
        item = self.stream.item(number)
        found = sum_drill(item.theorem, number)
        if found is None:
            return self.answer(item)
        _, evaluation = write_parts(item.theorem, found.proof, seed=item.seed)
        return Example(self.ask(case_of(item)), found.judged, BEFORE + found.given, found.rest + evaluation)


def proof_example(prompt: str, theorem: Theorem, proof: str, seed: int) -> Example:
    """A right proof to learn. Its evaluation is not: beside right proofs alone one learns to call them so unread."""
    written, evaluation = write_parts(theorem, proof, seed=seed)
    return Example(prompt, written + BETWEEN, rest=evaluation.removeprefix(BETWEEN))


def evaluation_example(prompt: str, theorem: Theorem, proof: str, seed: int) -> Example:
    """The honest evaluation to learn of a proof that is given, right or wrong."""
    given, evaluation = write_parts(theorem, proof, seed=seed)
    return Example(prompt, evaluation, given=given)


def exact_score(case: Case, proof: str | None) -> float | None:
    """The checker's score of a proof, 0 where there is none; None where the case is no theorem of the lab."""
    if case.theorem is None:
        return None
    return 0.0 if proof is None else check(case.theorem, proof).score


def with_exact(reward: Reward) -> Reward:
    """With the part ``exact``: whether the score is the label."""
    return Reward(reward.total, {**reward.parts, "exact": float(reward.parts.get("score") == 1.0)})
