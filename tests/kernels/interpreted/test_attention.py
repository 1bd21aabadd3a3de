"""Sparse MLA and its gradients against the fp64 reference."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from kernels import dispatch, reference
from kernels.fast import attention, configs, ops
from tests.kernels.cases import SHAPES, AttentionCase, attention_case, error_ratio

torch.set_num_threads(1)
EXACT = 2e-6  # fp32 sums against fp64


def expected(case: AttentionCase) -> torch.Tensor:
    q, kv = case.q_BSHD.double(), case.clean_BTD.double()
    return reference.sparse_mla(q, kv, case.indices_BSK.clamp(min=-1), case.scale, case.latent)


@pytest.mark.parametrize("shape", SHAPES)
def test_prefill(shape: tuple[int, ...]) -> None:
    case = attention_case(shape)
    out = dispatch.sparse_mla(case.q_BSHD, case.poisoned_BTD, *case[3:], impl="triton")
    assert error_ratio(out, expected(case)) < EXACT
    assert out[-1, -1].eq(0).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_decode_over_flat_rows(shape: tuple[int, ...]) -> None:
    case = attention_case(shape)
    batch, tokens = case.clean_BTD.shape[:2]
    first = (torch.arange(batch) * tokens).view(-1, 1, 1).int()
    flat = torch.where(case.indices_BSK < 0, case.indices_BSK, case.indices_BSK + first)
    rows = case.poisoned_BTD.flatten(0, 1)
    for s in range(2):
        out = dispatch.sparse_mla_decode(case.q_BSHD[:, s], rows, flat[:, s], *case[4:], impl="triton")
        assert error_ratio(out, expected(case)[:, s]) < EXACT


def test_a_sequence_decodes_alike_in_every_batch() -> None:
    case = attention_case((4, 2, 16, 80, 70, 64, 16))
    rows = case.clean_BTD[0]
    together = ops.sparse_mla_decode(case.q_BSHD[:, 0], rows, case.indices_BSK[:, 0], 0.1, 64)
    for b in range(4):
        alone = ops.sparse_mla_decode(case.q_BSHD[b : b + 1, 0], rows, case.indices_BSK[b : b + 1, 0], 0.1, 64)
        assert torch.equal(alone[0], together[b])


def test_indices_past_the_end_are_padding() -> None:
    case = attention_case(SHAPES[2])
    past = torch.where(case.indices_BSK == -1, case.clean_BTD.shape[1], case.indices_BSK)
    past[0, 0, -1] = torch.iinfo(torch.int32).max
    out = ops.sparse_mla(case.q_BSHD, case.poisoned_BTD, past, *case[4:])
    assert torch.equal(out, ops.sparse_mla(case.q_BSHD, case.poisoned_BTD, *case[3:]))


def test_inputs_need_not_be_contiguous() -> None:
    case = attention_case(SHAPES[1])
    q = case.q_BSHD.transpose(1, 2).contiguous().transpose(1, 2)
    kv = torch.cat((case.poisoned_BTD, torch.full_like(case.poisoned_BTD, torch.nan)), -1)[..., : q.shape[-1]]
    indices = case.indices_BSK.repeat_interleave(2, -1)[..., ::2]
    out = ops.sparse_mla(q, kv, indices, *case[4:])
    assert torch.equal(out, ops.sparse_mla(case.q_BSHD, case.poisoned_BTD, *case[3:]))


def test_half_precision() -> None:
    case = attention_case(SHAPES[2], torch.float16)
    out = ops.sparse_mla(case.q_BSHD, case.poisoned_BTD, *case[3:])
    assert out.dtype == torch.float16
    assert error_ratio(out, expected(case)) < 2e-3


@pytest.fixture(params=[False, True], ids=["atomic", "ordered"])
def mode(request: pytest.FixtureRequest) -> Iterator[bool]:
    torch.use_deterministic_algorithms(request.param)
    yield request.param
    torch.use_deterministic_algorithms(False)


# With 1 byte of scratch memory every query is a part of its own. From 16 heads on: queries are summed apart.
@pytest.mark.parametrize(
    ("shape", "scratch", "apart"),
    [(SHAPES[0], 1 << 30, 64), (SHAPES[1], 1, 64), *((s, 1 << 30, 64) for s in SHAPES[2:]), (SHAPES[0], 1 << 30, 16)],
)
def test_gradients(
    shape: tuple[int, ...], scratch: int, apart: int, mode: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configs, "SCRATCH_BYTES", scratch)
    monkeypatch.setattr(configs, "QUERY_SUM_FROM", apart)
    monkeypatch.setattr(configs, "QUERY_SUM", configs.FP32_ATTENTION)
    case = attention_case(shape)
    exact = AttentionCase(case.q_BSHD.double().requires_grad_(), case.clean_BTD.double().requires_grad_(), *case[2:])
    out = expected(exact)
    dout = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    grads = torch.autograd.grad(out, exact[:2], dout.double())
    leaves = case.q_BSHD.requires_grad_(), case.poisoned_BTD.requires_grad_()
    actual = torch.autograd.grad(ops.sparse_mla(*leaves, *case[3:]), leaves, dout)
    assert error_ratio(actual[0], grads[0]) < EXACT
    assert error_ratio(actual[1], grads[1]) < EXACT


def test_gradients_of_more_heads_than_are_contracted_at_once(mode: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    case = attention_case(SHAPES[2])
    leaves = case.q_BSHD.requires_grad_(), case.clean_BTD.requires_grad_()
    out = ops.sparse_mla(*leaves, *case[3:])
    at_once = torch.autograd.grad(out.square().sum(), leaves, retain_graph=True)
    monkeypatch.setattr("kernels.fast.backward.HEADS_AT_ONCE", 5)
    in_groups = torch.autograd.grad(out.square().sum(), leaves)
    assert error_ratio(in_groups[0], at_once[0]) < EXACT
    assert error_ratio(in_groups[1], at_once[1]) < EXACT


def test_the_operators_serve_compilers() -> None:
    case = attention_case(SHAPES[2])
    arguments = (case.q_BSHD.requires_grad_(), case.clean_BTD.requires_grad_(), *case[3:])
    torch.library.opcheck(ops._sparse_mla, arguments)

    def by_dispatch(*arguments: Any) -> torch.Tensor:
        return dispatch.sparse_mla(*arguments, impl="triton")

    compiled = torch.compile(by_dispatch, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(*arguments), ops.sparse_mla(*arguments))
    actual = torch.autograd.grad(compiled(*arguments).sum(), arguments[:2])
    expected = torch.autograd.grad(ops.sparse_mla(*arguments).sum(), arguments[:2])
    assert torch.equal(actual[0], expected[0])
    assert torch.equal(actual[1], expected[1])


def test_what_the_kernels_do_not_serve() -> None:
    case = attention_case(SHAPES[2])
    with pytest.raises(TypeError, match=r"not torch\.float64"):
        ops.sparse_mla(case.q_BSHD.double(), case.clean_BTD, *case[3:])
    with pytest.raises(ValueError, match="latents up to 512 wide, not 513"):
        attention.blocks(600, 513)
