"""AdamW with the schedule of its rate, and the norm of gradients."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from rl.config import OptimizerConfig


def make_optimizer(module: nn.Module, config: OptimizerConfig) -> AdamW:
    """Over the weights that may learn; the indexers' in a group of their own, without weight decay on vectors."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in module.named_parameters():
        if weight.requires_grad:
            rate = config.indexer_lr if ".indexer." in name and config.indexer_lr else config.lr
            decay = config.weight_decay if weight.dim() > 1 else 0.0
            groups.setdefault((rate, decay), []).append(weight)
    settings = [{"params": weights, "lr": rate, "weight_decay": decay} for (rate, decay), weights in groups.items()]
    optimizer = AdamW(settings, betas=config.betas, eps=config.eps)
    for group in optimizer.param_groups:
        group["full_lr"] = group["lr"]
    return optimizer


def rate_share(config: OptimizerConfig, step: int, steps: int) -> float:
    """Share of the full rate in step ``step`` (from 0) of a stage of ``steps``."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    if config.decay == "constant":
        return 1.0
    done = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
    left = 1 - done if config.decay == "linear" else (1 + math.cos(math.pi * done)) / 2
    return config.final_share + (1 - config.final_share) * left


def set_rate(optimizer: AdamW, share: float) -> float:
    """Set every group's rate to ``share`` of its full one; the first group's."""
    for group in optimizer.param_groups:
        group["lr"] = group["full_lr"] * share
    return float(optimizer.param_groups[0]["lr"])


def clip_gradients(weights: Iterable[nn.Parameter], largest: float) -> float:
    """Scale all gradients down to a norm of at most ``largest``; the norm before. Of sharded weights too."""
    norm = torch.nn.utils.clip_grad_norm_(list(weights), largest, foreach=True)
    whole = norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(whole, Tensor)
    return whole.item()
