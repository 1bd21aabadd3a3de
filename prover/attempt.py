"""A prover's answer as the proof loop reads it: the proof, the self-evaluation, its score, and format faults."""

from dataclasses import dataclass

from core.rubric import TRUNCATED, Verdict
from core.sections import self_score, split_proof
from policy.repetition import find_repetition


@dataclass(frozen=True, slots=True)
class Attempt:
    """The parts of one answer. A part that the answer lacks is None, and ``faults`` names what is missing.

    ``body`` is the proof as the verifier is shown it; a truncated answer has none, whatever it holds.
    """

    body: str | None
    self_evaluation: str | None
    self_score: float | None
    faults: tuple[str, ...]


def read_attempt(text: str, *, truncated: bool, reason: str = TRUNCATED) -> Attempt:
    """Reads the whole answer ``text`` of a prover; ``truncated``: it was cut off, for ``reason``."""
    sections = split_proof(text)
    verdict = self_score(sections)
    faults = list(sections.faults)
    if sections.self_evaluation is not None and not isinstance(verdict, Verdict):
        faults.append(f"self-evaluation: {verdict.reason}")
    if truncated:
        faults.append(reason)
    if repetition := find_repetition(text):
        faults.append(f"degenerate: the last {repetition.period} characters repeat {repetition.repeats} times")
    return Attempt(
        body=None if truncated else sections.body,
        self_evaluation=sections.self_evaluation,
        self_score=verdict.score if isinstance(verdict, Verdict) and not truncated else None,
        faults=tuple(faults),
    )
