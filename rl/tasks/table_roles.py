"""The roles on tables alone: SFT examples are the reference solutions, analyses and labels of the rows."""

from dataclasses import dataclass

from typing_extensions import override

from core.errors import LemmataError
from rl.task import Example
from rl.tasks.roles import MetaVerifierTask, ProverTask, RefinerTask, RoleTask, VerifierTask
from rl.tasks.tables import Case, RepeatedTable

SOLUTION, SELF_EVALUATION = "## Solution\n", "\n\n## Self Evaluation\n\n"
# The answers of a verifier and a meta-verifier to a case of which only the score is known.
VERDICT = (
    "Here is my evaluation of the solution:\n\nBased on my evaluation, the final overall score should be:\n\\boxed{%s}"
)
RATING = (
    'Here is my analysis of the "solution evaluation":\n\n'
    'Based on my analysis, I will rate the "solution evaluation" as:\n\\boxed{%s}'
)


@dataclass(frozen=True)
class TableTask(RoleTask):
    """Base of the roles on tables; ``cases`` is a `RepeatedTable`."""

    cases: RepeatedTable

    def answer_of(self, case: Case) -> tuple[str, str] | None:
        """The answer to learn from a case, and the end of it that is left out; None where the case has none."""
        raise NotImplementedError

    @override
    def example(self, number: int) -> Example:
        """Raises LemmataError where no row has an answer to learn."""
        rows = self.cases.rows
        for place in range(number, number + len(rows)):
            case = rows[place % len(rows)]
            if (answer := self.answer_of(case)) is not None:
                return Example(self.message(case), answer[0], rest=answer[1])
        raise LemmataError(f"no row has {self.lacking}: stage=sft has nothing to learn from; use stage=rl")

    lacking = "an answer"


class TableProver(TableTask, ProverTask):
    """Prover of a problem set. SFT examples are the reference solutions, without a self-evaluation."""

    lacking = "a reference solution (column reference)"

    @override
    def answer_of(self, case: Case) -> tuple[str, str] | None:
        return (SOLUTION + case.reference, SELF_EVALUATION) if case.reference else None


class TableRefiner(TableTask, RefinerTask):
    """Refiner of a table of proofs with analyses; it has no SFT examples."""

    lacking = "a refined proof"

    @override
    def answer_of(self, case: Case) -> tuple[str, str] | None:
        return None


class TableVerifier(TableTask, VerifierTask):
    """Verifier of labeled proofs. SFT examples are the analyses of the rows, or the label alone."""

    lacking = "a label of 0, 0.5 or 1"

    @override
    def answer_of(self, case: Case) -> tuple[str, str] | None:
        return (case.analysis, "") if case.analysis else _stated(VERDICT, case.label)


class TableMetaVerifier(TableTask, MetaVerifierTask):
    """Meta-verifier of rated analyses. SFT examples are the ratings."""

    lacking = "a quality of 0, 0.5 or 1"

    @override
    def answer_of(self, case: Case) -> tuple[str, str] | None:
        return _stated(RATING, case.quality)


def _stated(answer: str, score: float | None) -> tuple[str, str] | None:
    """The answer with a score, which must be one of the rubric; a mean of several graders between them is none."""
    return (answer % f"{score:g}", "") if score in (0.0, 0.5, 1.0) else None
