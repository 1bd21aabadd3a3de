"""Reward of the meta-verifier in RL (DeepSeekMath-V2, section 2.1)."""

from core.rubric import score_reward
from core.sections import analysis_faults


def format_reward(text: str) -> float:
    """R_format of a review: 1 when it has the required opening and a verdict that can be read, else 0."""
    return 0.0 if analysis_faults(text, review=True) else 1.0


def meta_verifier_reward(r_format: float, score: float, label: float) -> float:
    """R = R_format * (1 - |s' - s|) for the predicted quality s' of an analysis and its label s, both in [0, 1]."""
    return r_format * score_reward(score, label)
