"""Reward of the verifier, for an analysis of a proof (DeepSeekMath-V2, section 2.1)."""

from core.reward import NO_FORMAT, Reward
from core.rubric import Verdict, parse_verdict, score_reward
from core.sections import analysis_faults


def verifier_reward(
    text: str, label: float, *, quoted: str = "", r_meta: float | None = 1.0, truncated: bool = False
) -> Reward:
    """R_V = R_format * R_score(s', s) * R_meta of an analysis.

    Args:
        text: the whole answer.
        label: s, the label of the proof, in [0, 1].
        quoted: the proof; a verdict that is quoted from it is not the verifier's.
        r_meta: the meta-verifier's score of the analysis, None where it gave none; 1 in a round without it.
        truncated: whether the answer ended at the token limit: then its format is wrong.
    """
    verdict = parse_verdict(text, quoted=quoted, truncated=truncated)
    if not isinstance(verdict, Verdict) or analysis_faults(text, quoted=quoted):
        return NO_FORMAT
    r_score = score_reward(verdict.score, label)
    return Reward(None if r_meta is None else r_score * r_meta, {"format": 1.0, "score": r_score, "meta": r_meta})
