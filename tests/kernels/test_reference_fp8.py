"""FP8 and paged keys, and FP8 rows, in the reference: layout, rules at the edges, and what the quantization costs."""

import math

import pytest

pytest.importorskip("torch")

import torch

from kernels import dispatch, reference, reference_fp8
from kernels.dispatch import IndexKeys
from kernels.reference_cache import as_keys
from tests.kernels.cases import attention_case, error_ratio, fp8_case, indexer_case, paged

EXTREMES = [0.0, 448.0, -448.0, 1e-30, 3e38, 2.0**-9, 1.0]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_the_row_of_deepseek() -> None:
    """512 e4m3 numbers, four fp32 scales, 64 bf16 numbers: 656 bytes."""
    rows = torch.randn(3, 576, generator=torch.Generator().manual_seed(0))
    stored = reference_fp8.quantize_rows(rows, 512)
    assert stored.shape == (3, 656)
    scales = stored[:, 512:528].contiguous().view(torch.float32)
    torch.testing.assert_close(scales, rows[:, :512].unflatten(1, (4, 128)).abs().amax(-1) / 448)
    assert torch.equal(stored[:, 528:].contiguous().view(torch.bfloat16), rows[:, 512:].bfloat16())
    numbers = stored[:, :512].contiguous().view(torch.float8_e4m3fn).float()
    assert torch.equal(numbers.abs().unflatten(1, (4, 128)).amax(-1), torch.full((3, 4), 448.0))


@pytest.mark.parametrize(("latent", "rope", "size"), [(192, 32, 192 + 16 + 64), (64, 16, 64 + 16 + 32), (24, 10, 80)])
def test_rows_of_other_widths(latent: int, rope: int, size: int) -> None:
    rows = torch.randn(2, 5, latent + rope, generator=torch.Generator().manual_seed(latent))
    stored = reference_fp8.quantize_rows(rows, latent)
    assert stored.shape == (2, 5, size)
    back = reference_fp8.dequantize_rows(stored, latent, rope)
    assert torch.equal(back[..., latent:], rows[..., latent:].bfloat16().float())
    groups = rows[..., :latent].split(128, -1)
    for part, restored in zip(groups, back[..., :latent].split(128, -1), strict=True):
        # Half a unit in the last of 4 bits, or of the smallest step there is.
        bound = torch.maximum(part.abs() / 16, part.abs().amax(-1, keepdim=True) / 448 * 2.0**-10)
        assert (restored - part).abs().le(bound * 1.001).all()


def test_extreme_rows_keep_their_scale() -> None:
    numbers, scale = reference_fp8.quantize(torch.tensor([[x, x / 2] for x in EXTREMES]))
    restored = numbers.float() * scale.unsqueeze(-1)
    torch.testing.assert_close(restored, torch.tensor([[x, x / 2] for x in EXTREMES]), rtol=1e-6, atol=0.0)
    numbers, scale = reference_fp8.quantize(torch.tensor([[1.0, math.nan], [math.inf, 1.0]]))
    assert scale.isnan().all()
    assert not numbers.float().isnan().any()


def test_pages_are_the_keys_in_order() -> None:
    case = indexer_case((2, 3, 12, 77, 20))
    for scaled in (False, True):
        q, keys, w = fp8_case(case) if scaled else (case.q_BSJI, IndexKeys(case.k_BTI), case.w_BSJ)
        pool = paged(keys, 7)
        expected = dispatch.index_scores(q, keys, w, case.positions_BS)
        assert torch.equal(dispatch.index_scores(q, pool, w, case.positions_BS), expected)
        chosen = dispatch.index_topk(q, pool, w, case.positions_BS, 9)
        assert torch.equal(chosen, dispatch.select_topk(expected, 9))


def test_tokens_on_no_page_are_never_selected() -> None:
    q, k, w = torch.ones(1, 1, 2, 4), torch.ones(3, 2, 4), torch.ones(1, 1, 2)
    k[2] = math.nan
    keys = IndexKeys(k, table_BP=torch.tensor([[1, -1, 0, 3]]))
    scores = dispatch.index_scores(q, keys, w, torch.tensor([[7]]))
    assert scores[0, 0].tolist() == [8.0, 8.0, -math.inf, -math.inf, 8.0, 8.0, -math.inf, -math.inf]
    assert dispatch.index_topk(q, keys, w, torch.tensor([[7]]), 8)[0, 0].tolist() == [0, 1, 4, 5, -1, -1, -1, -1]


