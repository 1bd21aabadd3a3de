"""Policy loss of GRPO as in DeepSeek-V3.2, with the options of related algorithms. Tensors in, loss and parts out.

Shape suffixes: S sequences, T tokens (padded, with a mask).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from rl.algorithm import LossConfig


@dataclass(frozen=True, slots=True)
class LossInputs:
    """Inputs of the loss. Log-probabilities are of the sampled tokens, in nats, [S, T]; only ``new_ST`` has a gradient.

    ``new_ST``: of the current policy. ``old_ST``: of the policy at the start of the update, by the trainer.
    ``sampler_ST``: of the distribution that was sampled from, as the rollout engine recorded them.
    ``mask_ST``: true for tokens of the answers; values elsewhere are ignored. ``advantages_S``: see `rl.advantage`.
    ``reference_ST``: of the reference policy, which a KL needs. ``beta_S``: KL coefficient of each sequence, in place
    of the configured one. ``entropy_ST``: in nats, only logged.
    """

    new_ST: Tensor
    old_ST: Tensor
    sampler_ST: Tensor
    mask_ST: Tensor
    advantages_S: Tensor
    reference_ST: Tensor | None = None
    beta_S: Tensor | None = None
    entropy_ST: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Denominator:
    """Counts that sums are divided by, over all micro-batches and processes of an update, so that their losses add up.

    ``sequences`` includes masked ones.
    """

    sequences: float
    tokens: float


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """``loss``: a scalar with gradient. ``parts``: detached scalars by name, explained at `policy_loss`."""

    loss: Tensor
    parts: dict[str, Tensor]


def count(mask_ST: Tensor) -> Denominator:
    """Returns the denominator of a batch that is a whole update."""
    return Denominator(sequences=len(mask_ST), tokens=float(mask_ST.sum()))


def policy_loss(inputs: LossInputs, config: LossConfig, denominator: Denominator | None = None) -> PolicyLoss:
    """Computes -sum_it w_it [ min(r_t A_i, clip(r_t, 1 - low, 1 + high) A_i) M_i - beta KL_t ], to be minimized.

    DeepSeek-V3.2 report, section 3.1: r_t = new/old, M_i = 0 where A_i < 0 and mean_t log(sampler/new) > delta, and
    KL_t = r_t (reference/new - log(reference/new) - 1) with gradient through r_t. M_i masks only the
    surrogate. w_it depends on ``config.aggregation``. In fp32 or fp64. Values are never clamped or made finite: the
    trainer stops at a NaN.

    The parts add up over micro-batches as the loss does, those named ``*_max`` by their maximum (`combine_parts`):
    ``surrogate_loss`` and ``kl_loss`` (sum: the loss); means over tokens ``kl``, ``clip_low``, ``clip_high`` (fraction
    of clipped tokens), ``ratio_mean``, ``mismatch_mean`` (|sampler - old|), ``mismatch_kl`` (k3 estimate of
    KL(sampler || old)), ``drift`` (sampler - new, the k1 estimate of KL(sampler || new)), ``importance_mean`` and
    ``importance_capped``, ``entropy``; fraction of sequences ``off_policy_masked``; ``ratio_max``, ``mismatch_max``.

    Raises:
        ValueError: a tensor has the wrong shape, or there is a KL coefficient but no reference.
    """
    _check(inputs, config)
    x = _prepared(inputs)
    total = denominator or count(inputs.mask_ST)
    weights_ST = _weights(x.mask_ST, config, total)
    ratio_ST = _ratio(x, config)
    keep_S1 = _on_policy(x, config).unsqueeze(1)
    importance_ST = _importance(x)
    surrogate_ST = _surrogate(ratio_ST, x.advantages_S.unsqueeze(1), config) * keep_S1
    if config.importance_cap is not None:
        surrogate_ST = surrogate_ST * importance_ST.clamp(max=config.importance_cap)
    surrogate_loss = -(surrogate_ST * weights_ST).sum()
    parts = {"surrogate_loss": surrogate_loss, "off_policy_masked": (1 - keep_S1).sum() / max(total.sequences, 1)}
    parts |= _ratio_parts(x, ratio_ST, config, total) | _sampler_parts(x, importance_ST, config, total)
    loss = surrogate_loss
    if x.reference_ST is not None and config.kl != "none":
        kl_ST = _kl(x, x.reference_ST, config)
        beta_S1 = x.mask_ST.new_full((len(x.mask_ST), 1), config.beta) if x.beta_S is None else x.beta_S.unsqueeze(1)
        kl_loss = (beta_S1 * kl_ST * weights_ST).sum()
        loss = loss + kl_loss
        parts |= {"kl_loss": kl_loss, "kl": _token_mean(kl_ST, x, total)}
    return PolicyLoss(loss, {name: part.detach() for name, part in parts.items()})


def combine_parts(parts: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Combines the parts of micro-batches with one denominator into those of the whole update."""
    whole: dict[str, Tensor] = {}
    for some in parts:
        for name, part in some.items():
            merge = torch.maximum if name.endswith("_max") else torch.add
            whole[name] = merge(whole[name], part) if name in whole else part
    return whole


