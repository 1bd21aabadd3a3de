"""Reward of the prover in RL (DeepSeekMath-V2, section 2.2)."""

from core.rubric import ParseFailure, score_reward
from core.sections import self_score, split_proof

ALPHA = 0.76
BETA = 0.24


def format_reward(text: str) -> float:
    """R_format(Y, Z): 1 when the answer has both sections and a self-score that can be read, else 0."""
    sections = split_proof(text)
    return 0.0 if sections.faults or isinstance(self_score(sections), ParseFailure) else 1.0


def prover_reward(
    r_format: float, r_proof: float, self_score: float, r_meta: float = 1.0, alpha: float = ALPHA, beta: float = BETA
) -> float:
    """R = R_format(Y, Z) * (alpha * R_Y + beta * R_Z) with R_Z = (1 - |s' - R_Y|) * R_meta(Z).

    Args:
        r_format: 1 when proof Y and self-evaluation Z have the required format, else 0.
        r_proof: R_Y, the verifier's score of the proof.
        self_score: s', the prover's score of its own proof.
        r_meta: the meta-verifier's quality score of the self-evaluation.
        alpha, beta: weights of the proof and of the self-evaluation.
    """
    r_self = score_reward(self_score, r_proof) * r_meta
    return r_format * (alpha * r_proof + beta * r_self)
