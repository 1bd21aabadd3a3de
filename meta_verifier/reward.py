"""Reward of the meta-verifier, for a review of an analysis (DeepSeekMath-V2, section 2.1)."""

from core.reward import NO_FORMAT, Reward
from core.rubric import Verdict, parse_verdict, score_reward
from core.sections import analysis_faults


def meta_verifier_reward(text: str, label: float, *, quoted: str = "", truncated: bool = False) -> Reward:
    """R = R_format * R_score(s', s) of a review.

    Args:
        text: the whole answer.
        label: s, the quality of the analysis, in [0, 1].
        quoted: the proof and the analysis; a verdict that is quoted from them is not the meta-verifier's.
        truncated: whether the answer ended at the token limit: then its format is wrong.
    """
    verdict = parse_verdict(text, quoted=quoted, truncated=truncated)
    if not isinstance(verdict, Verdict) or analysis_faults(text, review=True, quoted=quoted):
        return NO_FORMAT
    r_score = score_reward(verdict.score, label)
    return Reward(r_score, {"format": 1.0, "score": r_score})
