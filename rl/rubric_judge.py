"""Generative reward model: a policy grades an answer by the rubric of its prompt (DeepSeek-V3.2, section 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from core.ids import digest
from core.rubric import answer_part
from core.templates import fill, make_fence
from policy.interface import Completion, Policy, Prompt, Sampling, user_prompt
from policy.verdict import read_judge_verdict


@dataclass(frozen=True, slots=True)
class RubricScore:
    """``score``: the mean of the parseable gradings, in [0, 1]; None without any.

    ``faults``: the reasons of the unparseable ones. ``template``: name and digest of the prompt text.
    """

    score: float | None
    gradings: tuple[Completion, ...]
    faults: tuple[str, ...]
    template: str


@dataclass(frozen=True)
class RubricJudge:
    """Grades answers by a policy, ``sampling.n`` times each."""

    policy: Policy
    sampling: Sampling

    async def grade(self, task: str, answer: str, rubric: str) -> RubricScore:
        """Grades the part of ``answer`` after its reasoning; an answer of only reasoning has score 0.

        Raises PromptRefused, PolicyUnavailable and LemmataError as the policy does: then there is no score.
        """
        judged = answer_part(answer)
        if not (judged or "").strip():
            return RubricScore(0.0, (), ("the answer is empty, or its reasoning never ends",), _identity())
        prompt = rubric_prompt(task, judged or "", rubric)
        (gradings,) = await self.policy.sample([prompt], self.sampling)
        return read_gradings(gradings, quoted=judged or "")


def rubric_prompt(task: str, answer: str, rubric: str) -> Prompt:
    """Returns the prompt of a grading; the three texts are fenced, so that none can change the instructions."""
    values = {"task": task, "rubric": rubric, "answer": answer}
    return user_prompt(fill(_template(), values | {"fence": make_fence(*values.values())}))


def read_gradings(gradings: Sequence[Completion], quoted: str) -> RubricScore:
    """Combines several gradings of the answer ``quoted``; unparseable ones are left out, with their reasons."""
    judgments = [read_judge_verdict(grading, quoted) for grading in gradings]
    scores = [judgment["score"] for judgment in judgments if judgment["score"] is not None]
    faults = tuple(judgment["fault"] for judgment in judgments if judgment["fault"] is not None)
    return RubricScore(sum(scores) / len(scores) if scores else None, tuple(gradings), faults, _identity())


@cache
def _template() -> str:
    return resources.files("rl").joinpath("rubric_judge.txt").read_text(encoding="utf-8")


def _identity() -> str:
    return f"rubric_grading@{digest(_template(), length=8)}"
