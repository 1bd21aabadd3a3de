"""The reference operations against naive loops that say what they mean."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

import torch

from kernels import dispatch, reference

INF = math.inf


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def naive_selection(row: list[float], k: int) -> list[int]:
    """Sort by falling score, then by rising index; take k, without -inf; give them in rising order."""
    order = sorted((i for i in range(len(row)) if row[i] > -INF), key=lambda i: (-row[i], i))
    chosen = sorted(order[:k])
    return chosen + [-1] * (min(k, len(row)) - len(chosen))


# Few values, so that rows are full of ties, and both zeros, which compare equal.
@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5, -INF]), min_size=1, max_size=30), st.integers(1, 35))
def test_selection_is_a_stable_sort(row: list[float], k: int) -> None:
    selected = dispatch.select_topk(torch.tensor([[row]]), k)
    assert selected.dtype == torch.int32
    assert selected[0, 0].tolist() == naive_selection(row, k)


def test_the_lowest_index_wins_on_the_plateau_of_zeros() -> None:
    scores = torch.zeros(1, 1, 500)
    scores[0, 0, 300] = 1.0
    scores[0, 0, :7] = -1.0
    assert dispatch.select_topk(scores, 4)[0, 0].tolist() == [7, 8, 9, 300]


def test_selection_is_causal_and_pads_short_rows() -> None:
    q, k, w = torch.randn(1, 6, 2, 4), torch.randn(1, 6, 4), torch.randn(1, 6, 2)
    positions = torch.tensor([[0, 1, 2, 3, 4, -1]])
    selected = dispatch.select_topk(dispatch.index_scores(q, k, w, positions), 4)
    assert selected[0, 0].tolist() == [0, -1, -1, -1]
    assert selected[0, 2].tolist() == [0, 1, 2, -1]
    assert selected[0, 5].tolist() == [-1] * 4


def naive_scores(q: torch.Tensor, k: torch.Tensor, w: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Equation 1, element by element."""
    out = torch.full((*q.shape[:2], k.shape[1]), -INF, dtype=q.dtype)
    for b, t, s in torch.cartesian_prod(*(torch.arange(n) for n in out.shape)).tolist():
        if s <= positions[b, t]:
            out[b, t, s] = sum(w[b, t, j] * torch.relu(q[b, t, j] @ k[b, s]) for j in range(q.shape[2]))
    return out


@pytest.mark.parametrize("chunk", [1, 40, 1 << 24])
def test_index_scores(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "CHUNK_ELEMENTS", chunk)
    generator = torch.Generator().manual_seed(0)
    q, k, w = (torch.randn(*s, generator=generator).double() for s in [(2, 5, 3, 4), (2, 7, 4), (2, 5, 3)])
    positions = torch.tensor([[2, 3, 4, 5, 6], [0, 1, 2, -1, -1]])
    torch.testing.assert_close(dispatch.index_scores(q, k, w, positions), naive_scores(q, k, w, positions))


