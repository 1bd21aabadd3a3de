"""Indexer losses against naive dense formulas in fp64, the warm-up, and the losses of MTP layers."""

from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

from kernels import dispatch, reference
from kernels.dispatch import IndexInputs
from model import ModelError
from model.packed import pack
from model.training import mtp_losses, train_indexers_only, warm_up_loss
from model.transformer import DsaModel
from tests.model.tiny import TINY, random_ids, tiny_model

pytestmark = [pytest.mark.trains, pytest.mark.slow]

TOKENS, SCALE, TOPK = 21, 0.4, 5


def inputs() -> tuple[IndexInputs, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Indexer inputs that require gradients, queries, rows, and a selection with padding in the first rows."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, TOKENS, 3, 4), (2, TOKENS, 4), (2, TOKENS, 3), (2, TOKENS, 4, 6), (2, TOKENS, 6)]
    q, k, w, queries, rows = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes)
    index = IndexInputs(*(tensor.requires_grad_() for tensor in (q, k, w)))
    positions = torch.arange(TOKENS).expand(2, -1)
    return index, queries, rows, dispatch.index_topk(*index, positions, TOPK)


def naive_kl(
    index: IndexInputs, queries: torch.Tensor, rows: torch.Tensor, indices: torch.Tensor | None
) -> torch.Tensor:
    """Equations 3 and 4 with full matrices and autograd."""
    visible = torch.ones(TOKENS, TOKENS).tril().bool()
    if indices is not None:
        visible = reference.membership(indices, TOKENS)
    dots = torch.einsum("bsji,bti->bsjt", index.q_BSJI, index.k_BTI).relu()
    scores = torch.einsum("bsj,bsjt->bst", index.w_BSJ, dots).masked_fill(~visible, -1e30)
    logits = torch.einsum("bshd,btd->bhst", queries, rows) * SCALE
    visible_heads = visible if indices is None else visible.unsqueeze(1)
    p = logits.masked_fill(~visible_heads, -1e30).softmax(-1).sum(1)
    p = (p / p.sum(-1, keepdim=True)).detach()
    return (torch.xlogy(p, p) - p * scores.log_softmax(-1)).sum()


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("chunk", [1, 400, 1 << 24])
def test_loss_and_gradients(sparse: bool, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "CHUNK_ELEMENTS", chunk)
    index, queries, rows, selected = inputs()
    indices = selected if sparse else None
    positions = torch.arange(TOKENS).expand(2, -1)
    loss = dispatch.indexer_kl(index, queries, rows, positions, SCALE, indices)
    expected = naive_kl(index, queries, rows, indices)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(3 * loss, index), torch.autograd.grad(3 * expected, index))


def test_queries_without_tokens_add_nothing() -> None:
    index, queries, rows, indices = inputs()
    positions = torch.arange(TOKENS).expand(2, -1)
    first = IndexInputs(index.q_BSJI[:, :9], index.k_BTI, index.w_BSJ[:, :9])
    before = dispatch.indexer_kl(first, queries[:, :9], rows, positions[:, :9], SCALE, indices[:, :9])
    padded = torch.where(torch.arange(TOKENS).view(1, -1, 1) < 9, indices, -1)
    after = dispatch.indexer_kl(index, queries, rows, positions, SCALE, padded)
    torch.testing.assert_close(after, before)
    positions = torch.where(positions < 9, positions, -1)
    dense = dispatch.indexer_kl(index, queries, rows, positions, SCALE, None)
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(dense + after, index))


def test_no_square_matrix_is_kept_for_the_backward_pass() -> None:
    index, queries, rows, _ = inputs()
    loss: Any = dispatch.indexer_kl(index, queries, rows, torch.arange(TOKENS).expand(2, -1), SCALE, None)
    assert [tensor.shape for tensor in loss.grad_fn.saved_tensors] == [tensor.shape for tensor in index]


class Sizes(TorchDispatchMode):
    """Records the size of the largest tensor that any operation returns, in elements."""

    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and not func.is_view:
            self.largest = max(self.largest, out.numel())
        return out


@pytest.mark.parametrize("sparse", [False, True])
def test_no_tensor_is_larger_than_a_chunk(sparse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "CHUNK_ELEMENTS", 2 * TOKENS * 4 * 5)  # five queries of each sequence, four heads
    index, queries, rows, indices = inputs()
    with Sizes() as sizes:
        dispatch.indexer_kl(
            index, queries, rows, torch.arange(TOKENS).expand(2, -1), SCALE, indices if sparse else None
        )
    assert sizes.largest <= max(reference.CHUNK_ELEMENTS, queries.numel())


