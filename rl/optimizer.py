"""The optimizer of a stage with the schedule of its rate, and the norm of gradients."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from rl.config import OptimizerConfig
from rl.muon import Muon

# By AdamW where the rest goes by Muon: what looks tokens or experts up, and the indexers, whose rows are scores.
ADAMW_WEIGHTS = ("embed_tokens", "lm_head", "mlp.gate.", ".indexer.")


def make_optimizer(module: nn.Module, config: OptimizerConfig) -> Optimizer:
    """Over the weights that may learn; the indexers' in a group of their own, without weight decay on vectors."""
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
    """Share of the full rate in step ``step`` (from 0) of a stage of ``steps``."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.decay == "constant":
        return 1.0
    done = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
    left = 1 - done if config.decay == "linear" else (1 + math.cos(math.pi * done)) / 2
    return config.min_lr_ratio + (1 - config.min_lr_ratio) * left


def set_learning_rate(optimizer: Optimizer, share: float) -> float:
    """Set every group's rate to ``share`` of its full one; the first group's."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * share
    return float(optimizer.param_groups[0]["lr"])


def clip_gradients(weights: Iterable[nn.Parameter], largest: float) -> float:
    """Scale all gradients down to a norm of at most ``largest``; the norm before. Of sharded weights too."""
    norm = torch.nn.utils.clip_grad_norm_(list(weights), largest, foreach=True)
    whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(whole, Tensor)
    return whole.item()
