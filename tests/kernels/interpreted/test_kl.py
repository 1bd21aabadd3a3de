"""The indexer's loss of both training stages and its gradients against the reference in fp64."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from kernels import dispatch, reference_kl
from kernels.dispatch import IndexInputs
from kernels.fast import configs, ops
from tests.kernels.cases import SHAPES, attention_case, error_ratio

torch.set_num_threads(1)


@pytest.fixture(params=[False, True], ids=["atomic", "ordered"])
def mode(request: pytest.FixtureRequest) -> Iterator[bool]:
    torch.use_deterministic_algorithms(request.param)
    yield request.param
    torch.use_deterministic_algorithms(False)


def inputs(
    shape: tuple[int, ...], heads: int, width: int
) -> tuple[IndexInputs, tuple[Tensor, Tensor, Tensor, float], Tensor]:
    """Indexer inputs, the attention's, and lists; the last query of each sequence has no token at all."""
    batch, queries, _, tokens, *_ = shape
    generator = torch.Generator().manual_seed(tokens)
    index = IndexInputs(
        *(
            torch.randn(*size, generator=generator)
            for size in [(batch, queries, heads, width), (batch, tokens, width), (batch, queries, heads)]
        )
    )
    case = attention_case(shape)
    positions = torch.randint(tokens, (batch, queries), generator=generator)
    positions[:, -1] = -1
    return index, (case.q_BSHD, case.clean_BTD, positions, case.scale), case.indices_BSK.clamp(min=-1)


def loss_and_gradients(
    index: IndexInputs, attention: tuple[Tensor, Tensor, Tensor, float], indices: Tensor | None, impl: dispatch.Impl
) -> list[Tensor]:
    leaves = IndexInputs(*(tensor.requires_grad_() for tensor in index))
    loss = dispatch.indexer_kl(leaves, *attention, indices, impl=impl)
    return [loss.detach(), *torch.autograd.grad(loss * 0.5, leaves)]


@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "warmup"])
@pytest.mark.parametrize(
    ("shape", "heads", "width", "scratch"),
    [(SHAPES[0], 64, 128, 1 << 30), (SHAPES[1], 5, 20, 1), (SHAPES[3], 2, 16, 3000)],
)
def test_loss_and_gradients(
    shape: tuple[int, ...],
    heads: int,
    width: int,
    scratch: int,
    sparse: bool,
    mode: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(configs, "SCRATCH_BYTES", scratch)
    index, (q, kv, positions, scale), lists = inputs(shape, heads, width)
    indices = lists if sparse else None
    actual = loss_and_gradients(index, (q, kv, positions, scale), indices, "triton")
    exact = IndexInputs(*(tensor.detach().double() for tensor in index))
    expected = loss_and_gradients(exact, (q.double(), kv.double(), positions, scale), indices, "reference")
    for one, other in zip(actual, expected, strict=True):
        assert error_ratio(one, other) < 5e-6


def test_the_operator_serves_compilers() -> None:
    index, (q, kv, positions, scale), lists = inputs(SHAPES[3], 2, 16)
    arguments = (*(tensor.requires_grad_() for tensor in index), q, kv, positions, scale, lists)
    torch.library.opcheck(ops._indexer_kl, arguments)
    loss = reference_kl.indexer_kl(index, q, kv, positions, scale, lists)
    assert torch.allclose(ops.indexer_kl(index, q, kv, positions, scale, lists), loss)
