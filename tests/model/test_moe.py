"""Mixture of experts: routing against a naive loop over tokens, and load balancing."""

from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch.nn.functional import linear, silu

from model.balance import count_load, update_biases
from model.layers import FeedForward
from model.moe import MixtureOfExperts
from tests.model.tiny import TINY, random_ids, tiny_model


def mixture(**changes: Any) -> MixtureOfExperts:
    """Returns a mixture-of-experts layer with random weights and biases in fp64."""
    model = tiny_model(dtype=torch.float64, **changes)
    return next(module for module in model.modules() if isinstance(module, MixtureOfExperts))


def naive(moe: MixtureOfExperts, x: torch.Tensor) -> torch.Tensor:
    """Computes one token by DeepSeek-V3, equations 12 to 16, with group-limited routing."""
    config, gate = moe.gate.config, moe.gate
    scores = torch.sigmoid(gate.weight @ x)
    choice = (scores + gate.e_score_correction_bias).tolist()
    size = config.n_routed_experts // config.n_group
    groups = [range(g * size, (g + 1) * size) for g in range(config.n_group)]
    groups.sort(key=lambda group: -sum(sorted(choice[e] for e in group)[-2:]))
    allowed = [e for group in groups[: config.topk_group] for e in group]
    chosen = sorted(allowed, key=lambda e: -choice[e])[: config.num_experts_per_tok]
    total = sum(scores[e] for e in chosen) if config.norm_topk_prob else 1.0
    out = torch.zeros_like(x) if moe.shared_experts is None else moe.shared_experts(x)
    for e in chosen:
        gated, up = linear(x, moe.experts.gate_up_proj[e]).chunk(2)
        out = out + config.routed_scaling_factor * scores[e] / total * linear(
            silu(gated) * up, moe.experts.down_proj[e]
        )
    return out


SETTINGS: list[dict[str, Any]] = [
    {},
    {"n_group": 1, "topk_group": 1},
    {"n_group": 2, "topk_group": 1, "norm_topk_prob": False},
    {"n_group": 4, "topk_group": 4, "num_experts_per_tok": 8},
    {"n_shared_experts": 0, "num_experts_per_tok": 1},
    {"n_shared_experts": 3, "routed_scaling_factor": 0.5},
]


@pytest.mark.parametrize("changes", SETTINGS)
def test_each_way_of_computing_experts_agrees(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    moe = mixture(**changes)
    x = torch.randn(1, 23, TINY.hidden_size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    together = moe(x)
    monkeypatch.setattr("model.moe.SMALL", 0)
    torch.testing.assert_close(moe(x), together)
    moe, x = moe.bfloat16(), x.bfloat16().requires_grad_()
    (one_by_one := moe(x)).float().square().sum().backward()
    expected, x.grad = x.grad, None
    monkeypatch.setattr("model.moe.GROUPED_ON", ("cpu",))
    (grouped := moe(x)).float().square().sum().backward()
    torch.testing.assert_close(grouped, one_by_one, rtol=0.05, atol=0.05)
    assert expected is not None
    torch.testing.assert_close(x.grad, expected, rtol=0.05, atol=0.05 * expected.abs().max().item())


@pytest.mark.parametrize("changes", SETTINGS)
def test_outputs_equal_a_loop_over_tokens(changes: dict[str, Any]) -> None:
    moe = mixture(**changes)
    x = torch.randn(2, 9, TINY.hidden_size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([naive(moe, token) for token in x.flatten(0, 1)]).view_as(x)
    torch.testing.assert_close(moe(x), expected)


def test_gradients_equal_those_of_the_loop() -> None:
    moe = mixture()
    x = torch.randn(1, 9, TINY.hidden_size, dtype=torch.float64, requires_grad=True)
    weights = [x, *moe.parameters()]
    actual = torch.autograd.grad(moe(x).square().sum(), weights)
    loop = torch.stack([naive(moe, token) for token in x[0]])
    expected = torch.autograd.grad(loop.square().sum(), weights)
    torch.testing.assert_close(actual, expected)


def test_the_bias_affects_the_choice_but_not_the_weights() -> None:
    moe = mixture(n_group=1, topk_group=1, n_shared_experts=0)
    x = torch.randn(4, TINY.hidden_size, dtype=torch.float64)
    weights, experts = moe.gate(x)
    moe.gate.e_score_correction_bias.add_(5.0)  # the same for all experts: neither choice nor weights may change
    again, same = moe.gate(x)
    assert torch.equal(experts, same)
    torch.testing.assert_close(weights, again, rtol=0, atol=0)
    moe.gate.e_score_correction_bias[6] += 50.0
    assert (moe.gate(x)[1][:, 0] == 6).all()


def test_equal_experts_are_taken_in_order() -> None:
    moe = mixture(n_group=2, topk_group=1)
    moe.gate.e_score_correction_bias.zero_()
    torch.nn.init.zeros_(moe.gate.weight)
    assert moe.gate(torch.randn(3, TINY.hidden_size).double())[1].tolist() == [[0, 1, 2]] * 3


def test_dense_layers_come_first() -> None:
    kinds = [type(layer.mlp) for layer in tiny_model(first_k_dense_replace=2).model.layers]
    assert kinds == [FeedForward, FeedForward, MixtureOfExperts]


@torch.no_grad()
def test_load_is_counted_and_moves_the_bias() -> None:
    model, ids = tiny_model(), random_ids(2, 50)
    with count_load(model) as loads:
        model(ids)
        model(ids)
    model(ids)  # nothing is counted outside the block
    assert set(loads) == {"model.layers.1.mlp.gate", "model.layers.2.mlp.gate"}
    for name, load in loads.items():
        assert load.sum() == 2 * ids.numel() * TINY.num_experts_per_tok
        gate = model.get_submodule(name)
        before = gate.get_buffer("e_score_correction_bias").clone()
        update_biases(model, {name: load}, speed=0.25)
        moved = gate.get_buffer("e_score_correction_bias") - before
        mean = load.float().mean()
        expected = torch.where(load < mean, 0.25, torch.where(load > mean, -0.25, 0.0))
        torch.testing.assert_close(moved, expected)


@torch.no_grad()
def test_moving_the_bias_balances_the_load() -> None:
    model, ids = tiny_model(n_group=1, topk_group=1), random_ids(4, 60)

    def excess() -> float:
        with count_load(model) as loads:
            model(ids)
        update_biases(model, loads, speed=0.02)
        return max((load.max() / load.float().mean()).item() for load in loads.values())

    before = excess()
    for _ in range(59):
        excess()
    assert before > 1.5
    assert excess() < 1.25
