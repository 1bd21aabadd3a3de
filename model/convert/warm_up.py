"""Indexer warm-up as a resumable run: the state is saved every few steps.

A step's batch depends only on the seed and the step's number, so a resumed run ends with the weights of an
uninterrupted one (bit for bit on the CPU).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from model.errors import ModelError
from model.training import train_indexers_only, warm_up_loss
from model.transformer import DsaModel


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Settings of one run; ``text`` is the fingerprint of its text. Paper: lr 1e-3."""

    text: str
    steps: int
    batch: int
    tokens: int
    lr: float
    seed: int
    save_every: int

    def batch_of(self, stream_N: Tensor, step: int) -> Tensor:
        """Returns the ids of a step, [batch, tokens], windows at random places. Raises ModelError for a short text."""
        if len(stream_N) < self.tokens:
            raise ModelError(f"the text has {len(stream_N)} tokens, fewer than the {self.tokens} of a sequence")
        generator = torch.Generator().manual_seed((self.seed << 32) + step)
        starts = torch.randint(len(stream_N) - self.tokens + 1, (self.batch, 1), generator=generator)
        return stream_N[starts + torch.arange(self.tokens)]


def warm_up(
    model: DsaModel, stream_N: Tensor, settings: WarmUp, state: Path, report: Callable[[int, float], None]
) -> list[float]:
    """Trains the indexers of ``model`` in place; returns every step's loss, the mean KL over layers and tokens (nats).

    ``report`` is called with each step and its loss. Raises ModelError if ``state`` is of a run with other settings
    (only ``steps`` and ``save_every`` may change).
    """
    indexers = train_indexers_only(model)
    optimizer = torch.optim.Adam(indexers, lr=settings.lr)
    losses = _resume(state, settings, indexers, optimizer)
    device = indexers[0].device
    for step in range(len(losses), settings.steps):
        optimizer.zero_grad()
        loss_L = warm_up_loss(model, settings.batch_of(stream_N, step).to(device))
        loss_L.sum().backward()  # layers share no weights, so each layer's gradient is that of its own mean
        optimizer.step()
        losses.append(loss_L.mean().item())
        report(step, losses[-1])
        if len(losses) % settings.save_every == 0 or len(losses) == settings.steps:
            _save(state, settings, indexers, optimizer, losses)
    return losses


def _identity(settings: WarmUp) -> dict[str, object]:
    return {name: value for name, value in asdict(settings).items() if name not in ("steps", "save_every")}


def _save(
    state: Path, settings: WarmUp, indexers: list[torch.nn.Parameter], optimizer: torch.optim.Adam, losses: list[float]
) -> None:
    """Writes the state to a temporary file and renames it, so that a killed run keeps the older state."""
    weights = [weight.detach() for weight in indexers]
    value = {"settings": _identity(settings), "losses": losses, "indexers": weights, "adam": optimizer.state_dict()}
    state.parent.mkdir(parents=True, exist_ok=True)
    partial = state.with_name(state.name + ".partial")
    torch.save(value, partial)
    partial.replace(state)


def _resume(
    state: Path, settings: WarmUp, indexers: list[torch.nn.Parameter], optimizer: torch.optim.Adam
) -> list[float]:
    """Loads ``state`` and returns its losses, an empty list if there is no state."""
    if not state.exists():
        return []
    value = torch.load(state, map_location=indexers[0].device, weights_only=True)
    identity = _identity(settings)
    if changed := sorted(name for name in identity if value["settings"].get(name) != identity[name]):
        raise ModelError(f"{state} is the state of a run with other {', '.join(changed)}; remove it or choose another")
    with torch.no_grad():
        for weight, saved in zip(indexers, value["indexers"], strict=True):
            weight.copy_(saved)
    optimizer.load_state_dict(value["adam"])
    return value["losses"]
