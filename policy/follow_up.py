"""Follow-up: one short question for the verdict alone, after a judge's whole answer without a readable one."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from core.copies import COPY
from core.finish import cut_off
from core.ids import derive_seed, digest
from core.records import Analysis, Comparison, Grading, Proof, Review
from core.rubric import RUBRIC, ParseFailure, Verdict, parse_verdict
from core.rubric import SCORES as RUBRIC_SCORES
from core.score_text import plain_width
from core.sections import answer_part
from policy.interface import Completion, Message, Prompt, Sampling
from policy.verdict import VerdictConfig

R = TypeVar("R", Proof, Analysis, Review, Grading, Comparison)
_UNREADABLE = "Your answer gives {0} that can be read. {1}"
ABOUT_PROOF = _UNREADABLE.format("no score", "Which score does the proof deserve by your evaluation?")
ABOUT_ANALYSIS = _UNREADABLE.format(
    "no score", "Which score does the evaluation of the proof deserve by your analysis?"
)
ABOUT_POINTS = _UNREADABLE.format("no points", "How many points does the solution deserve by your reasons?")
ABOUT_PROOFS = _UNREADABLE.format("no choice", "Which proof is better by your comparison?")


Read = Callable[[str], float | None]
SCORES = {f"{score:g}": score for score in RUBRIC_SCORES}


@dataclass(frozen=True, slots=True)
class FollowUpQuestion:
    """A ``question`` that is answered by one of ``choices`` alone, which have these scores.

    ``read_score`` reads the score of a short text, ``unit`` says what a choice is, and ``config`` bounds the answer.
    """

    question: str
    choices: Mapping[str, float]
    read_score: Read
    unit: str
    config: VerdictConfig

    def prompt(self, prompt: Prompt, answer: str) -> Prompt:
        """The conversation after ``answer`` to ``prompt``."""
        *others, last = self.choices
        text = f"{self.question} Answer with one {self.unit} alone: {', '.join(others)} or {last}."
        return Prompt((*prompt.messages, Message("assistant", answer), Message("user", text)))

    def sampling(self, sampling: Sampling, seed: int) -> Sampling:
        """The settings of the question, from those of the first one."""
        limit = min(self.config.max_tokens, sampling.max_tokens or self.config.max_tokens)
        constrained = tuple(self.choices) if self.config.constrain != "none" else ()
        return replace(sampling, n=1, max_tokens=limit, seed=seed, choices=constrained, constrain=self.config.constrain)

    def read(self, completion: Completion) -> float | ParseFailure:
        """The score of the short answer: a choice alone, a JSON object with it, or any sentence that names it."""
        cut = cut_off(completion.finish_reason)
        if cut is not None:
            return ParseFailure(f"asked again, the short answer was not whole: {cut}")
        text = plain_width(answer_part(completion.answer) or "").strip()
        score = self.read_score(_json_value(text).rstrip("."))
        if score is None and self.choices == SCORES:
            verdict = parse_verdict(text, patterns=self.config.patterns)
            score = verdict.score if isinstance(verdict, Verdict) else None
        if score is None or score not in self.choices.values():
            return ParseFailure(f"asked again, the judge answered {text[:40]!r}")
        return score


def follow_up(
    config: VerdictConfig,
    question: str,
    choices: Mapping[str, float] = SCORES,
    read_score: Read = RUBRIC.read,
    unit: str = "number",
) -> FollowUpQuestion | None:
    """The follow-up question of a call; None where the settings ask for none."""
    return FollowUpQuestion(question, choices, read_score, unit, config) if config.ask_again else None


def needs_follow_up(record: Proof | Analysis | Review | Grading | Comparison) -> bool:
    """True for a judge's whole answer whose verdict could not be read. A copy of something is not asked about."""
    if isinstance(record, Proof) or cut_off(record.finish_reason) is not None:
        return False
    score = record.points if isinstance(record, Grading) else record.score
    return score is None and not (record.fault or "").startswith(COPY)


def with_score(record: R, score: float | ParseFailure) -> R:
    """``record`` with the score of its follow-up, or with both reasons why it has none."""
    if isinstance(record, Proof):
        return record
    if isinstance(score, ParseFailure):
        return replace(record, fault=f"{record.fault}; {score.reason}")
    if isinstance(record, Grading):
        return replace(record, points=score, fault=None)
    return replace(record, score=score, fault=None)


def unscored_id(sample_id: str) -> str:
    """Id of the record that holds the answer of a sample until its follow-up is answered."""
    return digest("unscored", sample_id)


def follow_up_id(sample_id: str) -> tuple[str, int]:
    """Id and seed of the follow-up of a sample."""
    return digest("follow_up", sample_id), derive_seed("follow_up", sample_id)


def _json_value(text: str) -> str:
    """The value of the field ``score`` of a JSON object; any other text unchanged."""
    if not text.startswith("{"):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    score = value.get("score") if isinstance(value, dict) else None
    return f"{score:g}" if isinstance(score, float | int) else score if isinstance(score, str) else text