def _check(inputs: LossInputs, config: LossConfig) -> None:
    for field in fields(inputs):
        tensor = getattr(inputs, field.name)
        expected = inputs.new_ST.shape if field.name.endswith("_ST") else inputs.new_ST.shape[:1]
        if tensor is not None and tensor.shape != expected:
            raise ValueError(f"{field.name} has shape {list(tensor.shape)}, not {list(expected)}")
    weighs = bool(config.beta) if inputs.beta_S is None else bool(inputs.beta_S.any())
    if weighs and (config.kl == "none" or inputs.reference_ST is None):
        raise ValueError("a KL coefficient above 0 needs an estimator (kl) and the reference's log-probabilities")


def _prepared(inputs: LossInputs) -> LossInputs:
    """Converts tensors to one dtype (fp32 or fp64), detaches all but ``new_ST``, and sets 0 outside the mask."""
    dtype = torch.promote_types(inputs.new_ST.dtype, torch.float32)
    outside_ST = ~inputs.mask_ST.bool()
    ready: dict[str, Tensor] = {}
    for field in fields(inputs):
        tensor = getattr(inputs, field.name)
        if tensor is None:
            continue
        tensor = (tensor if field.name == "new_ST" else tensor.detach()).to(dtype)
        ready[field.name] = tensor.masked_fill(outside_ST, 0) if field.name.endswith("_ST") else tensor
    return replace(inputs, **ready)


def _weights(mask_ST: Tensor, config: LossConfig, total: Denominator) -> Tensor:
    """w_it: the weight of each token in the loss."""
    if config.aggregation == "token":
        return mask_ST / max(total.tokens, 1)
    if config.aggregation == "sequence":
        return mask_ST / _lengths(mask_ST).unsqueeze(1) / max(total.sequences, 1)
    assert config.constant_length is not None
    return mask_ST / config.constant_length / max(total.sequences, 1)


def _lengths(mask_ST: Tensor) -> Tensor:
    """|o_i| of each sequence, at least 1, [S]."""
    return mask_ST.sum(1).clamp(min=1)


def _ratio(x: LossInputs, config: LossConfig) -> Tensor:
    """r_t of each token, or of its sequence (GSPO, arXiv 2507.18071, equation 7)."""
    difference_ST = x.new_ST - x.old_ST
    if config.ratio == "sequence":
        difference_ST = (difference_ST.sum(1) / _lengths(x.mask_ST)).unsqueeze(1).expand_as(difference_ST)
    return difference_ST.exp()


def _surrogate(ratio_ST: Tensor, advantages_S1: Tensor, config: LossConfig) -> Tensor:
    clipped_ST = ratio_ST.clamp(1 - config.clip_low, 1 + config.clip_high)
    surrogate_ST = torch.minimum(ratio_ST * advantages_S1, clipped_ST * advantages_S1)
    if config.dual_clip is None:
        return surrogate_ST
    # Dual-clip PPO (arXiv 1912.09729, equation 5): bounds the loss of tokens of negative advantage and large ratio.
    bounded_ST = torch.maximum(surrogate_ST, config.dual_clip * advantages_S1)
    return torch.where(advantages_S1 < 0, bounded_ST, surrogate_ST)


