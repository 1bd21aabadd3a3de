"""RMSNorm's backward pass against finite differences."""

import pytest

pytest.importorskip("torch")

import torch

from model.layers import RMSNorm


def test_gradients_of_the_norm() -> None:
    norm = RMSNorm(8, eps=1e-3).double()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 5, 8, dtype=torch.double, generator=generator, requires_grad=True)
    weight = torch.randn(8, dtype=torch.double, generator=generator, requires_grad=True)

    def normed(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(norm, {"weight": weight}, (x,))

    assert torch.autograd.gradcheck(normed, (x, weight))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_gradients_have_the_dtypes_of_their_inputs(dtype: torch.dtype) -> None:
    norm = RMSNorm(8).to(dtype)
    torch.nn.init.ones_(norm.weight)
    x = torch.ones(2, 8, dtype=dtype, requires_grad=True)
    norm(x).sum().backward()
    assert x.grad is not None
    assert norm.weight.grad is not None
    assert (norm(x).dtype, x.grad.dtype, norm.weight.grad.dtype) == (dtype, dtype, dtype)
