"""Paged rows: one row of numbers per token and layer, in pages that vLLM allocates.

vLLM gives every ``AttentionLayerBase`` a pool of the width that its spec names, and asks it for its backend, so that
no platform can refuse one. Shape suffixes: N tokens of a step, P pages of a sequence, G pages of the pool, Z tokens of
a page, W width.
"""

import torch
from torch import Tensor, nn
from typing_extensions import override
from vllm.config import VllmConfig, get_current_vllm_config
from vllm.model_executor.layers.attention_layer_base import AttentionLayerBase
from vllm.v1.attention.backend import AttentionBackend
from vllm.v1.kv_cache_interface import KVCacheSpec, MLAAttentionSpec

from serving.vllm_plugin.batch import DsaBackend


class PagedRows(nn.Module, AttentionLayerBase):
    """Rows of ``width`` numbers. Raises ValueError if a layer of this ``name`` exists."""

    pool_GZW: Tensor

    def __init__(self, name: str, width: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.name, self.width, self.dtype = name, width, dtype
        layers = get_current_vllm_config().compilation_config.static_forward_context
        if name in layers:
            raise ValueError(f"two layers have the name {name}")
        layers[name] = self

    @override
    def bind_kv_cache(self, kv_cache: Tensor) -> None:
        self.kv_cache = kv_cache
        self.pool_GZW = kv_cache.view(kv_cache.shape[0], -1, self.width)

    @override
    def get_attn_backend(self) -> type[AttentionBackend]:
        return DsaBackend

    @override
    def get_kv_cache_spec(self, vllm_config: VllmConfig) -> KVCacheSpec:
        size = vllm_config.cache_config.block_size
        return MLAAttentionSpec(block_size=size, num_kv_heads=1, head_size=self.width, dtype=self.dtype)

    def store(self, rows_NW: Tensor, slots_N: Tensor) -> None:
        """Stores the rows of a step. Padding (slot -1) goes to page 0, which vLLM gives to no sequence."""
        size = self.pool_GZW.shape[1]
        slots_N = slots_N.clamp(min=0)
        self.pool_GZW[slots_N // size, slots_N % size] = rows_NW.to(self.dtype)

    def gather(self, table_P: Tensor) -> Tensor:
        """Returns the rows of the pages ``table_P`` in order, [P * Z, W]."""
        return self.pool_GZW.index_select(0, table_P).flatten(0, 1)

    def flat(self) -> tuple[Tensor, int]:
        """Returns all rows as [rows, W], and the rows from one page to the next, between which other layers' may lie.

        Raises ValueError if pages are not whole rows apart.
        """
        pages, size, width = self.pool_GZW.shape
        step, rest = divmod(self.pool_GZW.stride(0), width)
        if rest or self.pool_GZW.stride()[1:] != (width, 1):
            raise ValueError(f"{self.name}: pages are not whole rows apart: strides {self.pool_GZW.stride()}")
        return self.pool_GZW.as_strided(((pages - 1) * step + size, width), (width, 1)), step
