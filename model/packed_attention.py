"""Attention of one layer over packed sequences, with its indexer's loss (DeepSeek-V3.2-Exp report, section 2.1).

Shape suffixes as in ``model.packed`` and ``model.attention``.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from kernels import dispatch
from kernels.dispatch import IndexInputs
from kernels.reference import DENSE_UP_TO, membership
from model.attention import Attention
from model.packed import Block, Packed
from model.rope import RopeTables

# Training of the indexers: none; from dense attention (warm-up); from attention over selected tokens (sparse stage).
IndexerStage = Literal["off", "dense", "sparse"]
DENSE_BLOCK = 256  # queries whose lists of all earlier tokens are in memory at a time


class Flat(NamedTuple):
    """Attention inputs of all N tokens, and the indexer's inputs if they are needed."""

    q_NHD: Tensor
    rows_ND: Tensor
    scoring: IndexInputs | None


def attend_packed(
    attention: Attention,
    x_NM: Tensor,
    packed: Packed,
    rope: RopeTables,
    stage: IndexerStage,
    selection_NK: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Returns the attention output [N, M] and the indexer's KL divergence in nats, summed over the tokens.

    ``selection_NK``: the positions that each token attends to, instead of the indexer's selection.
    """
    longest = max(block.rows_BT.shape[1] for block in packed.blocks)
    if stage == "off" and longest <= DENSE_UP_TO * attention.config.index_topk and not dispatch.has_kernels(x_NM):
        out_NM = _attend_per_head(attention, x_NM.unsqueeze(0), packed, rope, selection_NK)
        return out_NM, x_NM.new_zeros((), dtype=_at_least_fp32(x_NM))
    return _attend_rows(attention, x_NM.unsqueeze(0), packed, rope, stage, selection_NK)


def _at_least_fp32(like: Tensor) -> torch.dtype:
    return torch.promote_types(like.dtype, torch.float32)


def _attend_per_head(
    attention: Attention, x_1NM: Tensor, packed: Packed, rope: RopeTables, selection_NK: Tensor | None
) -> Tensor:
    """Returns the attention output [N, M] in MHA mode, with unselected tokens masked.

    A head's keys and values together are narrower than the rows that all heads share, and one large product computes
    them. If the selection is much smaller than the sequence, MQA mode over selected rows is cheaper.
    """
    parts, topk = attention.projected(x_1NM, rope), attention.config.index_topk
    q_1NHY, kv_1NHZ = attention.per_head(parts)
    index = None
    if selection_NK is None and any(block.rows_BT.shape[1] > topk for block in packed.blocks):
        with torch.no_grad():
            index = attention.index(x_1NM, parts.latent_BSQ, attention.indexer.keys(x_1NM, rope), rope)
    outputs = []
    for block in packed.blocks:
        q_BHSY = block.of_tokens(q_1NHY[0]).transpose(1, 2)
        k_BHTY, v_BHTY = block.of_rows(kv_1NHZ[0]).transpose(1, 2).chunk(2, dim=-1)
        mask_B1ST = _mask(attention, block, index, selection_NK).unsqueeze(1)
        out_BHSY = functional.scaled_dot_product_attention(q_BHSY, k_BHTY, v_BHTY, mask_B1ST, scale=attention.scale)
        outputs.append(out_BHSY.transpose(1, 2))
    out_NHV = packed.joined(outputs)[..., : attention.config.v_head_dim]
    return attention.o_proj(out_NHV.flatten(1))


def _mask(attention: Attention, block: Block, index: IndexInputs | None, selection_NK: Tensor | None) -> Tensor:
    """Returns mask_BST of the rows that a block's tokens attend to. Padding sees the first row, to stay finite."""
    tokens = block.rows_BT.shape[1]
    if selection_NK is None and tokens <= attention.config.index_topk:
        return block.visible_BST
    index = None if index is None else _index_of(index, block)
    mask_BST = membership(_indices(attention, index, block, "off", selection_NK), tokens)
    mask_BST[..., 0] |= block.positions_BS < 0
    return mask_BST


def _attend_rows(
    attention: Attention,
    x_1NM: Tensor,
    packed: Packed,
    rope: RopeTables,
    stage: IndexerStage,
    selection_NK: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Returns the results of ``attend_packed``, computed in MQA mode over the rows that each token selects."""
    inputs, index, topk = attention.project(x_1NM, rope), None, attention.config.index_topk
    if stage != "off" or (selection_NK is None and any(block.rows_BT.shape[1] > topk for block in packed.blocks)):
        index = attention.index(x_1NM, inputs.latent_BSQ, attention.indexer.keys(x_1NM.detach(), rope), rope)
    flat = Flat(inputs.q_BSHD[0], inputs.rows_BSD[0], index)
    outputs, kl = [], x_1NM.new_zeros((), dtype=_at_least_fp32(x_1NM))
    for block in packed.blocks:
        out_BSHC, block_kl = _attend_block(attention, flat, block, stage, selection_NK)
        outputs.append(out_BSHC)
        kl = kl if block_kl is None else kl + block_kl
    return attention.output(packed.joined(outputs).unsqueeze(0))[0], kl


def _attend_block(
    attention: Attention, flat: Flat, block: Block, stage: IndexerStage, selection_NK: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    q_BSHD, rows_BTD = block.of_tokens(flat.q_NHD), block.of_rows(flat.rows_ND)
    index = None if flat.scoring is None else _index_of(flat.scoring, block)
    indices = None if stage == "dense" else _indices(attention, index, block, stage, selection_NK)
    kl = None
    if stage != "off":
        assert index is not None
        kl = dispatch.indexer_kl(index, q_BSHD, rows_BTD, block.positions_BS, attention.scale, indices)
    with torch.set_grad_enabled(torch.is_grad_enabled() and stage != "dense"):  # the warm-up trains only the indexers
        latent = attention.config.kv_lora_rank
        if indices is not None:
            return dispatch.sparse_mla(q_BSHD, rows_BTD, indices, attention.scale, latent), kl
        parts = zip(q_BSHD.split(DENSE_BLOCK, 1), block.positions_BS.split(DENSE_BLOCK, 1), strict=True)
        dense = [
            dispatch.sparse_mla(q, rows_BTD, _all_earlier(positions, rows_BTD), attention.scale, latent)
            for q, positions in parts
        ]
        return torch.cat(dense, dim=1), kl


def _all_earlier(positions_BS: Tensor, rows_BTD: Tensor) -> Tensor:
    return dispatch.causal_indices(positions_BS, rows_BTD.shape[1])


def _index_of(index: IndexInputs, block: Block) -> IndexInputs:
    q_BSJI, w_BSJ = block.of_tokens(index.q_BSJI[0]), block.of_tokens(index.w_BSJ[0])
    return IndexInputs(q_BSJI, block.of_rows(index.k_BTI[0]), w_BSJ)


def _indices(
    attention: Attention, index: IndexInputs | None, block: Block, stage: IndexerStage, selection_NK: Tensor | None
) -> Tensor:
    """Returns the positions that each token of a block attends to, -1 for padding."""
    if selection_NK is not None:
        return block.of_tokens(selection_NK).masked_fill(block.positions_BS.unsqueeze(-1) < 0, -1)
    tokens = block.rows_BT.shape[1]
    if index is None or (tokens <= attention.config.index_topk and stage == "off"):
        return dispatch.causal_indices(block.positions_BS, tokens)
    return attention.select(index, block.positions_BS)