def test_nan_scores_are_never_selected() -> None:
    scores = torch.tensor([[[math.nan, 1.0, -math.nan, 3.0, 2.0]]])
    assert dispatch.select_topk(scores, 2)[0, 0].tolist() == [3, 4]
    assert dispatch.select_topk(scores, 5)[0, 0].tolist() == [1, 3, 4, -1, -1]


def test_scores_of_fp8_are_those_of_the_numbers_that_it_holds() -> None:
    case = indexer_case((1, 5, 64, 300, 128))
    q, keys, w = fp8_case(case)
    assert keys.scales is not None
    actual = dispatch.index_scores(q, keys, w, case.positions_BS)
    k = keys.rows.double() * keys.scales.double().unsqueeze(-1)
    exact = reference.index_scores(q.double(), k, w.double(), case.positions_BS)
    finite = exact > -math.inf
    assert torch.equal(actual > -math.inf, finite)
    assert error_ratio(actual[finite], exact[finite]) < 1e-6


def test_what_fp8_costs() -> None:
    """Errors against fp64 of the unquantized inputs, beside bf16's: normal numbers, DeepSeek's widths."""
    case = indexer_case((1, 5, 64, 300, 128))
    exact = reference.index_scores(case.q_BSJI.double(), case.k_BTI.double(), case.w_BSJ.double(), case.positions_BS)
    finite = exact > -math.inf
    half = reference.index_scores(case.q_BSJI.bfloat16(), case.k_BTI.bfloat16(), case.w_BSJ, case.positions_BS)
    eighth = dispatch.index_scores(*fp8_case(case), case.positions_BS)
    errors = {"scores": (error_ratio(half[finite], exact[finite]), error_ratio(eighth[finite], exact[finite]))}
    case = attention_case((1, 3, 20, 97, 67, 512, 64))
    query, rows, chosen = case.q_BSHD[:, 0], case.clean_BTD[0], case.indices_BSK[:, 0]
    exact = reference.sparse_mla_decode(query.double(), rows.double(), chosen, case.scale, 512)
    half = reference.sparse_mla_decode(query, rows.bfloat16(), chosen, case.scale, 512)
    eighth = dispatch.sparse_mla_decode_fp8(query, dispatch.quantize_rows(rows, 512), chosen, case.scale, 512)
    errors["decode"] = error_ratio(half, exact), error_ratio(eighth, exact)
    for name, (bf16, fp8) in errors.items():
        print(f"{name}: error {bf16:.2e} in bf16, {fp8:.2e} in FP8")
        assert bf16 < 5e-3
        assert fp8 < 5e-2


def test_decoding_reads_named_rows_alone() -> None:
    case = attention_case((2, 2, 9, 50, 33, 192, 32))
    stored = dispatch.quantize_rows(case.poisoned_BTD, 192)
    exact = reference_fp8.dequantize_rows(stored, 192, 32)
    for b in range(2):
        query, chosen = case.q_BSHD[b : b + 1, 0], case.indices_BSK[b : b + 1, 0].clone()
        expected = reference.sparse_mla_decode(query, exact[b], chosen, case.scale, 192)
        chosen[chosen == -1] = 50
        out = dispatch.sparse_mla_decode_fp8(query, stored[b], chosen, case.scale, 192)
        torch.testing.assert_close(out, expected)
    nothing = torch.full((1, 3), -1)
    assert dispatch.sparse_mla_decode_fp8(case.q_BSHD[:1, 0], stored[1], nothing, case.scale, 192).eq(0).all()


def test_what_is_refused() -> None:
    with pytest.raises(TypeError, match="have scales"):
        as_keys(torch.zeros(1, 2, 4).to(torch.float8_e4m3fn))
    with pytest.raises(TypeError, match="have scales"):
        as_keys(IndexKeys(torch.zeros(1, 2, 4), torch.ones(1, 2)))
    with pytest.raises(ValueError, match=r"are 656 of torch\.uint8, not 576 of torch\.uint8"):
        reference_fp8.fields(torch.zeros(1, 576, dtype=torch.uint8), 512, 64)