def gradients(model: DsaModel, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    """Nonzero gradient of every parameter that the loss depends on."""
    weights = dict(model.named_parameters())
    found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True, retain_graph=True)
    return {
        name: gradient for name, gradient in zip(weights, found, strict=True) if gradient is not None and gradient.any()
    }


def sparse_stage(model: DsaModel, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross entropy of the next token, and per layer the indexer's mean KL over the selected tokens."""
    hidden, indexer_L = model.packed(pack(ids.tolist()), "sparse")
    logits = model.logits(hidden.view(*ids.shape, -1))
    return cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()), indexer_L / ids.numel()


def test_gradients_of_model_and_indexer_are_separate() -> None:
    model, ids = tiny_model(dtype=torch.float64), random_ids(2, 30)
    language_model, indexer_L = sparse_stage(model, ids)
    assert indexer_L.shape == (TINY.num_hidden_layers,)
    for name in gradients(model, language_model):
        assert ".indexer." not in name
    indexers = {name for name, _ in model.named_parameters() if ".indexer." in name}
    assert gradients(model, indexer_L.sum()).keys() == indexers
    for layer, loss in enumerate(indexer_L):
        assert gradients(model, loss).keys() == {name for name in indexers if f"layers.{layer}." in name}


def test_packed_and_padded_forward_passes_have_the_same_language_model_loss() -> None:
    model, ids = tiny_model(dtype=torch.float64), random_ids(2, 30)
    packed = sparse_stage(model, ids)[0]
    padded = cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    torch.testing.assert_close(packed, padded)
    for name, gradient in gradients(model, padded).items():
        torch.testing.assert_close(gradients(model, packed)[name], gradient)


@pytest.mark.parametrize("block", [7, 256])
def test_the_warm_up_is_dense(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.packed_attention.DENSE_BLOCK", block)
    sparse, dense = (tiny_model(dtype=torch.float64, index_topk=topk) for topk in (4, 64))
    ids = random_ids(2, 30)
    # With top-k above the length all tokens are selected, and both stages have the same loss.
    torch.testing.assert_close(warm_up_loss(sparse, ids), sparse_stage(dense, ids)[1])
    expected = gradients(dense, sparse_stage(dense, ids)[1].sum())
    for name, gradient in gradients(sparse, warm_up_loss(sparse, ids).sum()).items():
        torch.testing.assert_close(gradient, expected.pop(name))
    assert not expected


def mean_kl(model: DsaModel, ids: torch.Tensor) -> float:
    """Mean KL of the warm-up over all layers."""
    with torch.no_grad():
        return warm_up_loss(model, ids).mean().item()


def test_warming_up_teaches_the_indexer_and_changes_nothing_else() -> None:
    changes: dict[str, Any] = {"index_n_heads": 8, "initializer_range": 0.15}
    model, before, ids = tiny_model(**changes), tiny_model(**changes), random_ids(4, 40)
    optimizer = torch.optim.Adam(train_indexers_only(model), lr=1e-2)
    start = mean_kl(model, ids)
    for _ in range(30):
        optimizer.zero_grad()
        warm_up_loss(model, ids).sum().backward()
        optimizer.step()
    assert mean_kl(model, ids) < 0.6 * start
    for name, weight in model.named_parameters():
        assert torch.equal(weight, before.get_parameter(name)) == (".indexer." not in name), name


@torch.no_grad()
def test_losses_of_mtp_layers() -> None:
    model, ids = tiny_model(dtype=torch.float64, num_nextn_predict_layers=2), random_ids(2, 12)
    main, mtp = mtp_losses(model, ids)
    torch.testing.assert_close(main, cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten()))
    for depth, logits in enumerate(model.mtp_logits(ids, model.hidden(ids))):
        rows = 12 - depth - 2  # rows whose target is in the sequence
        expected = cross_entropy(logits[:, :rows].flatten(0, 1), ids[:, depth + 2 :].flatten())
        torch.testing.assert_close(mtp[depth], expected)


def test_mtp_losses_need_a_layer_and_enough_tokens() -> None:
    with pytest.raises(ModelError, match="num_nextn_predict_layers"):
        mtp_losses(tiny_model(), random_ids(1, 8))
    with pytest.raises(ModelError, match="at least 3 tokens"):
        mtp_losses(tiny_model(num_nextn_predict_layers=1), random_ids(1, 2))
