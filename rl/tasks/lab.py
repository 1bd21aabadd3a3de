"""The roles as tasks on the lab's theorems, rewarded by the exact truth (DeepSeekMath-V2, section 2, for the rewards).

Problems are cases of the lab's stream, or of tables. SFT examples are made from the stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from typing_extensions import override

from core.reward import Reward
from core.templates import Templates
from lab import check
from lab.analyses import right_complaints
from lab.answers import BEFORE, BETWEEN, write_parts
from lab.calculated import calculated_analysis
from lab.calculator_tool import CALCULATOR
from lab.complaints import write_complaint
from lab.drills import compared, drill, match, sheet, sum_drill
from lab.items import Item, Stream
from lab.theorem import Theorem
from rl.config import ToolTurnsConfig
from rl.task import Answer, Example, ExampleTurn, TaskTools
from rl.tasks.roles import MetaVerifierTask, ProverTask, RefinerTask, RoleTask, VerifierTask
from rl.tasks.tables import Case, Cases
from tools.context import context_policy

ReferenceName = Literal["derivation", "defects"]
REFERENCES: tuple[ReferenceName, ...] = ("derivation", "defects")
DERIVATION_HEADING, DEFECTS_HEADING, NO_DEFECTS = "A right proof:", "The defects of the proof:", "None."
PAIRS_INSTRUCTION = "Compare term by term."  # first line of the user's message of pairs
SHEET_INSTRUCTION = "Judge each line."  # first line of the user's message of a sheet


@dataclass(frozen=True)
class StreamCases(Cases):
    """The items of a stream of `lab.items`; a proof comes with a correct analysis, or with the item's own."""

    stream: Stream

    @override
    def case(self, number: int) -> Case:
        return case_of(self.stream.item(number))


def case_of(item: Item) -> Case:
    """Returns an item as a case."""
    theorem = item.theorem
    if item.role == "prove":
        return Case(theorem.statement, "", theorem=theorem)
    proof = item.proof
    if item.role == "verify":
        return Case(theorem.statement, proof.text, proof.label, item.answer, 1.0, theorem)
    analysis = item.analysis
    return Case(theorem.statement, proof.text, proof.label, analysis.text, analysis.quality, theorem)


@dataclass(frozen=True)
class LabTask(RoleTask):
    """Base of the roles on the lab: SFT examples have the lab's own answers."""

    stream: Stream

    def example_of(self, item: Item) -> Example:
        """Returns the SFT example of an item."""
        return Example(self.message(case_of(item)), item.answer)

    @override
    def example(self, number: int) -> Example:
        return self.example_of(self.stream.item(number))


class LabProver(LabTask, ProverTask):
    """Prover of theorems of the lab."""

    @override
    def example_of(self, item: Item) -> Example:
        return proof_example(self.message(case_of(item)), item.theorem, item.theorem.derivation, item.seed)


class LabSelfEvaluator(LabProver):
    """Self-evaluator, for SFT: honest evaluations of given proofs, as if the prover had written them.

    Labeled proofs alternate with derivations as they may be after refinement: half of these have a wrong line.
    """

    @override
    def example_of(self, item: Item) -> Example:
        theorem, proof = item.theorem, item.proof.text
        if item.draw % 2 == 0:
            return evaluation_example(self.message(case_of(item)), theorem, proof, item.draw)
        prompt = self.templates.refinement(theorem.statement, [(proof, [item.answer])])
        return evaluation_example(prompt, theorem, drill(theorem, item.draw).proof, item.draw)


class LabRefiner(LabTask, RefinerTask):
    """Refiner. SFT examples have the proof that the defect was planted in."""

    @override
    def example_of(self, item: Item) -> Example:
        return proof_example(self.message(case_of(item)), item.theorem, item.proof.source, item.draw)


class LabVerifier(LabTask, VerifierTask):
    """Verifier of the lab's proofs."""


class LabInformedVerifier(LabVerifier):
    """Verifier that is shown a reference: the lab's derivation, and in every other problem the checker's defects."""

    @override
    def prompt(self, number: int) -> str:
        return self._prompt(self.cases.case(number), number)

    @override
    def example(self, number: int) -> Example:
        item = self.stream.item(number)
        return Example(self._prompt(case_of(item), number), item.answer)

    def _prompt(self, case: Case, number: int) -> str:
        return informed_prompt(self.templates, case, REFERENCES[number % len(REFERENCES)])


