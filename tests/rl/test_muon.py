"""Muon: orthogonal steps for matrices, AdamW's for the rest, against singular values and torch's own optimizers."""

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from rl.muon import MOMENTUM, Muon, orthogonal
from rl.optimizer import make_optimizer
from tests.rl.settings import optimizer_config
from tests.rl.small import small_module

pytestmark = pytest.mark.trains

CONFIG = optimizer_config(lr=0.01, kind="muon")


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4), (3, 5, 7), (1, 8)])
def test_a_step_is_nearly_orthogonal_in_the_directions_of_the_matrix(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = orthogonal(matrices)
    u, values, vh = torch.linalg.svd(matrices, full_matrices=False)
    # Jordan's coefficients leave singular values between about 0.7 and 1.2, and directions as they are.
    kept = values / values.norm(dim=-1, keepdim=True) > 0.02
    inner = torch.diagonal(u.mT @ found @ vh.mT, dim1=-2, dim2=-1)
    assert inner[kept].min() > 0.6
    assert inner[kept].max() < 1.3
    off = u.mT @ found @ vh.mT - torch.diag_embed(inner)
    assert off.abs().max() < 1e-4


def test_vectors_move_as_by_adamw() -> None:
    own_weight, torch_weight = (nn.Parameter(torch.linspace(-1, 1, 5)) for _ in range(2))
    settings = {"lr": 0.03, "weight_decay": 0.1}
    optimizers = (
        Muon([{"params": [own_weight], **settings}], (0.9, 0.95), 1e-8),
        torch.optim.AdamW([{"params": [torch_weight], **settings}], betas=(0.9, 0.95), eps=1e-8),
    )
    for step in range(6):
        for weight, optimizer in zip((own_weight, torch_weight), optimizers, strict=True):
            weight.grad = torch.sin(torch.arange(5.0) + step)
            optimizer.step()
    torch.testing.assert_close(own_weight, torch_weight)


def test_a_matrix_moves_as_by_torchs_muon() -> None:
    start, generator = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)), torch.Generator().manual_seed(2)
    own_weight, torch_weight = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    own = Muon([{"params": [own_weight], "lr": 0.01, "orthogonal": True}], (0.9, 0.95), 1e-8)
    # torch takes the mean of gradient and momentum where Jordan takes sums: the direction is the same.
    reference = torch.optim.Muon(
        [torch_weight], lr=0.01, weight_decay=0.0, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(4):
        own_weight.grad = torch.randn(6, 4, generator=generator)
        torch_weight.grad = own_weight.grad.clone()
        own.step()
        reference.step()
    moved, expected = (weight.detach() - start for weight in (own_weight, torch_weight))
    # torch iterates in bfloat16.
    assert torch.nn.functional.cosine_similarity(moved.flatten(), expected.flatten(), 0) > 0.99
    assert moved.norm().item() == pytest.approx(expected.norm().item(), rel=0.05)


def test_experts_move_each_as_a_matrix_and_lookups_by_adamw() -> None:
    module = small_module()
    optimizer = make_optimizer(module, CONFIG)
    by_weight = {weight: group["orthogonal"] for group in optimizer.param_groups for weight in group["params"]}
    kinds = {name: by_weight[weight] for name, weight in module.named_parameters()}
    assert kinds["model.layers.1.mlp.experts.gate_up_proj"]
    assert kinds["model.layers.0.self_attn.o_proj.weight"]
    assert not any(
        kinds[name] for name in kinds if "embed" in name or "indexer" in name or name.endswith("norm.weight")
    )
    weight = module.get_parameter("model.layers.1.mlp.experts.gate_up_proj")
    before = weight.detach().clone()
    weight.grad = torch.randn(weight.shape, dtype=weight.dtype, generator=torch.Generator().manual_seed(3))
    optimizer.step()
    values = torch.linalg.svdvals((weight.detach() - before) / (CONFIG.lr * 0.2 * max(weight.shape[-2:]) ** 0.5))
    assert values.min() > 0.4
    assert values.max() < 1.3