def _on_policy(x: LossInputs, config: LossConfig) -> Tensor:
    """M_i, [S]: 0 where a sequence of negative advantage is off-policy."""
    if config.off_policy_delta is None:
        return torch.ones_like(x.advantages_S)
    drift_S = (x.sampler_ST - x.new_ST.detach()).sum(1) / _lengths(x.mask_ST)
    return 1 - ((x.advantages_S < 0) & (drift_S > config.off_policy_delta)).to(x.advantages_S.dtype)


def _importance(x: LossInputs) -> Tensor:
    """old/sampler of each token: the importance weight from the sampler to the old policy."""
    return (x.old_ST - x.sampler_ST).exp()


def _kl(x: LossInputs, reference_ST: Tensor, config: LossConfig) -> Tensor:
    """KL_t(new || reference) by the configured estimator (k1, k3: Schulman, Approximating KL divergence, 2020).

    Only ``unbiased`` has the gradient of the true KL: a token of the old policy is weighted by new/old. With
    ``importance_cap`` it is a token of the sampler, weighted by the truncated importance weight too, as in the
    surrogate. The ratio is each token's, also where the surrogate has that of the sequence.
    """
    log_ratio_ST = reference_ST - x.new_ST
    if config.kl == "k1":
        return -log_ratio_ST
    k3_ST = torch.expm1(log_ratio_ST) - log_ratio_ST
    if config.kl == "k3":
        return k3_ST
    unbiased_ST = (x.new_ST - x.old_ST).exp() * k3_ST
    if config.importance_cap is None:
        return unbiased_ST
    return unbiased_ST * _importance(x).clamp(max=config.importance_cap)


def _token_mean(value_ST: Tensor, x: LossInputs, total: Denominator) -> Tensor:
    return (value_ST.detach() * x.mask_ST).sum() / max(total.tokens, 1)


def _largest(value_ST: Tensor, x: LossInputs) -> Tensor:
    values_ST = value_ST.detach() * x.mask_ST
    return values_ST.amax() if values_ST.numel() else values_ST.new_zeros(())


def _ratio_parts(x: LossInputs, ratio_ST: Tensor, config: LossConfig, total: Denominator) -> dict[str, Tensor]:
    advantages_S1 = x.advantages_S.unsqueeze(1)
    held_low_ST = (ratio_ST < 1 - config.clip_low) & (advantages_S1 < 0)
    held_high_ST = (ratio_ST > 1 + config.clip_high) & (advantages_S1 > 0)
    return {
        "clip_low": _token_mean(held_low_ST, x, total),
        "clip_high": _token_mean(held_high_ST, x, total),
        "ratio_mean": _token_mean(ratio_ST, x, total),
        "ratio_max": _largest(ratio_ST, x),
    } | ({} if x.entropy_ST is None else {"entropy": _token_mean(x.entropy_ST, x, total)})


def _sampler_parts(x: LossInputs, importance_ST: Tensor, config: LossConfig, total: Denominator) -> dict[str, Tensor]:
    difference_ST = x.sampler_ST - x.old_ST
    parts = {
        "mismatch_mean": _token_mean(difference_ST.abs(), x, total),
        "mismatch_max": _largest(difference_ST.abs(), x),
        "mismatch_kl": _token_mean(torch.expm1(-difference_ST) + difference_ST, x, total),
        "drift": _token_mean(x.sampler_ST - x.new_ST, x, total),
    }
    if config.importance_cap is not None:
        parts["importance_mean"] = _token_mean(importance_ST.clamp(max=config.importance_cap), x, total)
        parts["importance_capped"] = _token_mean(importance_ST > config.importance_cap, x, total)
    return parts
