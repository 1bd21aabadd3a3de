"""Conversion of grouped-query attention (GQA) to a DSA model that computes the same function.

MLA in MQA mode represents grouped queries exactly (the construction of TransMLA, arXiv 2502.07864, uncompressed). A
token's row is [values of all kv heads | rotated keys of all kv heads]; a head's query is 0 outside the slot of its own
group, so that its product with the row is the one with its own key; W_UV picks its group's value. The latent is not
normed, there is no nope part, and the rope key consists of ``rope_groups`` = kv heads keys. The cache of a token is
as large as the source's. Biases of queries, keys and values (Qwen2) are biases of the same products, and norms of
queries and keys (Qwen3) apply to each slot. The indexer is untrained; while the context is within top-k it has no
effect.

Shape suffixes: M model width, K kv heads, g query heads of each, d head width, P = d / 2 pairs, C = K * d.
"""

from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.checkpoint import fill
from model.config import ModelConfig
from model.convert.source import SourceModel, read_source
from model.errors import ModelError
from model.initialize import empty_model, initialize
from model.names import checkpoint_tensors, copies
from model.transformer import DsaModel

NO_EXPERTS: dict[str, Any] = {
    "moe_intermediate_size": 1,
    "n_routed_experts": 1,
    "num_experts_per_tok": 1,
    "n_shared_experts": 0,
}
REPLACED = (".q_proj.", ".kv_a_proj_with_mqa.", ".kv_b_proj.", ".indexer.")
PARTS = ("weight", "bias")


@torch.no_grad()
def convert_gqa(
    folder: str | Path,
    *,
    index_n_heads: int,
    index_head_dim: int,
    index_topk: int,
    seed: int,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> DsaModel:
    """Converts the grouped-query model in a Hugging Face ``folder``; ``seed`` initializes the indexers' weights.

    Within ``index_topk`` tokens the result has the logits of the source. Besides the model, the source's query and key
    matrices are in memory. Raises ModelError if the source has an unsupported feature or broken weights.
    """
    folder = Path(folder)
    source = read_source(folder)
    config = converted_config(source, index_n_heads, index_head_dim, index_topk)
    model = initialize(empty_model(config, dtype, device), seed)
    weights = checkpoint_tensors(model)
    targets = {name: weight for name, weight in weights.items() if not any(part in name for part in REPLACED)}
    prefixes = [f"model.layers.{layer}.self_attn." for layer in range(config.num_hidden_layers)]
    parts = PARTS if config.qkv_bias else PARTS[:1]
    for prefix, part in product(prefixes, parts):
        query, rows = weights[f"{prefix}q_proj.{part}"], weights[f"{prefix}kv_a_proj_with_mqa.{part}"]
        targets[f"{prefix}q_proj.{part}"] = query.new_empty(source.heads * source.head_dim, *query.shape[1:])
        targets[f"{prefix}v_proj.{part}"], key = rows.split(config.kv_lora_rank)
        targets[f"{prefix}k_proj.{part}"] = torch.empty_like(key)
    fill(folder, targets, copies(model))
    # A norm would undo a factor of what it normalizes, so its weight takes the factor.
    query_scale = 1.0 if config.qk_norm else source.query_scale
    for prefix, part in product(prefixes, parts):
        query, key = targets.pop(f"{prefix}q_proj.{part}"), targets.pop(f"{prefix}k_proj.{part}")
        weights[f"{prefix}q_proj.{part}"].copy_(_padded_queries(query * query_scale, source))
        rows = weights[f"{prefix}kv_a_proj_with_mqa.{part}"]
        rows[config.kv_lora_rank :] = _in_pairs(key, source).flatten(0, 1)
    for prefix in prefixes:
        weights[f"{prefix}kv_b_proj.weight"].copy_(_value_choice(source))
        if config.qk_norm:
            query, key = (weights[f"{prefix}{name}_norm.weight"] for name in ("q", "k"))
            query.copy_(_in_pairs(query * source.query_scale, source)[0])
            key.copy_(_in_pairs(key, source)[0])
    return model.eval()


def converted_config(source: SourceModel, index_n_heads: int, index_head_dim: int, index_topk: int) -> ModelConfig:
    """Returns the configuration of the converted model. Raises ModelError if the indexer's sizes do not fit."""
    width = source.kv_heads * source.head_dim
    try:
        return ModelConfig(
            **source.shared,
            **NO_EXPERTS,
            first_k_dense_replace=source.shared["num_hidden_layers"],
            kv_lora_rank=width,
            qk_nope_head_dim=0,
            qk_rope_head_dim=width,
            v_head_dim=source.head_dim,
            index_n_heads=index_n_heads,
            index_head_dim=index_head_dim,
            index_topk=index_topk,
            **source.rope._asdict(),
            latent_norm=False,
            rope_groups=source.kv_heads,
            qkv_bias=source.family.qkv_bias,
            qk_norm=source.family.qk_norm,
        )
    except ModelError as error:
        raise ModelError(f"the source cannot be converted with these index sizes: {error}") from error


def _in_pairs(weight: Tensor, source: SourceModel) -> Tensor:
    """Reorders rows from Llama's pairs (i, i + d/2) to MLA's neighboring pairs: [heads * d, M] to [heads, d, M].

    Biases have no axis M.
    """
    weight_h2PM = weight.unflatten(0, (-1, 2, source.head_dim // 2))
    return weight_h2PM.transpose(1, 2).flatten(1, 2)


def _padded_queries(weight: Tensor, source: SourceModel) -> Tensor:
    """Puts each head's rows into the slot of its group, zeros elsewhere: [K * g * d, M] to [K * g * K * d, M].

    Biases have no axis M.
    """
    own_KgdM = _in_pairs(weight, source).unflatten(0, (source.kv_heads, -1))
    padded_KgKdM = own_KgdM.new_zeros(*own_KgdM.shape[:2], source.kv_heads, *own_KgdM.shape[2:])
    for group, rows_gdM in enumerate(own_KgdM):
        padded_KgKdM[group, :, group] = rows_gdM
    return padded_KgKdM.flatten(0, 3)


def _value_choice(source: SourceModel) -> Tensor:
    """Returns W_UV of all heads, which picks the value of each head's group out of the latent, [K * g * d, C]."""
    choice_KdC = torch.eye(source.kv_heads * source.head_dim).unflatten(0, (source.kv_heads, source.head_dim))
    return choice_KdC.repeat_interleave(source.heads // source.kv_heads, dim=0).flatten(0, 1)
