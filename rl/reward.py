"""Rewards of the three roles with their parts by name, and how further parts are added to them. Pure functions.

A part that no judge could give is None, never 0: then the reward is None, and the sample is left out of its group.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from core.rubric import Verdict, parse_verdict, score_reward
from core.sections import analysis_faults, self_score, split_proof
from meta_verifier.reward import meta_verifier_reward
from policy.repetition import find_repetition
from prover.reward import ALPHA, BETA, prover_reward
from verifier.reward import verifier_reward


@dataclass(frozen=True, slots=True)
class Reward:
    """``total`` is None where a part that it needs is. ``parts``, each before any weight, are for the log."""

    total: float | None
    parts: Mapping[str, float | None]


def reward_analysis(
    text: str, label: float, *, quoted: str = "", r_meta: float | None = 1.0, truncated: bool = False
) -> Reward:
    """R_V = R_format * R_score(s', s) * R_meta of a verifier's analysis (DeepSeekMath-V2, section 2.1).

    Args:
        text: the whole answer.
        label: s, the label of the proof, in [0, 1].
        quoted: the proof, whose sentences are no verdict of the verifier's.
        r_meta: the meta-verifier's score of the analysis, None where it gave none; 1 in a round without it.
        truncated: whether the answer was cut off, which is no format.
    """
    verdict = parse_verdict(text, quoted=quoted, truncated=truncated)
    if not isinstance(verdict, Verdict) or analysis_faults(text, quoted=quoted):
        return Reward(0.0, {"format": 0.0})
    parts = {"format": 1.0, "score": score_reward(verdict.score, label), "meta": r_meta}
    return Reward(None if r_meta is None else verifier_reward(1.0, verdict.score, label, r_meta), parts)


def reward_review(text: str, label: float, *, quoted: str = "", truncated: bool = False) -> Reward:
    """R = R_format * R_score of a meta-verifier's review, by the label of the analysis; else as `reward_analysis`."""
    verdict = parse_verdict(text, quoted=quoted, truncated=truncated)
    if not isinstance(verdict, Verdict) or analysis_faults(text, review=True, quoted=quoted):
        return Reward(0.0, {"format": 0.0})
    total = meta_verifier_reward(1.0, verdict.score, label)
    return Reward(total, {"format": 1.0, "score": total})


def reward_proof(
    text: str,
    r_proof: float | None,
    *,
    r_meta: float | None = 1.0,
    truncated: bool = False,
    alpha: float = ALPHA,
    beta: float = BETA,
) -> Reward:
    """R = R_format(Y, Z) * (alpha * R_Y + beta * R_score(s', R_Y) * R_meta(Z)) of a proof with its self-evaluation.

    DeepSeekMath-V2, section 2.2. What the refinement loop calls no proof (truncated, or degenerate) has no format.

    Args:
        text: the whole answer.
        r_proof: R_Y, the verifier's score of the proof in [0, 1]; None where it gave none.
        r_meta: the meta-verifier's score of the self-evaluation, None where it gave none; 1 without a meta-verifier.
        truncated: whether the answer was cut off.
        alpha, beta: weights of the proof and of the self-evaluation.
    """
    sections = split_proof(text)
    verdict = self_score(sections)
    if truncated or sections.faults or not isinstance(verdict, Verdict) or find_repetition(text):
        return Reward(0.0, {"format": 0.0})
    honest = None if r_proof is None else score_reward(verdict.score, r_proof)
    parts = {"format": 1.0, "proof": r_proof, "self_score": honest, "self_meta": r_meta}
    if r_proof is None or r_meta is None:
        return Reward(None, parts)
    return Reward(prover_reward(1.0, r_proof, verdict.score, r_meta, alpha, beta), parts)


def weighted_reward(parts: Mapping[str, float | None], weights: Mapping[str, float]) -> Reward:
    """The weighted sum of ``parts``, for prompts that no role is for: rule-based answer, format, a judge's rubric.

    Raises:
        ValueError: the weights name another set of parts than there is.
    """
    return add_parts(Reward(0.0, {}), parts, weights)


def add_parts(reward: Reward, parts: Mapping[str, float | None], weights: Mapping[str, float]) -> Reward:
    """``reward`` plus the weighted ``parts``, which no format gates: length penalty, language consistency.

    Raises:
        ValueError: the weights name another set of parts than there is, or the reward has a part of that name.
    """
    if parts.keys() != weights.keys():
        raise ValueError(f"weights are for the parts {sorted(weights)}, but the parts are {sorted(parts)}")
    if twice := parts.keys() & reward.parts.keys():
        raise ValueError(f"the reward has the parts {sorted(twice)} already")
    total = reward.total
    for name, value in parts.items():
        total = None if total is None or value is None else total + weights[name] * value
    return Reward(total, {**reward.parts, **parts})
