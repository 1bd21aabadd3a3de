"""Judge of final answers: a model compares those that math-verify cannot decide with the reference answer."""

from dataclasses import dataclass
from functools import cache, partial
from importlib import resources

from core.answer_text import final_answer
from core.ids import digest
from core.records import Grading, Label, Problem, Proof
from core.templates import fill, make_fence
from evaluation.answers import is_undecided
from evaluation.grader import build_grading
from policy.interface import Policy, Prompt, Sampling, user_prompt
from policy.recorder import Call, Recorder

PREFIX = "answer@"  # of the template identities of its records
MAX_ANSWER = 5_000  # characters of a final answer that the judge is shown


@dataclass(frozen=True)
class AnswerJudge:
    """Compares final answers with one policy, which sees the reference answer and no other part of the solution.

    ``samples``: comparisons of each answer. ``identity``: as of `evaluation.grader.Grader`.
    """

    policy: Policy
    sampling: Sampling
    samples: int
    identity: str

    async def grade(self, recorder: Recorder, proof: Proof, label: Label) -> list[Grading]:
        """Samples and records the comparisons of one proof, if the ``label`` of math-verify is undecided."""
        problem = recorder.problem
        if problem.answer is None or not is_undecided(label) or not self.samples:
            return []
        final = (final_answer(proof.body or "") or "")[:MAX_ANSWER]

        async def keep(grading: Grading) -> Grading:
            return grading

        call = Call(
            policy=self.policy,
            prompt=answer_prompt(problem, final),
            template=f"{PREFIX}{digest(_template(), length=8)}",
            sampling=self.sampling,
            kind=Grading,
            build=partial(build_grading, proof_id=proof.id, allowed=(0, 1), quoted=final),
            parents=(proof.id,),
            round=proof.round,
            indices=range(self.samples),
        )
        return await recorder.of_judge(self.identity).ask(call, keep)


def answer_prompt(problem: Problem, final: str) -> Prompt:
    """Prompt for a comparison; the texts are fenced, so that they are data."""
    values = {"statement": problem.statement, "answer": problem.answer or "(none)", "final": final or "(none)"}
    return user_prompt(fill(_template(), values | {"fence": make_fence(*values.values())}))


@cache
def _template() -> str:
    return resources.files("evaluation").joinpath("answer_judge.txt").read_text(encoding="utf-8")
