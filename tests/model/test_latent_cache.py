"""Decoding with a cache has the logits of one pass over the whole sequence, ties included."""

import pytest

pytest.importorskip("torch")

import torch

from kernels import reference
from model.cache import Cache
from model.errors import ModelError
from model.indexer import Indexer
from model.transformer import DsaModel
from tests.model.tiny import random_ids, tiny_model


def cache_for(model: DsaModel, batch: int, capacity: int) -> Cache:
    return Cache.contiguous(model.config, batch, capacity, model.model.embed_tokens.weight)


@torch.no_grad()
def in_chunks(model: DsaModel, ids: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """Returns the logits of ``ids``, fed in chunks of ``sizes``."""
    cache, parts, start = cache_for(model, *ids.shape), [], 0
    for size in sizes:
        positions = torch.arange(start, start + size).expand(len(ids), -1)
        parts.append(model(ids[:, start : start + size], positions, cache))
        start += size
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("sizes", [[1] * 96, [40] + [1] * 56, [9, 30, 1, 1, 55]])
@pytest.mark.parametrize("heads", [1, 2, 16])  # one or two heads: every second or fourth score is an exact zero
def test_logits_with_a_cache_equal_those_without(sizes: list[int], heads: int) -> None:
    # In fp32 rounding grows with the weights: at 0.1 logits are of order 1, at 0.3 of order 10.
    for dtype, deviation, tolerance in ((torch.float32, 0.1, 1e-5), (torch.float64, 0.3, 1e-12)):
        model = tiny_model(dtype=dtype, index_n_heads=heads, initializer_range=deviation)
        ids = random_ids(2, 96)
        with torch.no_grad():
            whole = model(ids)
        torch.testing.assert_close(in_chunks(model, ids, sizes), whole, rtol=0, atol=tolerance)


def test_ties_do_occur_at_the_boundary() -> None:
    """Premise of the test above: the cases have ties at the boundary of the selection."""
    model, seen = tiny_model(index_n_heads=1), []
    score = reference.index_scores
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(reference, "index_scores", lambda *inputs: seen.append(score(*inputs)) or seen[-1])
        model(random_ids(2, 96))
    best = torch.stack(seen)[:, :, 9:].topk(9, dim=-1).values
    assert (best[..., 7] == best[..., 8]).float().mean() > 0.02


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_all_scores_equal(weight: float) -> None:
    model, ids = tiny_model(initializer_range=0.1), random_ids(2, 40)
    for indexer in (module for module in model.modules() if isinstance(module, Indexer)):
        torch.nn.init.constant_(indexer.weights_proj.weight, 0.0)
        torch.nn.init.constant_(indexer.wk.weight, weight)
    with torch.no_grad():
        whole = model(ids)
    torch.testing.assert_close(in_chunks(model, ids, [1] * 40), whole, rtol=0, atol=1e-5)


@torch.no_grad()
def test_sequences_of_unequal_length() -> None:
    model, ids, lengths = tiny_model(initializer_range=0.1), random_ids(2, 40), [25, 11]
    steps = torch.arange(25)
    positions = torch.stack([torch.where(steps < length, steps, -1) for length in lengths])
    cache = cache_for(model, 2, 40)
    prefill = model(ids[:, :25], positions, cache)
    for row, length in enumerate(lengths):
        alone = model(ids[row : row + 1, :length])
        torch.testing.assert_close(prefill[row : row + 1, :length], alone, rtol=0, atol=1e-5)
    at = torch.tensor(lengths)
    for step in range(10):
        new = ids.gather(1, (at + step).unsqueeze(1))
        logits = model(new, (at + step).unsqueeze(1), cache)
        for row, length in enumerate(lengths):
            whole = model(ids[row : row + 1, : length + step + 1])
            torch.testing.assert_close(logits[row, 0], whole[0, -1], rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_full_cache_is_an_error() -> None:
    model = tiny_model()
    with pytest.raises(ModelError, match="room for 4 tokens and 5 are needed"):
        model(random_ids(1, 5), torch.arange(5).unsqueeze(0), cache_for(model, 1, 4))


@torch.no_grad()
def test_invalid_input() -> None:
    model, ids = tiny_model(), random_ids(1, 5)
    for wrong in (ids[0], ids[:, :0]):
        with pytest.raises(ModelError, match=r"must be a nonempty \[batch, tokens\]"):
            model(wrong)
    with pytest.raises(ModelError, match="go together"):
        model(ids, torch.arange(5).unsqueeze(0))
