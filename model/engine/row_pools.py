"""Pools of the paged cache: latent rows and indexer keys of all layers, as the model computes them or in FP8.

Row n of a pool is token n % Z of page n // Z. Shape suffixes: L layers, N rows of a pool, X rows to store, Q queries,
H heads, K selected rows, B sequences, P pages of a sequence, Z tokens of a page, D = latent + rope width, C latent
width, I indexer width.
"""

import torch
from torch import Tensor
from typing_extensions import override

from kernels import dispatch
from kernels.dispatch import IndexKeys
from model.config import ModelConfig


class RowPool:
    """Latent rows of ``layers`` layers in the dtype and on the device of ``like``, pages of ``size`` tokens."""

    def __init__(self, config: ModelConfig, layers: int, pages: int, size: int, like: Tensor) -> None:
        self.size, self.latent, self.rope, self.dtype = size, config.kv_lora_rank, config.qk_rope_head_dim, like.dtype
        self.stored = like.new_zeros(layers, pages * size, self._width, dtype=self._dtype)

    @property
    def _width(self) -> int:
        return self.latent + self.rope

    @property
    def _dtype(self) -> torch.dtype:
        return self.dtype

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that is stored, each [L, N, ...]."""
        return [self.stored]

    def store(self, layer: int, slots_X: Tensor, rows_XD: Tensor) -> None:
        """Stores rows at their places in a layer."""
        self.stored[layer].index_copy_(0, slots_X, rows_XD)

    def pages(self, layer: int, table_BP: Tensor) -> Tensor:
        """Returns the rows of pages in order, [B, P * Z, D]; whole pages are copied, which costs less than rows."""
        by_page = self.stored[layer].unflatten(0, (-1, self.size)).index_select(0, table_BP.flatten())
        return by_page.unflatten(0, table_BP.shape).flatten(1, 2)

    def reads_in_place(self, like: Tensor) -> bool:
        """Returns True if queries ``like`` these attend to many rows best where they are, uncopied."""
        return dispatch.has_kernels(like)

    def attend(self, layer: int, q_QHD: Tensor, numbers_QK: Tensor, scale: float, *, few: bool) -> Tensor:
        """Returns the attended latents [Q, H, C] over the rows ``numbers_QK``; -1 is padding.

        ``few``: each sequence has few queries, so that a list of rows is worth splitting.
        """
        rows_ND = self.stored[layer]
        if few:
            return dispatch.sparse_mla_decode(q_QHD, rows_ND, numbers_QK, scale, self.latent)
        q_1QHD, numbers_1QK = q_QHD.unsqueeze(0), numbers_QK.unsqueeze(0)
        return dispatch.sparse_mla(q_1QHD, rows_ND.unsqueeze(0), numbers_1QK, scale, self.latent).squeeze(0)


class Fp8RowPool(RowPool):
    """Latents in e4m3 with one scale per 128, rope keys in bf16 (``kernels.reference_fp8``): 656 bytes at 512 + 64."""

    @property
    @override
    def _width(self) -> int:
        return dispatch.row_bytes(self.latent, self.rope)

    @property
    @override
    def _dtype(self) -> torch.dtype:
        return torch.uint8

    @override
    def store(self, layer: int, slots_X: Tensor, rows_XD: Tensor) -> None:
        super().store(layer, slots_X, dispatch.quantize_rows(rows_XD, self.latent))

    @override
    def pages(self, layer: int, table_BP: Tensor) -> Tensor:
        return dispatch.dequantize_rows(super().pages(layer, table_BP), self.latent, self.rope).to(self.dtype)

    @override
    def reads_in_place(self, like: Tensor) -> bool:
        return False  # each row would be decoded once for every query that selects it

    @override
    def attend(self, layer: int, q_QHD: Tensor, numbers_QK: Tensor, scale: float, *, few: bool) -> Tensor:
        return dispatch.sparse_mla_decode_fp8(q_QHD, self.stored[layer], numbers_QK, scale, self.latent)


class KeyPool:
    """Indexer keys of ``layers`` layers. ``pages`` 0: none is stored, because none will be read."""

    def __init__(self, config: ModelConfig, layers: int, pages: int, size: int, like: Tensor) -> None:
        self.size = size
        self.stored = like.new_zeros(layers, pages * size, config.index_head_dim)

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that is stored, each [L, N, ...]."""
        return [self.stored]

    def store(self, layer: int, slots_X: Tensor, keys_XI: Tensor) -> None:
        """Stores keys at their places in a layer."""
        self.stored[layer].index_copy_(0, slots_X, keys_XI)

    def of(self, layer: int, table_BP: Tensor) -> IndexKeys:
        """Returns the keys of a layer where they are, with the pages of each sequence."""
        return IndexKeys(self.stored[layer].unflatten(0, (-1, self.size)), table_BP=table_BP)


class Fp8KeyPool(KeyPool):
    """Indexer keys in e4m3 with one scale a key."""

    def __init__(self, config: ModelConfig, layers: int, pages: int, size: int, like: Tensor) -> None:
        super().__init__(config, layers, pages, size, like)
        self.stored = self.stored.to(torch.float8_e4m3fn)
        self.scales = self.stored.new_zeros(self.stored.shape[:2], dtype=torch.float32)

    @property
    @override
    def tensors(self) -> list[Tensor]:
        return [self.stored.view(torch.uint8), self.scales]

    @override
    def store(self, layer: int, slots_X: Tensor, keys_XI: Tensor) -> None:
        numbers_XI, scales_X = dispatch.quantize(keys_XI)
        self.stored.view(torch.uint8)[layer].index_copy_(0, slots_X, numbers_XI.view(torch.uint8))
        self.scales[layer].index_copy_(0, slots_X, scales_X)

    @override
    def of(self, layer: int, table_BP: Tensor) -> IndexKeys:
        by_page = (-1, self.size)
        scales_GZ = self.scales[layer].unflatten(0, by_page)
        return IndexKeys(self.stored[layer].unflatten(0, by_page), scales_GZ, table_BP)
