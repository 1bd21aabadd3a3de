"""The policy loss in plain Python: loops over sequences and tokens, gradients derived by hand.

Written from the formulas and shares nothing with rl/loss.py but the names of the settings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp

from rl.algorithm import LossConfig


@dataclass(frozen=True)
class Sequence1:
    """One sequence: its tokens that count, and nothing else."""

    new: Sequence[float]
    old: Sequence[float]
    sampler: Sequence[float]
    reference: Sequence[float]
    advantage: float
    beta: float


@dataclass
class Plain:
    """Loss and, of each token of each sequence, the derivative by its new log-probability."""

    loss: float = 0.0
    gradients: list[list[float]] = field(default_factory=list)
    masked: int = 0
    low: int = 0
    high: int = 0
    kl: float = 0.0


def plain_loss(batch: Sequence[Sequence1], config: LossConfig, sequences: float, tokens: float) -> Plain:
    """Everything by its definition."""
    result = Plain()
    for one in batch:
        length = max(len(one.new), 1)
        gradients = [0.0] * len(one.new)
        drift = sum(s - n for s, n in zip(one.sampler, one.new, strict=True)) / length
        delta = config.off_policy_delta
        masked = delta is not None and one.advantage < 0 and drift > delta
        result.masked += masked
        mean = sum(n - o for n, o in zip(one.new, one.old, strict=True)) / length
        for t, (n, o, s, ref) in enumerate(zip(one.new, one.old, one.sampler, one.reference, strict=True)):
            if config.aggregation == "sequence":
                weight = 1 / length / sequences
            elif config.aggregation == "token":
                weight = 1 / tokens
            else:
                weight = 1 / ((config.constant_length or 0) * sequences)
            trust = 1.0 if config.importance_cap is None else min(exp(o - s), config.importance_cap)
            r = exp(mean) if config.ratio == "sequence" else exp(n - o)
            result.low += one.advantage < 0 and r < 1 - config.clip_low
            result.high += one.advantage > 0 and r > 1 + config.clip_high
            value, slope = surrogate(r, one.advantage, config)
            if not masked:
                result.loss -= weight * trust * value
                for u in range(len(gradients)):
                    if config.ratio == "sequence":
                        gradients[u] -= weight * trust * slope * r / length
                    elif u == t:
                        gradients[u] -= weight * trust * slope * r
            value, slope = divergence(n, o, ref, config)
            trust = trust if config.kl == "unbiased" else 1.0
            result.kl += trust * value / tokens
            result.loss += weight * one.beta * trust * value
            gradients[t] += weight * one.beta * trust * slope
        result.gradients.append(gradients)
    return result


def surrogate(r: float, advantage: float, config: LossConfig) -> tuple[float, float]:
    """The clipped objective and its derivative by r."""
    if advantage >= 0:
        top = 1 + config.clip_high
        return (r * advantage, advantage) if r < top else (top * advantage, 0.0)
    if r < 1 - config.clip_low:
        return (1 - config.clip_low) * advantage, 0.0
    if config.dual_clip is not None and r > config.dual_clip:
        return config.dual_clip * advantage, 0.0
    return r * advantage, advantage


def divergence(new: float, old: float, reference: float, config: LossConfig) -> tuple[float, float]:
    """The estimate of KL(new || reference) and its derivative by the new log-probability."""
    if config.kl == "none":
        return 0.0, 0.0
    if config.kl == "k1":
        return new - reference, 1.0
    d = reference - new
    if config.kl == "k3":
        return exp(d) - d - 1, 1 - exp(d)
    return exp(new - old) * (exp(d) - d - 1), exp(new - old) * (new - reference)
