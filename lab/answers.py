"""The prover's answer: a proof and its self-evaluation, in the format of the released weights."""

from lab.analyses import CLOSING, score_text, write_analysis
from lab.theorem import Theorem

BEFORE = "## Solution\n"
BETWEEN = "\n\n## Self Evaluation\n\n"


def write_answer(theorem: Theorem, proof: str, score: float | None = None, seed: int = 0) -> str:
    """A proof with the correct analysis of it as self-evaluation; ``score``: another score than the checker's."""
    evaluation = write_analysis(theorem, proof, seed=seed)
    if score is not None:
        evaluation = f"{evaluation.rpartition(CLOSING)[0]}{CLOSING}\n{score_text(score)}"
    return f"{BEFORE}{proof}{BETWEEN}{evaluation}"


def write_parts(theorem: Theorem, proof: str, seed: int = 0) -> tuple[str, str]:
    """The answer of ``write_answer`` in two parts: the proof that a model has written, and the self-evaluation."""
    given, _, evaluation = write_answer(theorem, proof, seed=seed).partition(BETWEEN)
    return given, BETWEEN + evaluation
