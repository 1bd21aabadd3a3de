"""Reward of the prover, for a proof with its self-evaluation (DeepSeekMath-V2, section 2.2)."""

from core.reward import NO_FORMAT, Reward
from core.rubric import score_reward
from core.sections import has_closing
from prover.attempt import read_attempt

ALPHA = 0.76
BETA = 0.24


def prover_reward(
    text: str,
    r_proof: float | None,
    *,
    r_meta: float | None = 1.0,
    truncated: bool = False,
    alpha: float = ALPHA,
    beta: float = BETA,
) -> Reward:
    """R = R_format(Y, Z) * (alpha * R_Y + beta * R_score(s', R_Y) * R_meta(Z)) of proof Y and self-evaluation Z.

    R_format is 0 where `prover.attempt` finds a fault (a section or the self-score is missing, or the answer is
    truncated or repeats itself), and where the self-evaluation lacks the closing sentence of the prompt.

    Args:
        text: the whole answer.
        r_proof: R_Y, the verifier's score of the proof in [0, 1]; None where it gave none.
        r_meta: the meta-verifier's score of the self-evaluation, None where it gave none; 1 without a meta-verifier.
        truncated: whether the answer ended at the token limit.
        alpha, beta: weights of the proof and of the self-evaluation.
    """
    attempt = read_attempt(text, truncated=truncated)
    if attempt.faults or attempt.self_score is None or not has_closing(attempt.self_evaluation or ""):
        return NO_FORMAT
    r_self = None if r_proof is None else score_reward(attempt.self_score, r_proof)
    parts = {"format": 1.0, "proof": r_proof, "self_score": r_self, "self_meta": r_meta}
    if r_proof is None or r_self is None or r_meta is None:
        return Reward(None, parts)
    return Reward(alpha * r_proof + beta * r_self * r_meta, parts)
