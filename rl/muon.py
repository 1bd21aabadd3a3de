"""Muon optimizer: Muon for matrices, AdamW for the rest.

Muon moves a matrix along its momentum made orthogonal, U V^T of its singular value decomposition, by five steps of a
Newton-Schulz iteration (Jordan et al., 2024, kellerjordan.github.io/posts/muon). The step is scaled to the size of
AdamW's, 0.2 sqrt(longer side), so that one learning rate serves both (Liu et al., arXiv 2502.16982, equation 4).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer
from typing_extensions import override

from rl.parallel import whole

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of Jordan's iteration: fast, to singular values within 0.7 and 1.2
ITERATIONS = 5
MOMENTUM = 0.95


class Muon(Optimizer):
    """Updates groups with ``orthogonal`` (matrices, or stacks of them) by Muon, and the others by AdamW."""

    def __init__(self, groups: Iterable[dict[str, Any]], betas: tuple[float, float], eps: float) -> None:
        super().__init__(groups, {"betas": betas, "eps": eps, "weight_decay": 0.0, "orthogonal": False})

    @torch.no_grad()
    @override
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Updates every weight that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    update = self._muon(weight) if group["orthogonal"] else self._adamw(weight, group)
                    weight.add_(update, alpha=-group["lr"])

    def _muon(self, weight: nn.Parameter) -> Tensor:
        state, gradient = self.state[weight], weight.grad
        assert gradient is not None
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].mul_(MOMENTUM).add_(gradient)
        # Nesterov momentum. A sharded one is gathered: the singular values are those of the whole matrix.
        ahead = orthogonal(whole(gradient + MOMENTUM * state["momentum"]))
        change = 0.2 * max(weight.shape[-2:]) ** 0.5 * ahead
        if isinstance(weight, DTensor):
            return distribute_tensor(change, weight.device_mesh, weight.placements)
        return change

    def _adamw(self, weight: nn.Parameter, group: dict[str, Any]) -> Tensor:
        """Kingma and Ba, algorithm 1, with the bias corrections on the sums."""
        state, gradient = self.state[weight], weight.grad
        assert gradient is not None
        if not state:
            state |= {"step": 0, "first": torch.zeros_like(weight), "second": torch.zeros_like(weight)}
        first_share, second_share = group["betas"]
        state["step"] += 1
        state["first"].lerp_(gradient, 1 - first_share)
        state["second"].mul_(second_share).addcmul_(gradient, gradient, value=1 - second_share)
        first = state["first"] / (1 - first_share ** state["step"])
        second = state["second"] / (1 - second_share ** state["step"])
        return first / (second.sqrt() + group["eps"])


def orthogonal(matrices: Tensor) -> Tensor:
    """Approximates U V^T of each matrix [..., rows, columns]: singular values become close to 1."""
    a, b, c = COEFFICIENTS
    wide = matrices if matrices.shape[-2] <= matrices.shape[-1] else matrices.mT
    wide = wide / (wide.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = wide @ wide.mT
        wide = a * wide + (b * gram + c * (gram @ gram)) @ wide
    return wide if matrices.shape[-2] <= matrices.shape[-1] else wide.mT
