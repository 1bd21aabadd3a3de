"""Latent KV cache: one latent row (with the shared rope key) and one indexer key per layer and token.

Shape suffixes: B batch, S new tokens, T cached tokens, H heads, I indexer width, C latent width, D = latent + rope
width, K selected tokens.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from typing_extensions import override

from kernels import dispatch
from kernels.dispatch import IndexKeys, causal_indices
from model.config import ModelConfig
from model.errors import ModelError


class LayerCache(Protocol):
    """Cache of one layer, contiguous or paged. Row s of a sequence is its token at position s.

    Rows past a sequence's last token may be returned; the causal mask excludes them.
    """

    @property
    def limit(self) -> int:
        """Maximum number of tokens of a sequence."""
        ...

    @property
    def tokens(self) -> int:
        """T, the length of the longest sequence, including the tokens stored last."""
        ...

    def store(self, rows_BSD: Tensor, keys_BSI: Tensor | None, positions_BS: Tensor) -> None:
        """Stores new tokens at their positions; position -1 is padding. ``keys_BSI`` None: no keys will be read."""
        ...

    def index_keys(self) -> IndexKeys:
        """Returns the indexer keys of all sequences where they are stored."""
        ...

    def attend(self, q_BSHD: Tensor, indices_BSK: Tensor | None, scale: float, latent: int) -> Tensor:
        """Returns the attended latents out_BSHC of the tokens stored last, over the positions ``indices_BSK``.

        ``indices_BSK`` None: all tokens up to each of them.
        """
        ...


class ContiguousLayerCache(LayerCache):
    """One tensor with room for ``capacity`` tokens of each sequence.

    ``store`` raises ModelError for a position beyond the capacity.
    """

    def __init__(self, config: ModelConfig, batch: int, capacity: int, like: Tensor) -> None:
        self._rows_BTD = like.new_zeros(batch, capacity, config.cache_width)
        self._keys_BTI = like.new_zeros(batch, capacity, config.index_head_dim)
        self._tokens = 0
        self._positions_BS = torch.empty(batch, 0, dtype=torch.long, device=like.device)

    @property
    @override
    def limit(self) -> int:
        return self._rows_BTD.shape[1]

    @property
    @override
    def tokens(self) -> int:
        return self._tokens

    @override
    def store(self, rows_BSD: Tensor, keys_BSI: Tensor | None, positions_BS: Tensor) -> None:
        length = max(self.tokens, int(positions_BS.max()) + 1)
        if length > self.limit:
            raise ModelError(f"the cache has room for {self.limit} tokens and {length} are needed; raise its capacity")
        sequence_N, column_N = (positions_BS >= 0).nonzero(as_tuple=True)
        place_N = positions_BS[sequence_N, column_N]
        self._rows_BTD[sequence_N, place_N] = rows_BSD.detach()[sequence_N, column_N]
        if keys_BSI is not None:
            self._keys_BTI[sequence_N, place_N] = keys_BSI.detach()[sequence_N, column_N]
        self._tokens, self._positions_BS = length, positions_BS

    @override
    def index_keys(self) -> IndexKeys:
        return IndexKeys(self._keys_BTI[:, : self.tokens])

    @override
    def attend(self, q_BSHD: Tensor, indices_BSK: Tensor | None, scale: float, latent: int) -> Tensor:
        if indices_BSK is None:
            indices_BSK = causal_indices(self._positions_BS, self.tokens)
        batch, queries, *_ = q_BSHD.shape
        if queries > 1:
            return dispatch.sparse_mla(q_BSHD, self._rows_BTD[:, : self.tokens], indices_BSK, scale, latent)
        # One query reads its own rows alone.
        first_B1 = self.limit * torch.arange(batch, device=indices_BSK.device).unsqueeze(1)
        numbers_BK = torch.where(indices_BSK[:, 0] < 0, -1, indices_BSK[:, 0] + first_B1)
        rows_ND = self._rows_BTD.flatten(0, 1)
        return dispatch.sparse_mla_decode(q_BSHD[:, 0], rows_ND, numbers_BK, scale, latent).unsqueeze(1)


class Cache:
    """Caches of all decoder layers, the ``cache`` argument of a model."""

    def __init__(self, layers: Sequence[LayerCache]) -> None:
        self.layers = layers

    @classmethod
    def contiguous(cls, config: ModelConfig, batch: int, capacity: int, like: Tensor) -> "Cache":
        """Returns a cache for ``batch`` sequences of ``capacity`` tokens, with the dtype and device of ``like``."""
        layers = range(config.num_hidden_layers)
        return cls([ContiguousLayerCache(config, batch, capacity, like) for _ in layers])
