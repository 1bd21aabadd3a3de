"""Verdict of a judge's completion: a score of the rubric, or the reason why it cannot be parsed."""

from typing import TypedDict

from core.finish import cut_off
from core.rubric import Verdict, parse_verdict
from policy.interface import Completion


class JudgeVerdict(TypedDict):
    """The fields ``score`` and ``fault`` of an Analysis or a Review; exactly one of them is None."""

    score: float | None
    fault: str | None


def read_judge_verdict(completion: Completion, quoted: str) -> JudgeVerdict:
    """The verdict of an answer about ``quoted``, by `core.rubric.parse_verdict`."""
    cut = cut_off(completion.finish_reason)
    if cut is not None:
        return {"score": None, "fault": cut}
    verdict = parse_verdict(completion.answer, quoted=quoted)
    if isinstance(verdict, Verdict):
        return {"score": verdict.score, "fault": None}
    return {"score": None, "fault": verdict.reason}
