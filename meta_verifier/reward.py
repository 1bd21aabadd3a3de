"""Reward of the meta-verifier in RL (DeepSeekMath-V2, section 2.1)."""


def meta_verifier_reward(r_format: float, score: float, label: float) -> float:
    """R = R_format * (1 - |s' - s|) for the predicted quality s' of an analysis and its label s, both in [0, 1]."""
    return r_format * (1.0 - abs(score - label))
