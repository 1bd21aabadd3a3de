"""The model as a whole: initialization, causality, heads, MTP, rotary embeddings."""

from collections.abc import Callable

import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from model import ModelError, new_model
from model.cache import Cache
from model.rope import rope_tables, rotate_first_half_split, rotate_interleaved
from model.training import mtp_losses
from tests.model.tiny import TINY, random_ids, tiny_model


def test_initialization_is_seeded_and_has_the_given_scale() -> None:
    one, same, other = (new_model(TINY, seed) for seed in (1, 1, 2))
    for name, weight in one.named_parameters():
        assert torch.equal(weight, same.get_parameter(name)), name
        if weight.dim() > 1:
            assert not torch.equal(weight, other.get_parameter(name)), name
            assert weight.std().item() == pytest.approx(TINY.initializer_range, rel=0.25), name
        else:
            assert weight.eq(0.0 if name.endswith("bias") else 1.0).all(), name
    assert all(buffer.eq(0).all() for buffer in one.buffers())


def trained(model: torch.nn.Module, loss_of: Callable[[], torch.Tensor]) -> list[float]:
    """Returns the losses of 25 steps of AdamW."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_new_model_learns() -> None:
    model, ids = tiny_model(initializer_range=0.05), random_ids(4, 24)

    def loss() -> torch.Tensor:
        return cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())

    losses = trained(model, loss)
    assert losses[-1] < losses[0] / 3


@torch.no_grad()
def test_later_tokens_do_not_affect_earlier_ones() -> None:
    model, ids = tiny_model(dtype=torch.float64), random_ids(1, 40)
    changed = ids.clone()
    changed[0, 25:] = (changed[0, 25:] + 1) % TINY.vocab_size
    torch.testing.assert_close(model(ids)[:, :25], model(changed)[:, :25])
    assert not torch.allclose(model(ids)[:, 25:], model(changed)[:, 25:])


def test_the_language_model_loss_has_no_gradient_for_the_indexer() -> None:
    model = tiny_model()
    model(random_ids(1, 20)).square().mean().backward()
    for name, weight in model.named_parameters():
        assert (weight.grad is None) == (".indexer." in name), name


def test_a_tied_head_is_the_embedding() -> None:
    model = tiny_model(tie_word_embeddings=True)
    hidden = torch.randn(1, 2, TINY.hidden_size)
    torch.testing.assert_close(model.logits(hidden), hidden @ model.model.embed_tokens.weight.T)
    assert model.lm_head is None


def test_each_mtp_layer_sees_exactly_one_more_token() -> None:
    model, ids = tiny_model(num_nextn_predict_layers=2, dtype=torch.float64), random_ids(1, 20)
    with torch.no_grad():
        before = model.mtp_logits(ids, model.hidden(ids))
        assert [logits.shape[1] for logits in before] == [19, 18]
        changed = ids.clone()
        changed[0, 11] = (changed[0, 11] + 1) % TINY.vocab_size
        after = model.mtp_logits(changed, model.hidden(changed))
    for depth in (0, 1):  # row i of layer d reads tokens up to i + d + 1
        first = 11 - depth - 1
        torch.testing.assert_close(before[depth][:, :first], after[depth][:, :first])
        assert not torch.allclose(before[depth][:, first], after[depth][:, first])
    with pytest.raises(ModelError, match="at least 3 tokens"):
        model.mtp_logits(ids[:, :2], model.hidden(ids[:, :2]))


def test_the_mtp_layer_learns_the_token_after_next() -> None:
    model, ids = tiny_model(num_nextn_predict_layers=1, initializer_range=0.05), random_ids(4, 24)

    def loss() -> torch.Tensor:
        (loss,) = mtp_losses(model, ids)[1]
        return loss

    losses = trained(model, loss)
    assert losses[-1] < losses[0] / 3


@torch.no_grad()
def test_an_mtp_layer_decodes_with_a_cache() -> None:
    model, ids = tiny_model(num_nextn_predict_layers=1, dtype=torch.float64), random_ids(1, 30)
    hidden, layer = model.hidden(ids), model.mtp[0]
    (whole,) = model.mtp_logits(ids, hidden)
    cache = Cache.contiguous(TINY, 1, 30, hidden).layers[0]
    for i in range(29):
        position = torch.tensor([[i]])
        rope = rope_tables(TINY, position)
        state = layer(hidden[:, i : i + 1], model.model.embed_tokens(ids[:, i + 1 : i + 2]), position, rope, cache)
        torch.testing.assert_close(model.logits(state)[:, 0], whole[:, i])


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 50))
def test_rotated_products_depend_only_on_the_distance(first: int, second: int, shift: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 2, 3, TINY.index_head_dim, generator=generator)

    def products(a: int, b: int) -> tuple[torch.Tensor, torch.Tensor]:
        rope = rope_tables(TINY, torch.tensor([[a, b]]))
        half = rotate_first_half_split(x, rope)
        pairs = rotate_interleaved(x[..., : TINY.qk_rope_head_dim], rope)
        return (half[:, 0] * half[:, 1]).sum(-1), (pairs[:, 0] * pairs[:, 1]).sum(-1)

    torch.testing.assert_close(products(first, second), products(first + shift, second + shift), rtol=0, atol=1e-3)


def test_the_layouts_of_the_two_rotations() -> None:
    rope = rope_tables(TINY, torch.tensor([[1]]))
    x = torch.zeros(1, 1, TINY.index_head_dim)
    x[..., 0] = 1.0
    assert rotate_interleaved(x[..., :8], rope).nonzero()[:, -1].tolist() == [0, 1]
    assert rotate_first_half_split(x, rope).nonzero()[:, -1].tolist() == [0, 4]
