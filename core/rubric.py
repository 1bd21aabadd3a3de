"""Rubric of verdicts: a score of 0, 0.5 or 1, or the reason why an answer has none."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.announcements import own_pattern, phrase_pattern
from core.closing import QUOTATION, TRUNCATED, Closing, Failure
from core.plain_text import PlainText
from core.score_text import Scale

__all__ = [
    "QUOTATION",
    "SCORES",
    "TRUNCATED",
    "ParseFailure",
    "Verdict",
    "answer_part",
    "parse_verdict",
    "score_reward",
]

SCORES = (0.0, 0.5, 1.0)
RUBRIC = Scale(most=1, halves=True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score of the rubric, one of ``SCORES``."""

    score: float


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """No verdict could be read; ``reason`` says why, in words for a person."""

    reason: str


_KEY_PHRASE = phrase_pattern("final overall? score should be", "i will rate the solution evaluation as")


def score_reward(score: float, label: float) -> float:
    """R_score(s', s) = 1 - |s' - s| for a predicted score s' and a label s, both in [0, 1] (DeepSeekMath-V2)."""
    return 1.0 - abs(score - label)


def answer_part(text: str) -> str | None:
    """The answer after the last ``</think>``, the only part that counts; None where a ``<think>`` never closes.

    A `PlainText` is the answer as a whole.
    """
    if isinstance(text, PlainText):
        return text
    answer = text.rpartition("</think>")[2]
    return None if "<think>" in answer else answer


def parse_verdict(
    text: str, *, quoted: str = "", truncated: bool = False, patterns: Sequence[str] = ()
) -> Verdict | ParseFailure:
    """The verdict of a verifier's analysis, a prover's self-evaluation or a meta-verifier's review.

    The score after the last closing phrase counts; else the one that a closing sentence names; else the last box.
    Different verdicts there are a failure.

    ``truncated``: the answer ended at the token limit; then its last verdict may be a quotation, and it has none.
    ``quoted`` is the text that was judged. Where a verdict of 1 is a sentence of that text, and the answer does not say
    it once more than the text does, it may be a mere quotation and not a verdict. Lower verdicts always count: else
    a proof could plant them to make every honest judge unparseable. So planting can only hurt the one who plants.
    ``patterns``: a user's own forms of a verdict (`core.announcements.own_pattern`), which come first.
    """
    score = read_score(text, Closing(RUBRIC, _KEY_PHRASE, tuple(map(own_pattern, patterns))), quoted, truncated)
    return score if isinstance(score, ParseFailure) else Verdict(score)


def read_score(text: str, closing: Closing, quoted: str, truncated: bool) -> float | ParseFailure:
    """The score of the whole answer ``text`` by ``closing``."""
    if truncated:
        return ParseFailure(TRUNCATED)
    answer = answer_part(text)
    if answer is None:
        return ParseFailure("a <think> never closes: the answer was cut off in its thoughts")
    score = closing.read(answer, quoted)
    return ParseFailure(score.reason) if isinstance(score, Failure) else score
