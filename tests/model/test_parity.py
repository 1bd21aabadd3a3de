"""Parity of logits with transformers' DeepSeek models, through saved folders in both directions."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers", minversion="5.11")

import torch
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, DeepseekV32Config, DeepseekV32ForCausalLM

from kernels import reference
from model import load_pretrained, save_pretrained
from model.config import Yarn
from model.config_json import config_to_json
from model.names import checkpoint_tensors
from tests.model.tiny import random_ids, tiny_model

pytestmark = pytest.mark.slow

YARN: dict[str, Any] = {"yarn": Yarn(4.0, 64, mscale=1.0, mscale_all_dim=1.0)}
UNEQUAL_YARN: dict[str, Any] = {"yarn": Yarn(8.0, 32, 16.0, 2.0, mscale=0.7, mscale_all_dim=1.3)}
PLAIN_YARN: dict[str, Any] = {"yarn": Yarn(4.0, 64)}
ONE_GROUP: dict[str, Any] = {"n_group": 1, "topk_group": 1}
ALL_GROUPS: dict[str, Any] = {"n_group": 2, "topk_group": 2, "norm_topk_prob": False}
TWO_SHARED: dict[str, Any] = {"n_shared_experts": 2, "q_lora_rank": 40, "rms_norm_eps": 1e-5}
TIED: dict[str, Any] = {"tie_word_embeddings": True, "first_k_dense_replace": 3}
NO_DENSE: dict[str, Any] = {"first_k_dense_replace": 0, "qk_rope_head_dim": 12, "rope_theta": 500.0}
SETTINGS = [{}, YARN, UNEQUAL_YARN, PLAIN_YARN, ONE_GROUP, ALL_GROUPS, TWO_SHARED, TIED, NO_DENSE]
# With this many indexer heads no two scores are equal; ties, which the two libraries break differently, need few heads.
MANY_HEADS = 48


@torch.no_grad()
def difference(model: torch.nn.Module, reference: torch.nn.Module, tokens: int) -> float:
    ids = random_ids(2, tokens, seed=tokens)
    return (model(ids) - reference(ids, use_cache=False).logits).abs().max().item()


@pytest.mark.parametrize("changes", SETTINGS)
def test_transformers_reads_our_folders(changes: dict[str, Any], tmp_path: Path) -> None:
    model = tiny_model(index_n_heads=MANY_HEADS, **changes)
    save_pretrained(model, tmp_path / "model")
    loaded: Any = DeepseekV32ForCausalLM.from_pretrained(tmp_path / "model", output_loading_info=True)
    reference, report = loaded
    assert not any(report.values()), report
    for tokens in (1, 7, 8, 9, 37, 80):  # top-k is 8
        assert difference(model, reference, tokens) < 1e-4, tokens


@pytest.mark.parametrize("changes", SETTINGS)
def test_we_read_the_folders_of_transformers(changes: dict[str, Any], tmp_path: Path) -> None:
    config = config_to_json(tiny_model(index_n_heads=MANY_HEADS, **changes).config)
    torch.manual_seed(1)
    reference = DeepseekV32ForCausalLM(DeepseekV32Config(**config)).eval()
    reference.save_pretrained(tmp_path, max_shard_size="100KB")
    model = load_pretrained(tmp_path)
    for tokens in (5, 33):
        assert difference(model, reference, tokens) < 1e-4, tokens


@pytest.mark.parametrize("changes", [{}, YARN, {"q_lora_rank": None}])
def test_dense_deepseek_v3_within_top_k(changes: dict[str, Any]) -> None:
    model = tiny_model(index_topk=64, **changes)
    config = config_to_json(model.config) | {"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"]}
    reference = DeepseekV3ForCausalLM(DeepseekV3Config(**config)).eval()
    weights = {name: view for name, view in checkpoint_tensors(model).items() if ".indexer." not in name}
    for name in [name for name in weights if ".mlp.experts." in name]:
        del weights[name]
    for name, tensor in model.named_parameters():
        if ".mlp.experts." in name:
            weights[name] = tensor.detach()  # both stack experts alike
    reference.load_state_dict(weights)
    for tokens in (7, 64):
        assert difference(model, reference, tokens) < 1e-4


def test_no_ties_disturb_the_comparison() -> None:
    """Premise of the tests above: no two scores are equal at the boundary of the selection."""
    model = tiny_model(index_n_heads=MANY_HEADS)
    seen: list[torch.Tensor] = []
    score = reference.index_scores
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(reference, "index_scores", lambda *inputs: seen.append(score(*inputs)) or seen[-1])
        model(random_ids(2, 80, seed=80))
    assert len(seen) == model.config.num_hidden_layers
    for scores in seen:
        best = scores[:, 9:].topk(9, dim=-1).values
        assert (best[..., 7] > best[..., 8]).all()
