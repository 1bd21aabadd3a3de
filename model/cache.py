"""Latent KV cache: one latent row (with the shared rope key) and one indexer key per layer and token.

Shape suffixes: B batch, S new tokens, T cached tokens, I indexer width, D = latent + rope width, K selected tokens,
N flat rows.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from typing_extensions import override

from kernels.dispatch import causal_indices
from model.config import ModelConfig
from model.errors import ModelError


class DecodeRows(NamedTuple):
    """Cached rows of sequences with one new token each: keys as columns, values (latents), and a bias of the logits.

    ``bias_B1T`` None: all sequences have the same length, and no row is masked.
    """

    keys_BDT: Tensor
    values_BTC: Tensor
    bias_B1T: Tensor | None


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

    def keys(self) -> Tensor:
        """Returns the indexer keys of all sequences, keys_BTI."""
        ...

    def rows(self) -> Tensor:
        """Returns the latent rows of all sequences, rows_BTD."""
        ...

    def flat_rows(self, indices_BSK: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns all rows of the cache, rows_ND, and the row numbers of positions ``indices_BSK``; -1 stays -1.

        ``indices_BSK`` None: all tokens up to each of the tokens stored last.
        """
        ...

    def decode_rows(self) -> DecodeRows | None:
        """Returns contiguous rows up to the tokens stored last (one per sequence), or None if there is no such copy."""
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
    def keys(self) -> Tensor:
        return self._keys_BTI[:, : self.tokens]

    @override
    def rows(self) -> Tensor:
        return self._rows_BTD[:, : self.tokens]

    @override
    def flat_rows(self, indices_BSK: Tensor | None) -> tuple[Tensor, Tensor]:
        batch, capacity, _ = self._rows_BTD.shape
        if indices_BSK is None:
            indices_BSK = causal_indices(self._positions_BS, self.tokens)
        first_B11 = torch.arange(batch, device=indices_BSK.device)[:, None, None] * capacity
        return self._rows_BTD.flatten(0, 1), torch.where(indices_BSK < 0, -1, indices_BSK + first_B11)

    @override
    def decode_rows(self) -> None:
        return None


class Cache:
    """Caches of all decoder layers, the ``cache`` argument of a model."""

    def __init__(self, layers: Sequence[LayerCache]) -> None:
        self.layers = layers

    @classmethod
    def contiguous(cls, config: ModelConfig, batch: int, capacity: int, like: Tensor) -> "Cache":
        """Returns a cache for ``batch`` sequences of ``capacity`` tokens, with the dtype and device of ``like``."""
        layers = range(config.num_hidden_layers)
        return cls([ContiguousLayerCache(config, batch, capacity, like) for _ in layers])
