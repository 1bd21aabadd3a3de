"""A generative reward model: a policy grades an answer by the rubric of its prompt (DeepSeek-V3.2, section 3.1)."""

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
    """``score``: the mean of the gradings that could be read, in [0, 1]; None without any, which is no 0.

    ``faults`` say why the others could not; ``template`` is the prompt text's name, for the record.
    """

    score: float | None
    gradings: tuple[Completion, ...]
    faults: tuple[str, ...]
    template: str


@dataclass(frozen=True)
class RubricJudge:
    """Grades answers with one policy; ``sampling.n`` gradings of each."""

    policy: Policy
    sampling: Sampling

    async def grade(self, task: str, answer: str, rubric: str) -> RubricScore:
        """Grade the part of ``answer`` after its thoughts; an answer that is nothing but thoughts has score 0.

        Raises PromptRefused, PolicyUnavailable and LemmataError as the policy does: such an answer has no score.
        """
        judged = answer_part(answer)
        if not (judged or "").strip():
            return RubricScore(0.0, (), ("the answer is empty, or never ends its thoughts",), _identity())
        prompt = rubric_prompt(task, judged or "", rubric)
        (gradings,) = await self.policy.sample([prompt], self.sampling)
        return read_gradings(gradings, quoted=judged or "")


def rubric_prompt(task: str, answer: str, rubric: str) -> Prompt:
    """The prompt for a grading; nothing in the three texts can act on it."""
    values = {"task": task, "rubric": rubric, "answer": answer}
    return user_prompt(fill(_template(), values | {"fence": make_fence(*values.values())}))


def read_gradings(gradings: Sequence[Completion], quoted: str) -> RubricScore:
    """The score of several gradings of the answer ``quoted``; those that cannot be read are left out, and said."""
    judgments = [read_judge_verdict(grading, quoted) for grading in gradings]
    scores = [judgment["score"] for judgment in judgments if judgment["score"] is not None]
    faults = tuple(judgment["fault"] for judgment in judgments if judgment["fault"] is not None)
    return RubricScore(sum(scores) / len(scores) if scores else None, tuple(gradings), faults, _identity())


@cache
def _template() -> str:
    return resources.files("rl").joinpath("rubric_judge.txt").read_text(encoding="utf-8")


def _identity() -> str:
    return f"rubric_grading@{digest(_template(), length=8)}"
