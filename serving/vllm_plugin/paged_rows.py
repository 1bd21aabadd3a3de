"""Paged rows: one row of numbers per token and layer, in pages that vLLM allocates, as they are or in FP8.

vLLM gives every ``AttentionLayerBase`` a pool of the width that its spec names, and asks it for its backend, so that
no platform can refuse one. Shape suffixes: N tokens of a step, P pages of a sequence, G pages of the pool, Z tokens of
a page, W width, B sequences, Q queries, H heads, D = latent + rope width, C latent width, K selected rows.
"""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override
from vllm.config import VllmConfig, get_current_vllm_config
from vllm.model_executor.layers.attention_layer_base import AttentionLayerBase
from vllm.v1.attention.backend import AttentionBackend
from vllm.v1.kv_cache_interface import KVCacheSpec, MLAAttentionSpec

from kernels import dispatch
from kernels.dispatch import IndexKeys
from model.config import ModelConfig
from model.errors import ModelError
from serving.vllm_plugin.batch import DsaBackend

SCALE_BYTES = 16  # of an FP8 key's fp32 scale, padded so that each row starts at a multiple of 16 bytes


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

    def flat(self) -> tuple[Tensor, int]:
        """Returns all rows as [rows, W], and the rows from one page to the next, between which other layers' may lie.

        Raises ValueError if pages are not whole rows apart.
        """
        pages, size, width = self.pool_GZW.shape
        step, rest = divmod(self.pool_GZW.stride(0), width)
        if rest or self.pool_GZW.stride()[1:] != (width, 1):
            raise ValueError(f"{self.name}: pages are not whole rows apart: strides {self.pool_GZW.stride()}")
        return self.pool_GZW.as_strided(((pages - 1) * step + size, width), (width, 1)), step


class LatentRows(PagedRows):
    """Latent rows with their rope keys."""

    def gather(self, table_P: Tensor) -> Tensor:
        """Returns the rows of the pages ``table_P`` in order, [P * Z, D]."""
        return self.pool_GZW.index_select(0, table_P).flatten(0, 1)

    def reads_in_place(self, like: Tensor) -> bool:
        """Returns True if queries ``like`` these attend to many rows best where they are, uncopied."""
        return dispatch.has_kernels(like)

    def attend(self, q_QHD: Tensor, numbers_QK: Tensor, scale: float, latent: int, *, few: bool) -> Tensor:
        """Returns the attended latents [Q, H, C] over rows by number (``flat``); -1 is padding.

        ``few``: each sequence has one query, so that a list of rows is worth splitting.
        """
        rows_RD, _ = self.flat()
        if few:
            return dispatch.sparse_mla_decode(q_QHD, rows_RD, numbers_QK, scale, latent)
        q_1QHD, numbers_1QK = q_QHD.unsqueeze(0), numbers_QK.unsqueeze(0)
        return dispatch.sparse_mla(q_1QHD, rows_RD.unsqueeze(0), numbers_1QK, scale, latent).squeeze(0)


class Fp8LatentRows(LatentRows):
    """Latents in e4m3 with one scale per 128, rope keys in bf16 (``kernels.reference_fp8``)."""

    def __init__(self, name: str, latent: int, rope: int, dtype: torch.dtype) -> None:
        super().__init__(name, dispatch.row_bytes(latent, rope), torch.uint8)
        self._latent, self._rope, self._decoded = latent, rope, dtype

    @override
    def store(self, rows_NW: Tensor, slots_N: Tensor) -> None:
        super().store(dispatch.quantize_rows(rows_NW, self._latent), slots_N)

    @override
    def gather(self, table_P: Tensor) -> Tensor:
        return dispatch.dequantize_rows(super().gather(table_P), self._latent, self._rope).to(self._decoded)

    @override
    def reads_in_place(self, like: Tensor) -> bool:
        return False  # each row would be decoded once for every query that selects it

    @override
    def attend(self, q_QHD: Tensor, numbers_QK: Tensor, scale: float, latent: int, *, few: bool) -> Tensor:
        return dispatch.sparse_mla_decode_fp8(q_QHD, self.flat()[0], numbers_QK, scale, latent)


class KeyRows(PagedRows):
    """Keys of the indexer."""

    def of(self, table_BP: Tensor) -> IndexKeys:
        """Returns the keys where they are, with the pages of each sequence."""
        return IndexKeys(self.pool_GZW, table_BP=table_BP)


class Fp8KeyRows(KeyRows):
    """Keys of the indexer in e4m3, each followed by its scale in fp32."""

    def __init__(self, name: str, width: int) -> None:
        super().__init__(name, width + SCALE_BYTES, torch.uint8)
        self._numbers = width

    @override
    def store(self, rows_NW: Tensor, slots_N: Tensor) -> None:
        numbers_NI, scales_N = dispatch.quantize(rows_NW)
        packed_NW = numbers_NI.new_zeros(len(rows_NW), self.width, dtype=torch.uint8)
        packed_NW[:, : self._numbers] = numbers_NI.view(torch.uint8)
        packed_NW[:, self._numbers : self._numbers + 4].view(torch.float32)[:, 0] = scales_N
        super().store(packed_NW, slots_N)

    @override
    def of(self, table_BP: Tensor) -> IndexKeys:
        numbers_GZI = self.pool_GZW[..., : self._numbers].view(torch.float8_e4m3fn)
        scales_GZ = self.pool_GZW[..., self._numbers : self._numbers + 4].view(torch.float32)[..., 0]
        return IndexKeys(numbers_GZI, scales_GZ, table_BP)


def cache_rows(vllm_config: VllmConfig, config: ModelConfig, name: str) -> tuple[LatentRows, KeyRows | None]:
    """Returns one layer's caches, in the format that vLLM's ``--additional-config`` has under ``rows_format``.

    While no sequence can exceed top-k, no key is read, and there is no cache of keys. Raises ModelError for a format
    that does not exist, or an indexer's width that does not fit one.
    """
    additional: Any = vllm_config.additional_config
    rows_format = (additional if isinstance(additional, dict) else {}).get("rows_format", "model")
    dtype, keyed = vllm_config.model_config.dtype, vllm_config.model_config.max_model_len > config.index_topk
    rows_name, keys_name = f"{name}.rows", f"{name}.keys"
    if rows_format == "model":
        keys = KeyRows(keys_name, config.index_head_dim, dtype) if keyed else None
        return LatentRows(rows_name, config.cache_width, dtype), keys
    if rows_format != "fp8":
        raise ModelError(f"additional_config: rows_format is {rows_format!r}, not 'model' or 'fp8'")
    if config.index_head_dim % SCALE_BYTES:
        raise ModelError(
            f"rows_format=fp8 takes indexer keys whose width is a multiple of {SCALE_BYTES}, not "
            f"{config.index_head_dim}; use rows_format=model"
        )
    rows = Fp8LatentRows(rows_name, config.kv_lora_rank, config.qk_rope_head_dim, dtype)
    return rows, Fp8KeyRows(keys_name, config.index_head_dim) if keyed else None
