"""The kernels on a GPU in bf16, at the sizes they are made for. Skipped where there is no CUDA device."""

from collections.abc import Iterator

import pytest

pytest.importorskip("torch")
pytest.importorskip("triton")

import torch

from kernels import dispatch, reference
from kernels.dispatch import IndexKeys
from tests.kernels.cases import (
    INDEXER_SHAPES,
    SHAPES,
    AttentionCase,
    attention_case,
    error_ratio,
    fp8_case,
    hard_rows,
    indexer_case,
    paged,
    score_rows,
    scoring,
)

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
LARGE = [
    (1, 130, 128, 5000, 2048, 512, 64),
    (2, 67, 16, 3001, 1000, 512, 64),
    (1, 70, 64, 2600, 600, 512, 64),
    (1, 99, 32, 700, 333, 192, 32),
]
HALF = 6e-3  # bf16 operands


@pytest.fixture(params=[False, True], ids=["atomic", "ordered"])
def mode(request: pytest.FixtureRequest) -> Iterator[bool]:
    torch.use_deterministic_algorithms(request.param)
    yield request.param
    torch.use_deterministic_algorithms(False)


def exact_inputs(case: AttentionCase) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return case.q_BSHD.float(), case.clean_BTD.float(), case.indices_BSK.clamp(min=-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [*SHAPES, *LARGE])
def test_prefill_and_decode(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    case = attention_case(shape, dtype, "cuda")
    bound = 1e-5 if dtype == torch.float32 else HALF
    exact = reference.sparse_mla(*exact_inputs(case), case.scale, case.latent)
    out = dispatch.sparse_mla(case.q_BSHD, case.poisoned_BTD, *case[3:])
    assert error_ratio(out, exact) < bound
    first = torch.arange(shape[0], device="cuda").view(-1, 1).int() * shape[3]
    indices = case.indices_BSK[:, 0]
    flat = torch.where(indices < 0, indices, indices + first)
    step = dispatch.sparse_mla_decode(case.q_BSHD[:, 0], case.poisoned_BTD.flatten(0, 1), flat, *case[4:])
    assert error_ratio(step, exact[:, 0]) < bound


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [*SHAPES, *LARGE])
def test_gradients(shape: tuple[int, ...], dtype: torch.dtype, mode: bool) -> None:
    case = attention_case(shape, dtype, "cuda")
    q, kv, indices = exact_inputs(case)
    exact = q.requires_grad_(), kv.requires_grad_()
    leaves = case.q_BSHD.requires_grad_(), case.poisoned_BTD.requires_grad_()
    out = dispatch.sparse_mla(*leaves, *case[3:])
    dout = torch.randn_like(out)
    actual = torch.autograd.grad(out, leaves, dout)
    torch.use_deterministic_algorithms(False)
    exact_grads = torch.autograd.grad(
        reference.sparse_mla(*exact, indices, case.scale, case.latent), exact, dout.float()
    )
    bound = 1e-5 if dtype == torch.float32 else 2 * HALF
    assert error_ratio(actual[0], exact_grads[0]) < bound
    assert error_ratio(actual[1], exact_grads[1]) < bound


@pytest.mark.parametrize("shape", [*INDEXER_SHAPES, (1, 333, 64, 4099, 128), (3, 1, 32, 9001, 128)])
def test_scores_and_selection(shape: tuple[int, ...]) -> None:
    case = indexer_case(shape, torch.bfloat16, "cuda")
    out = dispatch.index_scores(*case)
    exact = reference.index_scores(case[0], case[1].nan_to_num(), *case[2:])
    finite = exact > -torch.inf
    assert torch.equal(out > -torch.inf, finite)
    assert error_ratio(out[finite], exact[finite]) < 1e-4
    assert torch.equal(dispatch.index_topk(*case, 300), reference.select_topk(out, 300))


def test_scores_hold_no_negative_zero() -> None:
    q, k, w = -torch.ones(1, 9, 64, 128), torch.ones(1, 300, 128), -torch.ones(1, 9, 64)
    scores = dispatch.index_scores(q.cuda(), k.cuda(), w.cuda(), torch.full((1, 9), 299).cuda())
    assert scores.eq(0).all()
    assert not torch.signbit(scores).any()


def test_a_query_scores_alike_alone_and_among_others() -> None:
    case = indexer_case((1, 40, 64, 3000, 128), torch.bfloat16, "cuda")
    together = dispatch.index_scores(*case)
    for s in (0, 1, 17, 39):
        part = slice(s, s + 1)
        alone = dispatch.index_scores(case[0][:, part], case[1], case[2][:, part], case[3][:, part])
        assert torch.equal(alone[0, 0], together[0, s])


@pytest.mark.parametrize("tokens", [1, 37, 4096, 16384, 16385, 70001])
@pytest.mark.parametrize("k", [1, 2048])
def test_selection_is_the_reference_exactly(tokens: int, k: int) -> None:
    scores = score_rows(tokens, "cuda")
    assert torch.equal(dispatch.select_topk(scores, k), reference.select_topk(scores, k))


KINDS = [(False, 0), (False, 64), (True, 0), (True, 64)]  # FP8 or not; size of pages or 0


