"""FP8 and paged keys, selection fused into the scores, and decoding over FP8 rows, against the reference."""

import pytest
import torch
from torch import Tensor

from kernels import dispatch, reference
from kernels.dispatch import IndexKeys
from kernels.fast import configs, fp8, fused, ops
from tests.kernels.cases import (
    INDEXER_SHAPES,
    SHAPES,
    IndexerCase,
    attention_case,
    error_ratio,
    fp8_case,
    hard_rows,
    indexer_case,
    paged,
    scoring,
)

torch.set_num_threads(1)
EXACT = 1e-6


@pytest.fixture(params=[True, False], ids=["e4m3", "bytes"])
def known(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """True: the kernels get e4m3 numbers; False: bytes, as on sm80 and sm86."""
    monkeypatch.setattr(configs, "knows_fp8", lambda _: request.param)
    return request.param


def arguments(case: IndexerCase, scaled: bool, page: int) -> tuple[Tensor, IndexKeys, Tensor, Tensor]:
    q, keys, w = fp8_case(case) if scaled else (case.q_BSJI, IndexKeys(case.k_BTI), case.w_BSJ)
    return q, paged(keys, page) if page else keys, w, case.positions_BS


@pytest.mark.parametrize(("scaled", "page"), [(False, 7), (True, 0), (True, 64)])
@pytest.mark.parametrize("shape", INDEXER_SHAPES)
def test_scores(shape: tuple[int, ...], scaled: bool, page: int, known: bool) -> None:
    q, keys, w, positions = arguments(indexer_case(shape), scaled, page)
    assert fp8.held(keys.rows).dtype == (keys.rows.dtype if known or not scaled else torch.uint8)
    q = q.transpose(1, 2).contiguous().transpose(1, 2)
    out = dispatch.index_scores(q, keys, w, positions, impl="triton")
    exact = dispatch.index_scores(q if scaled else q.double(), keys, w if scaled else w.double(), positions)
    finite = exact > -torch.inf
    assert torch.equal(out > -torch.inf, finite)
    assert error_ratio(out[finite], exact[finite]) < EXACT


def test_tokens_on_no_page_score_minus_infinity() -> None:
    q, k, w = torch.ones(1, 1, 2, 16), torch.ones(3, 2, 16), torch.ones(1, 1, 2)
    k[2] = torch.nan
    lowest, highest = torch.iinfo(torch.int32).min, torch.iinfo(torch.int32).max
    keys = IndexKeys(k, table_BP=torch.tensor([[1, -1, lowest, 0, 3, highest]], dtype=torch.int32))
    scores = ops.index_scores(q, keys, w, torch.tensor([[11]]))
    assert torch.equal(scores, dispatch.index_scores(q, keys, w, torch.tensor([[11]]), impl="reference"))
    assert scores.isfinite().sum() == 4


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks so short that lists are cut often, and one program for all."""
    monkeypatch.setattr(configs, "LONG_ROW_BLOCK", 64)
    monkeypatch.setattr(configs, "FUSED_PROGRAMS", 1)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("tokens", "k"), [(1, 1), (37, 64), (300, 1), (300, 65), (300, 299), (500, 64)])
def test_fused_selection_is_the_reference_exactly(tokens: int, k: int) -> None:
    rows = hard_rows(tokens)
    out = dispatch.index_topk(*scoring(rows), k, fused=True, impl="triton")
    assert out.dtype == torch.int32
    assert torch.equal(out, reference.select_topk(rows.unsqueeze(1), k))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("scaled", "page"), [(False, 0), (False, 7), (True, 0), (True, 64)])
@pytest.mark.parametrize("shape", INDEXER_SHAPES)
def test_fused_selection_is_that_of_the_scores(shape: tuple[int, ...], scaled: bool, page: int) -> None:
    case = arguments(indexer_case(shape), scaled, page)
    scores = ops.index_scores(*case)
    assert torch.equal(ops.index_topk(*case, 20, fused=True), reference.select_topk(scores, 20))
    assert torch.equal(ops.index_topk(*case, 20), reference.select_topk(scores, 20))


def test_a_list_without_room_is_selected_from_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configs, "ROWS_IN_REGISTERS", 2048)
    assert fused.room(9) == 0
    case = indexer_case(INDEXER_SHAPES[1])
    assert torch.equal(ops.index_topk(*case, 9, fused=True), ops.index_topk(*case, 9))


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("shape", SHAPES)
def test_decode(shape: tuple[int, ...]) -> None:
    case = attention_case(shape)
    rows_BTX = dispatch.quantize_rows(case.poisoned_BTD, case.latent)
    rows = torch.stack((rows_BTX, torch.full_like(rows_BTX, 255)), 2).flatten(0, 1)[:, 0]  # strided
    tokens = case.clean_BTD.shape[1]
    first = (torch.arange(shape[0]) * tokens).view(-1, 1).int()
    for s in range(2):
        chosen = case.indices_BSK[:, s]
        chosen = torch.where(chosen == -1, len(rows) + first, torch.where(chosen < 0, chosen, chosen + first))
        query = case.q_BSHD[:, s]
        out = dispatch.sparse_mla_decode_fp8(query, rows, chosen, *case[4:], impl="triton")
        exact = dispatch.sparse_mla_decode_fp8(query.double(), rows, chosen, *case[4:])
        assert error_ratio(out, exact) < EXACT


def test_a_sequence_decodes_alike_in_every_batch() -> None:
    case = attention_case((4, 2, 16, 80, 70, 64, 16), torch.float16)
    rows, chosen = dispatch.quantize_rows(case.clean_BTD[0], 64), case.indices_BSK[:, 0]
    together = ops.sparse_mla_decode_fp8(case.q_BSHD[:, 0], rows, chosen, 0.1, 64)
    assert together.dtype == torch.float16
    exact = dispatch.sparse_mla_decode_fp8(case.q_BSHD[:, 0].double(), rows, chosen, 0.1, 64)
    assert error_ratio(together, exact) < 2e-3
    for b in range(4):
        alone = ops.sparse_mla_decode_fp8(case.q_BSHD[b : b + 1, 0], rows, chosen[b : b + 1], 0.1, 64)
        assert torch.equal(alone[0], together[b])


def test_the_operators_serve_compilers() -> None:
    q, keys, w, positions = arguments(indexer_case(INDEXER_SHAPES[2]), True, 4)
    inputs = (q, keys.rows, w, positions)
    fake = "test_faketensor"
    torch.library.opcheck(ops._index_scores, (*inputs, keys.scales, keys.table_BP), test_utils=fake)
    torch.library.opcheck(ops._index_topk, (*inputs, 3, True, keys.scales, keys.table_BP), test_utils=fake)
    case = attention_case(SHAPES[3])
    rows = dispatch.quantize_rows(case.clean_BTD[0], case.latent)
    arguments_of_decode = (case.q_BSHD[:, 0], rows, case.indices_BSK[:, 0], *case[4:])
    torch.library.opcheck(ops._sparse_mla_decode_fp8, arguments_of_decode, test_utils=fake)


def test_what_the_kernels_do_not_serve() -> None:
    q, keys, w, positions = arguments(indexer_case(INDEXER_SHAPES[1]), True, 0)
    with pytest.raises(TypeError, match=r"are in torch\.float8_e4m3fn too, not torch\.float32"):
        ops.index_scores(q.float(), keys, w, positions)
    with pytest.raises(ValueError, match="latents up to 512 wide, not 600"):
        ops.sparse_mla_decode_fp8(torch.zeros(1, 1, 664), torch.zeros(1, 9), torch.zeros(1, 1).int(), 1.0, 600)
