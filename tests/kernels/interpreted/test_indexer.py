"""Indexer scores against the fp64 reference; selection against the reference exactly."""

import pytest
import torch
from torch.nn import functional

from kernels import dispatch, reference
from kernels.fast import configs, ops, topk
from tests.kernels.cases import INDEXER_SHAPES, error_ratio, indexer_case, score_rows

torch.set_num_threads(1)


@pytest.mark.parametrize("shape", INDEXER_SHAPES)
def test_scores(shape: tuple[int, ...]) -> None:
    case = indexer_case(shape)
    out = dispatch.index_scores(*case, impl="triton")
    exact = reference.index_scores(case[0].double(), case[1].nan_to_num().double(), *case[2:])
    finite = exact > -torch.inf
    assert torch.equal(out > -torch.inf, finite)
    assert error_ratio(out[finite], exact[finite]) < 1e-6


def test_scores_of_many_key_tiles_and_strided_inputs() -> None:
    case = indexer_case((1, 3, 2, 700, 16))
    q = case.q_BSJI.transpose(1, 2).contiguous().transpose(1, 2)
    k = torch.stack((case.k_BTI, case.k_BTI), 1)[:, 0]
    out = ops.index_scores(q, k, case.w_BSJ, torch.tensor([[699, 255, 256]]))
    exact = reference.index_scores(case.q_BSJI, case.k_BTI, case.w_BSJ, torch.tensor([[699, 255, 256]]))
    assert torch.equal(out == -torch.inf, exact == -torch.inf)
    torch.testing.assert_close(out, exact, equal_nan=True)


def test_scores_hold_no_negative_zero() -> None:
    scores = ops.index_scores(-torch.ones(1, 1, 2, 16), torch.ones(1, 3, 16), -torch.ones(1, 1, 2), torch.tensor([[2]]))
    assert scores.tolist() == [[[0.0] * 3]]
    assert not torch.signbit(scores).any()


# A row in registers; a longer one whose candidates suffice; one of which too many pass for the room.
@pytest.mark.parametrize(("in_registers", "candidates"), [(1 << 14, 0), (64, 4096), (64, 128)])
@pytest.mark.parametrize(("tokens", "k"), [(1, 1), (37, 8), (300, 299), (1000, 1), (1000, 64), (2500, 2048)])
def test_selection_is_the_reference_exactly(
    tokens: int, k: int, in_registers: int, candidates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configs, "ROWS_IN_REGISTERS", in_registers)
    monkeypatch.setattr(configs, "CANDIDATES", candidates)
    monkeypatch.setattr(configs, "LONG_ROW_BLOCK", 512)
    monkeypatch.setattr(configs, "SAMPLE", 512)
    scores = score_rows(tokens)
    out = dispatch.select_topk(scores, k, impl="triton")
    assert out.dtype == torch.int32
    assert torch.equal(out, reference.select_topk(scores, k))


@pytest.mark.parametrize(("in_registers", "candidates"), [(1 << 14, 0), (64, 4096), (64, 128)])
@pytest.mark.parametrize("k", [1, 64, 900])
def test_scores_of_later_tokens_are_not_read(
    k: int, in_registers: int, candidates: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configs, "ROWS_IN_REGISTERS", in_registers)
    monkeypatch.setattr(configs, "CANDIDATES", candidates)
    monkeypatch.setattr(configs, "LONG_ROW_BLOCK", 512)
    monkeypatch.setattr(configs, "SAMPLE", 512)
    positions = torch.tensor([[-1, 0, 5, 63, 64, 500, 998, 999]])
    later = torch.arange(1000) > positions.unsqueeze(-1)
    padded = functional.pad(score_rows(1000).masked_fill(later, torch.inf), (0, 8), value=torch.inf)
    out = topk.select_topk(padded[..., :1000], k, positions)
    assert torch.equal(out, reference.select_topk(score_rows(1000).masked_fill(later, -torch.inf), k))


def test_fewer_tokens_than_asked_for() -> None:
    scores = score_rows(5)
    assert torch.equal(ops.select_topk(scores, 9), reference.select_topk(scores, 9))


@pytest.mark.parametrize("scratch", [1, 1 << 30])
def test_selecting_in_parts_is_selecting_from_the_scores(scratch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configs, "SCRATCH_BYTES", scratch)
    case = indexer_case(INDEXER_SHAPES[1])
    chosen = dispatch.index_topk(*case, 9, impl="triton")
    assert torch.equal(chosen, reference.select_topk(ops.index_scores(*case), 9))


def test_the_operators_serve_compilers() -> None:
    case = indexer_case(INDEXER_SHAPES[2])
    torch.library.opcheck(ops._index_topk, (*case, 3, False, None, None))
    torch.library.opcheck(ops._index_scores, (*case, None, None), test_utils="test_faketensor")
    torch.library.opcheck(ops._select_topk, (score_rows(9), 3))