@dataclass(frozen=True)
class LabCalculatorVerifier(LabVerifier):
    """Verifier with the calculator: SFT examples send the proof to it, and use its results."""

    tool_turns: ToolTurnsConfig | None = None

    @override
    def tools(self, number: int) -> TaskTools | None:
        if (config := self.tool_turns) is None:
            return None
        context = context_policy(config.context)
        return TaskTools((CALCULATOR.spec,), CALCULATOR.run, config.turns, context, config.context_share)

    @override
    def example_of(self, item: Item) -> Example:
        proof = item.proof.text
        call = CALCULATOR.call_of(proof)
        answer = calculated_analysis(item.theorem, proof, item.proof.verdict, item.draw)
        turns = (ExampleTurn("", (call,), (CALCULATOR.run(call),)),)
        return Example(self.message(case_of(item)), answer, turns=turns, tools=(CALCULATOR.spec,))


class LabMetaVerifier(LabTask, MetaVerifierTask):
    """Meta-verifier of the lab's analyses."""


class LabDrill(LabVerifier):
    """Drill: a verifier of derivations of which half have a wrong line. The target of an SFT example is the judgment of
    that line.
    """

    @override
    def prompt(self, number: int) -> str:
        return self.message(self._case(number))

    @override
    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        return [self.reward(self._case(number), answers[-1]) for number, answers in trajectories]

    @override
    def example(self, number: int) -> Example:
        theorem = self.stream.item(number).theorem
        proof, judged, given, rest = drill(theorem, number)
        return Example(self.templates.verification(theorem.statement, proof), judged, given, rest)

    def _case(self, number: int) -> Case:
        theorem = self.stream.item(number).theorem
        proof = drill(theorem, number).proof
        return Case(theorem.statement, proof, check(theorem, proof).score, theorem=theorem)


class LabMatch(LabDrill):
    """Match: a verifier of derivations of which half are of another claim or unfinished. The target of an SFT example
    is the start of the analysis, which puts claim and proof side by side.
    """

    @override
    def example(self, number: int) -> Example:
        theorem = self.stream.item(number).theorem
        proof, judged, given, rest = match(theorem, number)
        return Example(self.templates.verification(theorem.statement, proof), judged, given, rest)

    @override
    def _case(self, number: int) -> Case:
        theorem = self.stream.item(number).theorem
        proof = match(theorem, number).proof
        return Case(theorem.statement, proof, check(theorem, proof).score, theorem=theorem)


class LabSheet(LabDrill):
    """Sheet: a drill whose SFT examples have the judgments of all lines, each of which is wrong half of the time."""

    @override
    def example(self, number: int) -> Example:
        theorem = self.stream.item(number).theorem
        proof, judged, _, _ = sheet(theorem, number)
        return Example(f"{SHEET_INSTRUCTION}\n\n{theorem.statement}\n\n{proof}", judged)


class LabPairs(LabDrill):
    """Pairs: SFT examples of two lists of terms, half of them changed, compared one by one as an analysis does."""

    @override
    def example(self, number: int) -> Example:
        found = compared(self.stream.item(number).theorem, number)
        return Example(f"{PAIRS_INSTRUCTION}\n\n{found.proof}", found.judged)


class LabSum(LabProver):
    """Sums: a prover whose SFT examples have a sum in a proof as target; a whole proof where there is no sum."""

    @override
    def example(self, number: int) -> Example:
        item = self.stream.item(number)
        found = sum_drill(item.theorem, number)
        if found is None:
            return self.example_of(item)
        _, evaluation = write_parts(item.theorem, found.proof, seed=item.seed)
        return Example(self.message(case_of(item)), found.judged, BEFORE + found.given, found.rest + evaluation)


def proof_example(prompt: str, theorem: Theorem, proof: str, seed: int) -> Example:
    """Returns an SFT example with a correct proof as target, without its self-evaluation.

    Trained on the evaluations of correct proofs only, the model would learn to always claim 1.
    """
    written, evaluation = write_parts(theorem, proof, seed=seed)
    return Example(prompt, written + BETWEEN, rest=evaluation.removeprefix(BETWEEN))


def evaluation_example(prompt: str, theorem: Theorem, proof: str, seed: int) -> Example:
    """Returns an SFT example with the honest evaluation of a given proof, correct or not, as target."""
    given, evaluation = write_parts(theorem, proof, seed=seed)
    return Example(prompt, evaluation, given=given)


def informed_prompt(templates: Templates, case: Case, reference: ReferenceName) -> str:
    """The verifier's prompt about a case, followed by a reference that decides it."""
    assert case.theorem is not None
    if reference == "derivation":
        shown = f"{DERIVATION_HEADING}\n{case.theorem.derivation}"
    else:
        complaints = right_complaints(case.proof, check(case.theorem, case.proof))
        lines = [write_complaint(Random(f"reference {case.proof}"), complaint) for complaint in complaints]
        shown = "\n".join([DEFECTS_HEADING, *(lines or [NO_DEFECTS])])
    return f"{templates.verification(case.statement, case.proof)}\n{shown}"
