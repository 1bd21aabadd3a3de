"""Verdict of a judge's completion: a score of the rubric, or the reason why it cannot be parsed."""

from dataclasses import dataclass
from typing import Literal, TypedDict

from pydantic import field_validator

from core.announcements import own_pattern
from core.config import STRICT, Positive, settings
from core.copies import repetition_fault
from core.finish import cut_off
from core.rubric import Verdict, parse_verdict
from core.sections import answer_part
from policy.interface import Completion


@settings(frozen=True, config=STRICT)
class VerdictConfig:
    """Reading of judges' answers.

    ``patterns``: a user's own forms of a verdict, with ``{score}`` where the score stands. ``ask_again``: a whole
    answer without a readable verdict is followed by one question for the verdict alone, of at most ``max_tokens``
    tokens; ``constrain`` is the field by which the server limits the answer to the scores.
    """

    patterns: tuple[str, ...] = ()
    ask_again: bool = False
    max_tokens: Positive = 512
    constrain: Literal["none", "structured_outputs", "guided_choice", "response_format"] = "none"

    @field_validator("patterns")
    @classmethod
    def _check_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            own_pattern(pattern)
        return patterns


AS_WRITTEN = VerdictConfig()


class JudgeVerdict(TypedDict):
    """The fields ``score`` and ``fault`` of an Analysis or a Review; exactly one of them is None."""

    score: float | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """The prompt of an answer, and its ``template`` with the placeholders: the answer must repeat neither."""

    template: str
    prompt: str

    def fault(self, text: str) -> str | None:
        """The fault of an answer that mostly repeats its prompt."""
        return repetition_fault(text, self.template, self.prompt)


def read_judge_verdict(
    completion: Completion, quoted: str, source: Source | None = None, config: VerdictConfig = AS_WRITTEN
) -> JudgeVerdict:
    """The verdict of an answer about ``quoted``, by `core.rubric.parse_verdict`; none where it repeats ``source``."""
    cut = cut_off(completion.finish_reason)
    if cut is not None:
        return {"score": None, "fault": cut}
    verdict = parse_verdict(completion.answer, quoted=quoted, patterns=config.patterns)
    if not isinstance(verdict, Verdict):
        return {"score": None, "fault": verdict.reason}
    fault = source.fault(answer_part(completion.answer) or "") if source else None
    return {"score": None if fault else verdict.score, "fault": fault}
