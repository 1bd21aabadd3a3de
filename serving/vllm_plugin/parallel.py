"""Experimental: vLLM's own DeepSeek-V3 (parallel layers, experts, quantization, loading) with this project's attention.

Each tensor-parallel rank has a part of the heads; the indexer, whose scores all heads share, is on every rank.
Shape suffixes: N tokens of a step, M model width, H heads of the rank, G nope width, R rope width, V value width,
C latent width, D = C + R, Q query latent width, J indexer heads, I indexer width, X any.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from vllm.config import VllmConfig
from vllm.distributed import get_tensor_model_parallel_world_size
from vllm.model_executor.layers.layernorm import LayerNorm, RMSNorm
from vllm.model_executor.layers.linear import (
    ColumnParallelLinear,
    MergedColumnParallelLinear,
    ReplicatedLinear,
    RowParallelLinear,
)
from vllm.model_executor.layers.quantization.utils.quant_utils import get_and_maybe_dequant_weights
from vllm.model_executor.models import deepseek_v2

from model.config_json import read_config
from model.rope import RopeTables, rope_tables, rotate_first_half_split, rotate_interleaved, softmax_scale
from serving.vllm_plugin.attention import DsaLayer, StepInputs
from serving.vllm_plugin.batch import Batch, batch_of
from serving.vllm_plugin.paged_rows import cache_rows

LATENT_EPS = 1e-6  # of all norms within attention, whatever rms_norm_eps


class ParallelIndexer(nn.Module):
    """Weights of the indexer, with the names that vLLM's loader expects."""

    def __init__(self, config: Any, quant_config: Any, prefix: str) -> None:
        super().__init__()
        self.heads, self.width = config.index_n_heads, config.index_head_dim
        self.wq_b = ReplicatedLinear(
            config.q_lora_rank or config.hidden_size,
            self.heads * self.width,
            bias=False,
            quant_config=quant_config,
            prefix=f"{prefix}.wq_b",
        )
        self.wk_weights_proj = MergedColumnParallelLinear(
            config.hidden_size,
            [self.width, self.heads],
            bias=False,
            quant_config=None,
            disable_tp=True,
            prefix=f"{prefix}.wk_weights_proj",
        )
        self.k_norm = LayerNorm(self.width, eps=LATENT_EPS, dtype=torch.float32)


