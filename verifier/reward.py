"""Rewards of the verifier in RL (DeepSeekMath-V2, section 2.1)."""

from core.rubric import score_reward
from core.sections import analysis_faults


def format_reward(text: str) -> float:
    """R_format of an analysis: 1 when it has the required opening and a verdict that can be read, else 0."""
    return 0.0 if analysis_faults(text) else 1.0


def verifier_reward(r_format: float, score: float, label: float, r_meta: float = 1.0) -> float:
    """R_V = R_format * R_score(s', s) * R_meta.

    Args:
        r_format: 1 when the answer has the required format, else 0.
        score: the verifier's score s' (any number when ``r_format`` is 0).
        label: the label s of the proof.
        r_meta: the meta-verifier's quality score of the analysis; 1 in the first round, which has no meta-verifier.
    """
    return r_format * score_reward(score, label) * r_meta
