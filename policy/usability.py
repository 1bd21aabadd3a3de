"""Usable answers of a command: their share, and in words why the first ones are all unusable."""

from collections import Counter
from dataclasses import dataclass, field

from core.config import STRICT, Positive, settings
from core.finish import cut_off
from core.records import Analysis, Comparison, Grading, Proof, Review

REASONING_ONLY = "the text is empty, everything is in the reasoning field"
_HINTS = (  # by words of a reason
    (REASONING_ONLY, "raise sampling.max_tokens if the reasoning is cut off; else the server's reasoning parser takes "
     "the answer for reasoning: turn it off, or on"),
    ("token limit", "raise sampling.max_tokens, or the limit of the server"),
    ("context length", "lower refine.pairs or the length of the problems, or serve the model with a longer context"),
    ("finish_reason", "where the server ends whole answers so, add that word to policy.finish_reasons"),
    ("no finish reason", "the server does not say whether an answer is whole; use one that does"),
    ("content filter", "use a server without that filter"),
    ("refused", "the model refuses the task; use another one, or other prompts (prompts=FOLDER)"),
    ("degenerate", "raise sampling.temperature, or set a repetition penalty in policy.extra_body"),
)  # fmt: skip
_FORMAT = "the model does not keep to the format of the prompts; see docs/guides/prompts.md, or use a larger model"


@settings(frozen=True, config=STRICT)
class UnusableConfig:
    """After ``after`` answers, all of them unusable, a run says why; with ``stop`` it stops too."""

    after: Positive
    stop: bool


@dataclass
class Usability:
    """Counts of new answers. ``reasons``: why the unusable ones are."""

    usable: int = 0
    unusable: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, record: Proof | Analysis | Review | Grading | Comparison) -> None:
        """Count a new record."""
        reason = unusable_reason(record)
        if reason is None:
            self.usable += 1
        else:
            self.unusable += 1
            self.reasons[reason] += 1

    @property
    def answers(self) -> int:
        """Number of new answers."""
        return self.usable + self.unusable

    @property
    def share(self) -> float | None:
        """Share of the new answers that can be used, in [0, 1]; None without any."""
        return self.usable / self.answers if self.answers else None

    def explanation(self) -> str:
        """The reasons in words, the most frequent ones first, each with a hint."""
        parts = [f"{count}: {reason} ({hint_for(reason)})" for reason, count in self.reasons.most_common(3)]
        return f"none of the first {self.answers} answers can be used; {'; '.join(parts)}"


def unusable_reason(record: Proof | Analysis | Review | Grading | Comparison) -> str | None:
    """The reason why nothing can be done with an answer; None for a proof, or a verdict that can be read."""
    if isinstance(record, Proof):
        is_usable, fault = record.body is not None, "; ".join(record.faults)
    else:
        is_usable = (record.points if isinstance(record, Grading) else record.score) is not None
        fault = record.fault or ""
    if is_usable:
        return None
    if not record.text.strip() and (record.reasoning or "").strip():
        return REASONING_ONLY
    return cut_off(record.finish_reason) or fault or "the answer is empty"


def hint_for(reason: str) -> str:
    """The remedy for a reason."""
    return next((hint for words, hint in _HINTS if words in reason), _FORMAT)
