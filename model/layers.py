"""Layers: linear, embedding, norms, feed-forward. A checkpoint or ``model.initialize`` fills their weights.

Shape suffixes: B batch, S tokens, M model width, F inner width.
"""

from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from typing_extensions import override

WIDE = (torch.float32, torch.float64)


class Linear(nn.Linear):
    """A linear map, by default without bias, and without torch's random initialization, which would be overwritten.

    The weight is stored transposed: products of a few rows in fp32, as in decoding on a CPU, then take between half and
    a sixth of the time, and no others take longer.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__(inputs, outputs, bias=bias)
        self.weight = nn.Parameter(torch.empty(inputs, outputs).T)

    @override
    def reset_parameters(self) -> None:
        pass


class Embedding(nn.Embedding):
    """Token embeddings without torch's random initialization."""

    @override
    def reset_parameters(self) -> None:
        pass


class RMSNorm(nn.Module):
    """x / rms(x) times the weight, computed in fp32 or fp64 and rounded once (arXiv 1910.07467)."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalizes [..., width]; shape and dtype stay."""
        # torch's rms_norm takes several times as long on a CPU, forward and backward.
        wide = x if x.dtype in WIDE else x.float()
        eps = _scalar(self.eps, wide.dtype, wide.device)
        if torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad):
            normed: Tensor = cast(Any, _Normed.apply(wide, self.weight.to(wide.dtype), eps))
        else:
            normed = wide * _inverse_rms(wide, eps) * self.weight
        return normed if x.dtype in WIDE else normed.to(x.dtype)


def _inverse_rms(x: Tensor, eps: Tensor) -> Tensor:
    """Returns 1 / rms(x) over the last axis, which is kept with length 1."""
    # One call, where adding and dividing by numbers of Python would copy each into a tensor.
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return torch.addcmul(eps, norm, norm, value=1 / x.shape[-1]).rsqrt_()


@cache
def _scalar(value: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Returns the number as a tensor, the same one for every call."""
    with torch.inference_mode(False):
        return torch.tensor(value, dtype=dtype, device=device)


class _Normed(torch.autograd.Function):
    """x / rms(x) times the weight; autograd's own backward would save and traverse twice as many tensors."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: Tensor) -> Tensor:
        scale = _inverse_rms(x, eps)
        ctx.save_for_backward(x, weight, scale)
        return x * scale * weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """With n = x scale: dn = grad weight, dx = scale (dn - n mean(n dn)), dweight = sum grad n."""
        (grad,), (x, weight, scale) = grad_outputs, ctx.saved_tensors
        product = grad * x
        grad_weight = (product * scale).flatten(0, -2).sum(0)
        along = (product @ weight).unsqueeze_(-1).mul_(scale.pow(3)).div_(-x.shape[-1])
        return torch.addcmul(grad.mul(weight).mul_(scale), x, along), grad_weight, None


class LayerNorm(nn.Module):
    """(x - mean) / deviation, affine, in fp32: the norm of the indexer's keys."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.bias = nn.Parameter(torch.empty(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalizes [..., width]; shape and dtype stay."""
        dtype = torch.promote_types(x.dtype, torch.float32)
        weight, bias = self.weight.to(dtype), self.bias.to(dtype)
        return functional.layer_norm(x.to(dtype), weight.shape, weight, bias, self.eps).to(x.dtype)


class FeedForward(nn.Module):
    """down(silu(gate x) * up x) (arXiv 2002.05202)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = Linear(width, inner)
        self.up_proj = Linear(width, inner)
        self.down_proj = Linear(inner, width)

    def forward(self, x_BSM: Tensor) -> Tensor:
        """Maps [..., M] to [..., M]."""
        return self.down_proj(functional.silu(self.gate_proj(x_BSM)) * self.up_proj(x_BSM))