class ParallelAttention(nn.Module):
    """Takes the place of vLLM's ``DeepseekV2MLAAttention``, which vLLM builds with the same arguments."""

    def __init__(self, *, vllm_config: VllmConfig, config: Any, quant_config: Any, prefix: str, **rest: Any) -> None:
        super().__init__()
        own = read_config(Path(vllm_config.model_config.model))
        self.own, self.heads = own, own.num_attention_heads // get_tensor_model_parallel_world_size()
        self._add_projections(quant_config, prefix, reduce_results=rest.get("reduce_results", True))
        self.indexer = ParallelIndexer(config, quant_config, f"{prefix}.indexer")
        self.rows, self.keys = cache_rows(vllm_config, own, prefix)
        self.layer = DsaLayer(self.rows, self.keys, own.index_topk, softmax_scale(own), own.kv_lora_rank)
        # vLLM calls this of its cache layers once all weights are loaded, and again when it has reloaded them.
        self.rows.process_weights_after_loading = self._absorb

    def _add_projections(self, quant_config: Any, prefix: str, *, reduce_results: bool) -> None:
        own = self.own
        bare: dict[str, Any] = {"bias": False, "quant_config": quant_config}
        queries = own.num_attention_heads * own.qk_head_dim
        if own.q_lora_rank is None:
            self.kv_a_proj_with_mqa = ReplicatedLinear(
                own.hidden_size, own.cache_width, prefix=f"{prefix}.kv_a_proj_with_mqa", **bare
            )
            self.q_proj = ColumnParallelLinear(own.hidden_size, queries, prefix=f"{prefix}.q_proj", **bare)
        else:
            self.fused_qkv_a_proj = deepseek_v2.DeepSeekV2FusedQkvAProjLinear(
                own.hidden_size, [own.q_lora_rank, own.cache_width], quant_config, prefix=f"{prefix}.fused_qkv_a_proj"
            )
            self.q_a_layernorm = RMSNorm(own.q_lora_rank, eps=LATENT_EPS)
            self.q_b_proj = ColumnParallelLinear(own.q_lora_rank, queries, prefix=f"{prefix}.q_b_proj", **bare)
        self.kv_a_layernorm = RMSNorm(own.kv_lora_rank, eps=LATENT_EPS)
        up = own.num_attention_heads * (own.qk_nope_head_dim + own.v_head_dim)
        self.kv_b_proj = ColumnParallelLinear(own.kv_lora_rank, up, prefix=f"{prefix}.kv_b_proj", **bare)
        self.kv_b_proj._cpu_skip_gemm_dispatch = True  # on a CPU vLLM would pack the weight and empty the parameter
        values = own.num_attention_heads * own.v_head_dim
        self.o_proj = RowParallelLinear(
            values, own.hidden_size, reduce_results=reduce_results, prefix=f"{prefix}.o_proj", **bare
        )

    def _absorb(self, dtype: torch.dtype) -> None:
        """Takes W_UK and W_UV of each head out of ``kv_b_proj``, whatever its quantization."""
        weight_XC = get_and_maybe_dequant_weights(self.kv_b_proj, out_dtype=dtype)
        up_HXC = weight_XC.view(self.heads, -1, self.own.kv_lora_rank)
        w_uk_HGC, w_uv_HVC = up_HXC.split([self.own.qk_nope_head_dim, self.own.v_head_dim], dim=1)
        self.w_uk_HGC, self.w_uv_HCV = w_uk_HGC.contiguous(), w_uv_HVC.transpose(1, 2).contiguous()

    def forward(self, positions: Tensor, hidden_states: Tensor, llama_4_scaling: Tensor | None = None) -> Tensor:
        """Returns the attention output [N, M]; ``llama_4_scaling`` is of other models."""
        if (batch := batch_of(self.rows.name)) is None:
            return torch.zeros_like(hidden_states)
        own, rope = self.own, rope_tables(self.own, positions.unsqueeze(0))
        latent_NQ, q_NX, kv_ND = self._project(hidden_states)
        q_NHX = q_NX.view(len(positions), self.heads, -1)
        nope_NHG, rope_NHR = q_NHX.split([own.qk_nope_head_dim, own.qk_rope_head_dim], dim=-1)
        c_NC, key_NR = kv_ND.split([own.kv_lora_rank, own.qk_rope_head_dim], dim=-1)
        rotated = rotate_interleaved(torch.cat((rope_NHR, key_NR.unsqueeze(1)), dim=1).unsqueeze(0), rope)[0]
        rope_NHR, key_N1R = rotated.split([self.heads, 1], dim=1)
        rows_ND = torch.cat((self.kv_a_layernorm(c_NC.contiguous()), key_N1R.squeeze(1)), dim=-1)
        self.rows.store(rows_ND[: batch.tokens], batch.slots_N)
        absorbed_NHC = torch.bmm(nope_NHG.transpose(0, 1), self.w_uk_HGC).transpose(0, 1)
        index_NJI, w_NJ = self._index(hidden_states, latent_NQ, rope, batch)
        inputs = StepInputs(torch.cat((absorbed_NHC, rope_NHR), dim=-1), index_NJI, w_NJ, positions)
        out_NHC = self.layer.attend(inputs, batch)
        out_NHV = torch.bmm(out_NHC.transpose(0, 1), self.w_uv_HCV).transpose(0, 1)
        return self.o_proj(out_NHV.reshape(len(positions), -1))[0]

    def _project(self, x_NM: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the query latent, the queries of the rank's heads, and latent with rope key."""
        own = self.own
        if own.q_lora_rank is None:
            return x_NM, self.q_proj(x_NM)[0], self.kv_a_proj_with_mqa(x_NM)[0]
        latent_NQ, kv_ND = self.fused_qkv_a_proj(x_NM)[0].split([own.q_lora_rank, own.cache_width], dim=-1)
        latent_NQ = self.q_a_layernorm(latent_NQ)
        return latent_NQ, self.q_b_proj(latent_NQ)[0], kv_ND

    def _index(self, x_NM: Tensor, latent_NQ: Tensor, rope: RopeTables, batch: Batch) -> tuple[Tensor, Tensor]:
        """Stores the indexer's keys of the step, and returns its queries and weights."""
        indexer = self.indexer
        key_NI, w_NJ = indexer.wk_weights_proj(x_NM)[0].split([indexer.width, indexer.heads], dim=-1)
        if self.keys is not None:
            key_NI = rotate_first_half_split(indexer.k_norm(key_NI.contiguous()).unsqueeze(0), rope)[0]
            self.keys.store(key_NI[: batch.tokens], batch.slots_N)
        q_NJI = indexer.wq_b(latent_NQ)[0].view(len(x_NM), indexer.heads, indexer.width)
        q_NJI = rotate_first_half_split(q_NJI.unsqueeze(0), rope)[0]
        return q_NJI, w_NJ.float() * (indexer.heads * indexer.width) ** -0.5


@contextmanager
def _own_attention() -> Iterator[None]:
    """While vLLM builds its model, its attention classes are the plugin's: its layer finds them by these names."""
    names = ("DeepseekV2MLAAttention", "DeepseekV2Attention")
    before = {name: getattr(deepseek_v2, name) for name in names}
    try:
        for name in names:
            setattr(deepseek_v2, name, ParallelAttention)
        yield
    finally:
        for name, attention in before.items():
            setattr(deepseek_v2, name, attention)


class LemmataParallelForCausalLM(deepseek_v2.DeepseekV3ForCausalLM):
    """A model that vLLM splits over tensor-parallel ranks."""

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        with _own_attention():
            super().__init__(vllm_config=vllm_config, prefix=prefix)
