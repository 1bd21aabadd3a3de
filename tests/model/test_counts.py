"""Counts compared with independent ones: torch's FLOP counter, sums by hand, and the published numbers."""

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch.utils.flop_counter import FlopCounterMode

from model import moe
from model.cache import Cache
from model.config_json import config_from_json
from model.counts import cache_bytes_per_token, count_parameters, token_flops, weight_bytes
from model.transformer import DsaModel
from tests.model.test_model_config import RELEASED
from tests.model.tiny import TINY, random_ids, tiny_model


@torch.no_grad()
def counted_by_torch(model: DsaModel, position: int) -> int:
    """FLOPs of decoding the token at ``position``, counted by torch."""
    ids, cache = random_ids(1, position + 1), Cache.contiguous(model.config, 1, 64, torch.zeros(()))
    if position:
        model(ids[:, :-1], torch.arange(position).unsqueeze(0), cache)
    with FlopCounterMode(display=False) as counter:
        model(ids[:, -1:], torch.tensor([[position]]), cache)
    return counter.get_total_flops()


CONVERTED: dict[str, Any] = {"latent_norm": False, "rope_groups": 2, "qk_nope_head_dim": 0, "q_lora_rank": None}


@pytest.mark.parametrize(
    "changes", [{}, {"tie_word_embeddings": True}, {"q_lora_rank": None, "n_shared_experts": 2}, CONVERTED]
)
@pytest.mark.parametrize("position", [0, 4, 7, 8, 50])
def test_flops_of_a_token(changes: dict[str, Any], position: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moe, "SMALL", 0)  # the small-batch path runs unchosen experts, which do not count
    model = tiny_model(**changes)
    assert token_flops(model, position).total == counted_by_torch(model, position)


def parameters_by_hand(tied: bool) -> tuple[int, int]:
    """Total and active parameters of TINY, by hand."""
    c = TINY
    query = c.hidden_size * 24 + 24 + 24 * 4 * 18
    latent = c.hidden_size * 24 + 16 + 16 * 4 * (10 + 12)
    indexer = 24 * 2 * 20 + c.hidden_size * 20 + 2 * 20 + c.hidden_size * 2
    layer = query + latent + 4 * 12 * c.hidden_size + indexer + 2 * c.hidden_size
    expert = 3 * c.hidden_size * 24
    gate = 8 * c.hidden_size
    rest = 3 * layer + 3 * c.hidden_size * 48 + c.hidden_size + 61 * c.hidden_size * (1 if tied else 2)
    return rest + 2 * (gate + 9 * expert), rest + 2 * (gate + 4 * expert)


@pytest.mark.parametrize("tied", [False, True])
def test_parameters(tied: bool) -> None:
    counted = count_parameters(tiny_model(tie_word_embeddings=tied))
    assert (counted.total, counted.active) == parameters_by_hand(tied)


def test_an_mtp_layer_adds_only_to_the_total() -> None:
    plain, more = count_parameters(tiny_model()), count_parameters(tiny_model(num_nextn_predict_layers=1))
    assert more.total > plain.total
    assert more.active == plain.active


def test_the_released_model_has_its_published_size() -> None:
    with torch.device("meta"):
        model = DsaModel(replace(config_from_json(RELEASED), num_nextn_predict_layers=0))
    counted = count_parameters(model)
    # 671 billion, 37 billion active per token (DeepSeek-V3, table 2), and 0.9 billion of the indexers.
    assert 671e9 < counted.total < 673e9
    assert 37e9 < counted.active < 39e9
    assert cache_bytes_per_token(model, 2) == 61 * (576 + 128) * 2


def test_bytes() -> None:
    wide, narrow = tiny_model(), tiny_model(dtype=torch.bfloat16)
    biases = 2 * 8
    total = count_parameters(wide).total
    in_fp32 = 3 * (2 * 20 + 2 * 32)
    assert weight_bytes(wide) == 4 * (total + biases)
    assert weight_bytes(narrow) == 2 * (total - in_fp32) + 4 * (in_fp32 + biases)
