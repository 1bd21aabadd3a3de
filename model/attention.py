"""Multi-head latent attention (MLA) in MQA mode over the tokens that the indexer selects.

DeepSeek-V2 (arXiv 2405.04434, section 2.1, with W_UK absorbed into the queries and W_UV into the outputs) and the
DeepSeek-V3.2-Exp report. Shape suffixes: B batch, S tokens, T cached tokens, M model width, H heads, G = nope width,
R rope width, V value width, C latent width, D = C + R, Q query latent width, K selected tokens.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kernels import dispatch
from kernels.dispatch import IndexInputs, IndexKeys
from model.cache import LayerCache
from model.config import ModelConfig
from model.indexer import Indexer
from model.layers import Linear, RMSNorm
from model.rope import RopeTables, rotate_interleaved, softmax_scale


class Projected(NamedTuple):
    """Queries without and with position, the cached latent and rope key of each token, and the query latent."""

    nope_BSHG: Tensor
    rope_BSHR: Tensor
    c_BSC: Tensor
    key_BSR: Tensor
    latent_BSQ: Tensor


class AttentionInputs(NamedTuple):
    """Inputs of attention for the new tokens: absorbed queries, rows [latent | rope key], and the query latent."""

    q_BSHD: Tensor
    rows_BSD: Tensor
    latent_BSQ: Tensor


class CachedIndex(NamedTuple):
    """Indexer queries and weights of new tokens, and the cached keys to score."""

    q_BSJI: Tensor
    keys: IndexKeys
    w_BSJ: Tensor


class TokenSelection(nn.Module):
    """Top-k selection of the tokens that each query attends to. A module, so that a forward hook can capture it."""

    def __init__(self, topk: int) -> None:
        super().__init__()
        self.topk = topk

    def forward(self, index: IndexInputs | CachedIndex, positions_BS: Tensor) -> Tensor:
        """Returns indices_BSK, the ``topk`` tokens with the highest index scores of each query; no gradient passes."""
        q_BSJI, keys, w_BSJ = index
        if isinstance(keys, IndexKeys) and keys.scales is not None:
            q_BSJI, w_BSJ = dispatch.quantize_queries(q_BSJI, w_BSJ)
        return dispatch.index_topk(q_BSJI, keys, w_BSJ, positions_BS, self.topk)


class Attention(nn.Module):
    """Attention of one layer. ``forward`` is ``project``, select, ``attend``, ``output``."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.scale = softmax_scale(config)
        heads, query_width = config.num_attention_heads, config.num_attention_heads * config.qk_head_dim
        if config.q_lora_rank is None:
            self.q_proj = Linear(config.hidden_size, query_width, bias=config.qkv_bias)
        else:
            self.q_a_proj = Linear(config.hidden_size, config.q_lora_rank)
            self.q_a_layernorm = RMSNorm(config.q_lora_rank)
            self.q_b_proj = Linear(config.q_lora_rank, query_width)
        self.kv_a_proj_with_mqa = Linear(config.hidden_size, config.cache_width, bias=config.qkv_bias)
        self.kv_a_layernorm = RMSNorm(config.kv_lora_rank) if config.latent_norm else nn.Identity()
        if config.qk_norm:
            self.q_norm = RMSNorm(config.rope_width, config.rms_norm_eps)
            self.k_norm = RMSNorm(config.rope_width, config.rms_norm_eps)
        self.kv_b_proj = Linear(config.kv_lora_rank, heads * (config.qk_nope_head_dim + config.v_head_dim))
        self.o_proj = Linear(heads * config.v_head_dim, config.hidden_size)
        self.indexer = Indexer(config)
        self.select = TokenSelection(config.index_topk)

    def forward(self, x_BSM: Tensor, positions_BS: Tensor, rope: RopeTables, cache: LayerCache | None) -> Tensor:
        """Returns the attention output [B, S, M]. Without a cache, column s must be the token at position s."""
        inputs, topk = self.project(x_BSM, rope), self.config.index_topk
        longest = x_BSM.shape[1] if cache is None else cache.limit
        keys_BTI = self.indexer.keys(x_BSM.detach(), rope) if longest > topk else None
        if cache is not None:
            cache.store(inputs.rows_BSD, keys_BTI, positions_BS)
        if keys_BTI is None or (cache is not None and cache.tokens <= topk):
            # Every earlier token is selected, so no score is needed.
            return self.output(self.attend(inputs, positions_BS, None, cache))
        index: IndexInputs | CachedIndex = self.index(x_BSM, inputs.latent_BSQ, keys_BTI, rope)
        if cache is not None:
            index = CachedIndex(index.q_BSJI, cache.index_keys(), index.w_BSJ)
        return self.output(self.attend(inputs, positions_BS, self.select(index, positions_BS), cache))

    def project(self, x_BSM: Tensor, rope: RopeTables) -> AttentionInputs:
        """Returns the queries and rows of the tokens ``x_BSM``."""
        parts = self.projected(x_BSM, rope)
        absorbed_BSHC = _per_head(parts.nope_BSHG, self._up_projection[:, : self.config.qk_nope_head_dim])
        q_BSHD = torch.cat((absorbed_BSHC, parts.rope_BSHR), dim=-1)
        return AttentionInputs(q_BSHD, torch.cat((parts.c_BSC, parts.key_BSR), dim=-1), parts.latent_BSQ)

    def projected(self, x_BSM: Tensor, rope: RopeTables) -> Projected:
        """Returns the projections that MQA mode (absorbed queries, shared rows) and MHA mode (per head) start from."""
        config = self.config
        latent_BSQ = x_BSM if config.q_lora_rank is None else self.q_a_layernorm(self.q_a_proj(x_BSM))
        project_query = self.q_proj if config.q_lora_rank is None else self.q_b_proj
        q_BSHX = project_query(latent_BSQ).view(*x_BSM.shape[:2], config.num_attention_heads, -1)
        # split, not indexing: its backward concatenates the gradients instead of adding zero-padded ones.
        nope_BSHG, rope_BSHR = q_BSHX.split([config.qk_nope_head_dim, config.qk_rope_head_dim], dim=-1)
        c_BSC, key_BSR = self.kv_a_proj_with_mqa(x_BSM).split([config.kv_lora_rank, config.qk_rope_head_dim], dim=-1)
        if config.qk_norm:
            rope_BSHR, key_BSR = self._per_group(self.q_norm, rope_BSHR), self._per_group(self.k_norm, key_BSR)
        rotated = rotate_interleaved(torch.cat((rope_BSHR, key_BSR.unsqueeze(2)), dim=2), rope)
        rope_BSHR, key_BS1R = rotated.split([config.num_attention_heads, 1], dim=2)
        return Projected(nope_BSHG, rope_BSHR, self.kv_a_layernorm(c_BSC), key_BS1R.squeeze(2), latent_BSQ)

    def _per_group(self, norm: RMSNorm, x: Tensor) -> Tensor:
        """Normalizes each group of x [..., R]; the zeros that a padded query has in other groups stay zeros."""
        return norm(x.unflatten(-1, (self.config.rope_groups, -1))).flatten(-2)

    def per_head(self, parts: Projected) -> tuple[Tensor, Tensor]:
        """Returns MHA-mode queries [B, S, H, Y] and concatenated keys and values [B, S, H, 2 Y], padded with zeros.

        Y is the larger of key and value width, because torch's attention needs equal widths.
        """
        config, heads = self.config, self.config.num_attention_heads
        up_BSHX = self.kv_b_proj(parts.c_BSC).unflatten(-1, (heads, -1))
        nope_BSHG, v_BSHV = up_BSHX.split([config.qk_nope_head_dim, config.v_head_dim], dim=-1)
        key_BSHR = parts.key_BSR.unsqueeze(2).expand(-1, -1, heads, -1)
        excess = config.v_head_dim - config.qk_head_dim
        fill = [v_BSHV.new_zeros(()).expand(*v_BSHV.shape[:3], abs(excess))] if excess else []
        key_fill, value_fill = (fill, []) if excess > 0 else ([], fill)
        q_BSHY = torch.cat((parts.nope_BSHG, parts.rope_BSHR, *key_fill), dim=-1)
        return q_BSHY, torch.cat((nope_BSHG, key_BSHR, *key_fill, v_BSHV, *value_fill), dim=-1)

    def index(self, x_BSM: Tensor, latent_BSQ: Tensor, keys_BTI: Tensor, rope: RopeTables) -> IndexInputs:
        """Returns the indexer's queries and weights for the tokens, with the keys to score.

        Its inputs are detached: the indexer learns only from its own loss (DeepSeek-V3.2-Exp report, section 2.1).
        """
        q_BSJI, w_BSJ = self.indexer.queries(x_BSM.detach(), latent_BSQ.detach(), rope)
        return IndexInputs(q_BSJI, keys_BTI, w_BSJ)

    def output(self, out_BSHC: Tensor) -> Tensor:
        """Projects attended latents to the model width: each head's W_UV, then W_O."""
        w_uv_HVC = self._up_projection[:, self.config.qk_nope_head_dim :]
        out_BSHV = _per_head(out_BSHC, w_uv_HVC.transpose(1, 2))
        return self.o_proj(out_BSHV.flatten(2))

    def attend(
        self, inputs: AttentionInputs, positions_BS: Tensor, indices_BSK: Tensor | None, cache: LayerCache | None = None
    ) -> Tensor:
        """Returns the attended latents out_BSHC of the new tokens, over the cache's rows or, without one, their own.

        ``indices_BSK`` None: each query attends to all tokens up to its own.
        """
        latent = self.config.kv_lora_rank
        if cache is not None:
            return cache.attend(inputs.q_BSHD, indices_BSK, self.scale, latent)
        if indices_BSK is None:
            indices_BSK = dispatch.causal_indices(positions_BS, inputs.rows_BSD.shape[1])
        return dispatch.sparse_mla(inputs.q_BSHD, inputs.rows_BSD, indices_BSK, self.scale, latent)

    @property
    def _up_projection(self) -> Tensor:
        """``kv_b_proj`` per head, [H, G + V, C]: the rows of W_UK, then those of W_UV."""
        weight = self.kv_b_proj.weight
        return weight.view(self.config.num_attention_heads, -1, weight.shape[1])


def _per_head(x_BSHC: Tensor, matrices_HCV: Tensor) -> Tensor:
    """Multiplies each head's vector by that head's matrix, [B, S, H, V]."""
    batch, tokens = x_BSHC.shape[:2]
    out_HNV = torch.bmm(x_BSHC.flatten(0, 1).transpose(0, 1), matrices_HCV)
    return out_HNV.transpose(0, 1).view(batch, tokens, *matrices_HCV.shape[::2])
