"""Optimizer of a stage: weight groups, learning-rate schedule, gradient clipping."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from rl.config import OptimizerConfig
from rl.muon import Muon

# Weights that AdamW updates where Muon updates the others: lookups of tokens and experts, and the indexers' scores.
ADAMW_WEIGHTS = ("embed_tokens", "lm_head", "mlp.gate.", ".indexer.")


def make_optimizer(module: nn.Module, config: OptimizerConfig) -> Optimizer:
    """Makes the optimizer of all trainable weights; the indexers are a group, and vectors have no weight decay."""
    groups: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            rate = config.indexer_lr if ".indexer." in name and config.indexer_lr else config.lr
            decay = config.weight_decay if weight.dim() > 1 else 0.0
            muon = config.kind == "muon" and weight.dim() > 1 and not any(part in name for part in ADAMW_WEIGHTS)
            groups.setdefault((rate, decay, muon), []).append(weight)
    settings = [{"params": weights, "lr": rate, "weight_decay": decay} for (rate, decay, _), weights in groups.items()]
    if config.kind == "muon":
        kinds = [{**group, "orthogonal": muon} for group, (_, _, muon) in zip(settings, groups, strict=True)]
        optimizer = Muon(kinds, config.betas, config.eps)
    else:
        optimizer = AdamW(settings, betas=config.betas, eps=config.eps)
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    return optimizer


def lr_multiplier(config: OptimizerConfig, step: int, steps: int) -> float:
    """Returns the learning rate of step ``step`` (from 0) of ``steps``, as a fraction of ``lr``."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.decay == "constant":
        return 1.0
    progress = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
    decayed = 1 - progress if config.decay == "linear" else (1 + math.cos(math.pi * progress)) / 2
    return config.min_lr_ratio + (1 - config.min_lr_ratio) * decayed


def set_learning_rate(optimizer: Optimizer, multiplier: float) -> float:
    """Sets every group's learning rate to ``multiplier`` times its initial one; returns that of the first group."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * multiplier
    return float(optimizer.param_groups[0]["lr"])


def clip_gradients(weights: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scales all gradients down to a norm of at most ``max_norm``; returns the norm before. Weights may be sharded."""
    norm = torch.nn.utils.clip_grad_norm_(list(weights), max_norm, foreach=True)
    whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(whole, Tensor)
    return whole.item()