@pytest.mark.parametrize("chunk", [1, 300, 1 << 24])
def test_selecting_in_blocks_is_selecting_at_once(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, w = (torch.randn(*s, generator=generator).double() for s in [(2, 30, 1, 4), (2, 30, 4), (2, 30, 1)])
    positions = torch.arange(30).expand(2, -1)
    expected = dispatch.select_topk(dispatch.index_scores(q, k, w, positions), 6)
    monkeypatch.setattr(reference, "CHUNK_ELEMENTS", chunk)
    assert torch.equal(dispatch.index_topk(q, k, w, positions, 6), expected)


def test_index_scores_hold_no_negative_zero() -> None:
    scores = dispatch.index_scores(
        -torch.ones(1, 1, 2, 4), torch.ones(1, 3, 4), -torch.ones(1, 1, 2), torch.tensor([[2]])
    )
    assert scores.tolist() == [[[0.0] * 3]]
    assert not torch.signbit(scores).any()


def naive_attention(
    q: torch.Tensor, kv: torch.Tensor, indices: torch.Tensor, scale: float, latent: int
) -> torch.Tensor:
    """Equation 2, one query and head at a time."""
    out = q.new_zeros(*q.shape[:3], latent)
    for b, s, h in torch.cartesian_prod(*(torch.arange(n) for n in q.shape[:3])).tolist():
        rows = kv[b, [i for i in indices[b, s].tolist() if i >= 0]]
        if len(rows):
            out[b, s, h] = torch.softmax(rows @ q[b, s, h] * scale, 0) @ rows[:, :latent]
    return out


def attention_inputs(
    tokens: int, dtype: torch.dtype = torch.float64
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, rows and a selection of 3 with padding and one empty row."""
    generator = torch.Generator().manual_seed(tokens)
    q, kv = torch.randn(2, 5, 3, 6, generator=generator), torch.randn(2, tokens, 6, generator=generator)
    indices = torch.stack([torch.randperm(tokens, generator=generator)[:3].sort().values for _ in range(10)])
    indices = indices.view(2, 5, 3).int()
    indices[0, 0] = -1
    indices[1, 2, 1:] = -1
    return q.to(dtype), kv.to(dtype), indices


@pytest.mark.parametrize("tokens", [3, 9, 12, 13, 40])  # both sides of the choice between masking and gathering
@pytest.mark.parametrize("chunk", [1, 1 << 24])
def test_sparse_mla(tokens: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "CHUNK_ELEMENTS", chunk)
    q, kv, indices = attention_inputs(tokens)
    torch.testing.assert_close(dispatch.sparse_mla(q, kv, indices, 0.3, 4), naive_attention(q, kv, indices, 0.3, 4))


@pytest.mark.parametrize("tokens", [9, 40])
def test_gradients_of_sparse_mla(tokens: int) -> None:
    q, kv, indices = attention_inputs(tokens)
    q.requires_grad_()
    kv.requires_grad_()
    actual = torch.autograd.grad(dispatch.sparse_mla(q, kv, indices, 0.3, 4).square().sum(), (q, kv))
    expected = torch.autograd.grad(naive_attention(q, kv, indices, 0.3, 4).square().sum(), (q, kv))
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("tokens", [9, 40])
def test_decode_over_flat_rows_is_prefill(tokens: int) -> None:
    q, kv, indices = attention_inputs(tokens)
    flat = torch.where(indices < 0, -1, indices + torch.tensor([0, tokens]).view(2, 1, 1))
    expected = dispatch.sparse_mla(q, kv, indices, 0.3, 4)
    for s in range(q.shape[1]):
        out = dispatch.sparse_mla_decode(q[:, s], kv.flatten(0, 1), flat[:, s], 0.3, 4)
        torch.testing.assert_close(out, expected[:, s])


@pytest.mark.parametrize("tokens", [9, 40])
def test_rows_that_nobody_selected_are_never_read(tokens: int) -> None:
    q, kv, indices = attention_inputs(tokens)
    unused = ~reference.membership(indices, tokens).any(1)
    poisoned = kv.masked_fill(unused.unsqueeze(-1), math.nan)
    torch.testing.assert_close(
        dispatch.sparse_mla(q, poisoned, indices, 0.3, 4), dispatch.sparse_mla(q, kv, indices, 0.3, 4)
    )
    empty = torch.full((2, 3), -1)
    assert dispatch.sparse_mla_decode(q[:, 0], torch.full((4, 6), math.nan), empty, 0.3, 4).eq(0).all()


def test_half_precision_is_computed_in_fp32() -> None:
    q, kv, indices = attention_inputs(9, torch.bfloat16)
    out = dispatch.sparse_mla(q, kv, indices, 0.3, 4)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, dispatch.sparse_mla(q.float(), kv.float(), indices, 0.3, 4).bfloat16())


def test_the_choice_of_implementation() -> None:
    scores = torch.zeros(1, 1, 3)
    assert torch.equal(dispatch.select_topk(scores, 2, impl="reference"), dispatch.select_topk(scores, 2))
    with pytest.raises(ValueError, match="not one of"):
        dispatch.select_topk(scores, 2, impl="cuda")  # pyright: ignore[reportArgumentType]


def test_a_preference_holds_for_a_while() -> None:
    scores = torch.zeros(1, 1, 3)
    with dispatch.preferring("cuda"):  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueError, match="'cuda' is not one of"):
            dispatch.select_topk(scores, 2)
        assert dispatch.select_topk(scores, 2, impl="reference").tolist() == [[[0, 1]]]
    assert dispatch.select_topk(scores, 2).tolist() == [[[0, 1]]]


def test_the_choice_breaks_no_graph() -> None:
    scores = torch.randn(1, 2, 9)
    compiled = torch.compile(dispatch.select_topk, backend="eager", fullgraph=True)
    assert torch.equal(compiled(scores, 4), reference.select_topk(scores, 4))


def test_nothing_here_loads_triton() -> None:
    call = "kernels.dispatch.select_topk(torch.zeros(1, 1, 3), 2)"
    code = f"import sys, torch, kernels.dispatch; {call}; print('triton' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