@pytest.mark.parametrize(("scaled", "page"), KINDS)
@pytest.mark.parametrize("shape", [*INDEXER_SHAPES, (1, 333, 64, 4099, 128), (3, 5, 32, 9001, 128)])
def test_scores_and_fused_selection_of_cached_keys(shape: tuple[int, ...], scaled: bool, page: int) -> None:
    case = indexer_case(shape, torch.bfloat16, "cuda")
    q, keys, w = fp8_case(case) if scaled else (case.q_BSJI, IndexKeys(case.k_BTI), case.w_BSJ)
    keys = paged(keys, page) if page else keys
    out = dispatch.index_scores(q, keys, w, case.positions_BS)
    exact = dispatch.index_scores(q if scaled else q.float(), keys, w, case.positions_BS, impl="reference")
    finite = exact > -torch.inf
    assert torch.equal(out > -torch.inf, finite)
    assert error_ratio(out[finite], exact[finite]) < (1e-3 if scaled else 1e-4)  # Hopper adds FP8 products in 14 bits
    expected = reference.select_topk(out, 300)
    for fused in (False, True, True, True):
        assert torch.equal(dispatch.index_topk(q, keys, w, case.positions_BS, 300, fused=fused), expected)


@pytest.mark.parametrize("tokens", [1, 37, 4096, 16385, 70001])
@pytest.mark.parametrize("k", [1, 2048])
def test_fused_selection_is_the_reference_exactly(tokens: int, k: int) -> None:
    rows = hard_rows(tokens, "cuda")
    out = dispatch.index_topk(*scoring(rows), k, fused=True)
    assert torch.equal(out, reference.select_topk(rows.unsqueeze(1), k))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [*SHAPES, *LARGE])
def test_decode_over_fp8_rows(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    case = attention_case(shape, dtype, "cuda")
    rows, query = dispatch.quantize_rows(case.poisoned_BTD[0], case.latent), case.q_BSHD[:1, 0]
    for chosen in (case.indices_BSK[:1, 0], case.indices_BSK[:1, 1]):
        out = dispatch.sparse_mla_decode_fp8(query, rows, chosen, *case[4:])
        exact = dispatch.sparse_mla_decode_fp8(query.float(), rows, chosen, *case[4:], impl="reference")
        assert error_ratio(out, exact) < (1e-5 if dtype == torch.float32 else HALF)


def test_a_sequence_decodes_alike_in_every_batch() -> None:
    case = attention_case((7, 2, 128, 5000, 2048, 512, 64), torch.bfloat16, "cuda")
    rows = case.clean_BTD[0]
    together = dispatch.sparse_mla_decode(case.q_BSHD[:, 0], rows, case.indices_BSK[:, 0], 0.1, 512)
    for b in range(7):
        part = slice(b, b + 1)
        alone = dispatch.sparse_mla_decode(case.q_BSHD[part, 0], rows, case.indices_BSK[part, 0], 0.1, 512)
        assert torch.equal(alone[0], together[b])


def test_twenty_reruns_are_equal_bit_by_bit() -> None:
    case = attention_case((1, 512, 128, 3000, 2048, 512, 64), torch.bfloat16, "cuda")
    leaves = case.q_BSHD.requires_grad_(), case.clean_BTD.requires_grad_()
    torch.use_deterministic_algorithms(True)
    try:
        runs = []
        for _ in range(20):
            out = dispatch.sparse_mla(*leaves, *case[3:])
            runs.append((out, *torch.autograd.grad(out, leaves, torch.ones_like(out))))
    finally:
        torch.use_deterministic_algorithms(False)
    for run in runs[1:]:
        assert all(torch.equal(actual, first) for actual, first in zip(run, runs[0], strict=True))


def test_under_torch_compile() -> None:
    case = attention_case(LARGE[2], torch.bfloat16, "cuda")
    leaves = case.q_BSHD.requires_grad_(), case.clean_BTD.requires_grad_()

    def loss(q: torch.Tensor, kv: torch.Tensor) -> torch.Tensor:
        return dispatch.sparse_mla(q * 0.5, kv, *case[3:]).float().square().sum()

    actual = torch.autograd.grad(torch.compile(loss, fullgraph=True)(*leaves), leaves)
    exact_grads = torch.autograd.grad(loss(*leaves), leaves)
    assert error_ratio(actual[0], exact_grads[0]) < 1e-2
    assert error_ratio(actual[1], exact_grads[1]) < 1e-2


@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "warmup"])
def test_the_loss_of_the_indexer(sparse: bool, mode: bool) -> None:
    shape = (2, 130, 16, 700, 300, 512, 64)
    case, index = (
        attention_case(shape, torch.bfloat16, "cuda"),
        indexer_case((2, 130, 64, 700, 128), torch.bfloat16, "cuda"),
    )
    lists = case.indices_BSK.clamp(min=-1) if sparse else None
    results = []
    impls: tuple[dispatch.Impl, ...] = ("triton", "reference")
    for impl in impls:
        number = torch.bfloat16 if impl == "triton" else torch.float32
        k = index.k_BTI.nan_to_num()
        leaves = dispatch.IndexInputs(*(x.to(number).requires_grad_() for x in (index.q_BSJI, k, index.w_BSJ.float())))
        attention = (case.q_BSHD.to(number), case.clean_BTD.to(number), index.positions_BS, case.scale)
        torch.use_deterministic_algorithms(mode and impl == "triton")
        loss = dispatch.indexer_kl(leaves, *attention, lists, impl=impl)
        results.append([loss.detach(), *torch.autograd.grad(loss, leaves)])
    for actual, exact_grads in zip(*results, strict=True):
        assert error_ratio(actual, exact_grads) < 2e-2
