"""Transitions of the proof loop: the next request of a chain, its end, and what is reviewed.

Pure functions. The asynchronous loop (`refine.sequential`, `refine.assess`) and the batched trainer (`rl.recipe`) ask
for what these return, and differ only in how they sample it. Both read answers by `prover.attempt` and `core.rubric`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from core.templates import Templates

Reviewed = Literal["issues", "all"]  # which analyses are reviewed


class ProofDraft(Protocol):
    """A prover's answer: a record of a run (`core.records.Proof`), or a `prover.attempt.Attempt` of the trainer."""

    @property
    def body(self) -> str | None: ...

    @property
    def self_evaluation(self) -> str | None: ...

    @property
    def self_score(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """The prover's next task: a better version of ``proof`` by ``critiques``; without ``proof``, a new proof."""

    proof: str | None = None
    critiques: tuple[str, ...] = ()

    def prompt(self, templates: Templates, statement: str) -> str:
        """The text of the request about ``statement``."""
        if self.proof is None:
            return templates.proof(statement)
        return templates.refinement(statement, [(self.proof, self.critiques)])


def next_request(history: Sequence[ProofDraft], rounds: int) -> ProofRequest | None:
    """The next request of a chain of self-refinement after ``history``; None where the chain is finished.

    An answer that holds no proof is followed by a request for a new one; a proof is refined by its own evaluation.
    """
    if is_finished(history, rounds):
        return None
    body = history[-1].body if history else None
    if body is None:
        return ProofRequest()
    evaluation = history[-1].self_evaluation
    return ProofRequest(body, (evaluation,) if evaluation else ())


def is_finished(history: Sequence[ProofDraft], rounds: int) -> bool:
    """True where a chain ends: after ``rounds`` answers, or once the prover scores its own proof 1."""
    if not history:
        return rounds < 1
    return len(history) >= rounds or (history[-1].self_score == 1.0 and history[-1].body is not None)


def needs_review(score: float | None, reviewed: Reviewed = "issues") -> bool:
    """True for an analysis that is reviewed: one that reports an issue, or, by ``all``, any that has a verdict."""
    return score is not None and (reviewed == "all" or score < 1.0)
