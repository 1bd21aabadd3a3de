"""What earlier tokens leave behind: per layer and token one latent row (with the shared rope key) and one indexer key.

Shape suffixes: B batch, S new tokens, T cached tokens, I indexer width, D = latent + rope width, K selected tokens,
N flat rows.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from kernels.dispatch import causal_indices
from model.config import ModelConfig
from model.errors import ModelError


class DecodeRows(NamedTuple):
    """Rows of sequences of one new token each: as columns, their latents as rows, and what is added to their logits.

    Bias None: nothing, since every sequence has all the rows.
    """

    keys_BDT: Tensor
    values_BTC: Tensor
    bias_B1T: Tensor | None


class LayerCache(Protocol):
    """What one layer's attention asks of a cache, contiguous or paged. Row s of a sequence is its token at position s.

    Rows past a sequence's last token may be returned; causality keeps them from being read.
    """

    @property
    def limit(self) -> int:
        """The most tokens that a sequence can come to have."""
        ...

    @property
    def tokens(self) -> int:
        """T: the most that a sequence has, the tokens stored last included."""
        ...

    def store(self, rows_BSD: Tensor, keys_BSI: Tensor | None, positions_BS: Tensor) -> None:
        """Keep new tokens at their positions; position -1 is padding and is dropped. Keys None: none will be read."""
        ...

    def keys(self) -> Tensor:
        """Indexer keys of all sequences, keys_BTI."""
        ...

    def rows(self) -> Tensor:
        """Latent rows of all sequences, rows_BTD."""
        ...

    def flat_rows(self, indices_BSK: Tensor | None) -> tuple[Tensor, Tensor]:
        """The store itself, rows_ND, and which of its rows ``indices_BSK`` are; -1 stays -1.

        None: for each of the tokens stored last, all tokens up to it.
        """
        ...

    def decode_rows(self) -> DecodeRows | None:
        """The rows up to the tokens stored last, one of each sequence, where they lie ready for products."""
        ...


class ContiguousLayerCache:
    """Room for ``capacity`` tokens of each sequence, in one tensor."""

    def __init__(self, config: ModelConfig, batch: int, capacity: int, like: Tensor) -> None:
        self._rows_BTD = like.new_zeros(batch, capacity, config.cache_width)
        self._keys_BTI = like.new_zeros(batch, capacity, config.index_head_dim)
        self.tokens = 0
        self._positions_BS = torch.empty(batch, 0, dtype=torch.long, device=like.device)

    @property
    def limit(self) -> int:
        """As LayerCache.limit: the capacity."""
        return self._rows_BTD.shape[1]

    def store(self, rows_BSD: Tensor, keys_BSI: Tensor | None, positions_BS: Tensor) -> None:
        """As LayerCache.store. Raises ModelError where a position is beyond the capacity."""
        length = max(self.tokens, int(positions_BS.max()) + 1)
        if length > self.limit:
            raise ModelError(f"the cache has room for {self.limit} tokens and {length} are needed")
        sequence_N, column_N = (positions_BS >= 0).nonzero(as_tuple=True)
        place_N = positions_BS[sequence_N, column_N]
        self._rows_BTD[sequence_N, place_N] = rows_BSD.detach()[sequence_N, column_N]
        if keys_BSI is not None:
            self._keys_BTI[sequence_N, place_N] = keys_BSI.detach()[sequence_N, column_N]
        self.tokens, self._positions_BS = length, positions_BS

    def keys(self) -> Tensor:
        """As LayerCache.keys, as long as the longest sequence."""
        return self._keys_BTI[:, : self.tokens]

    def rows(self) -> Tensor:
        """As LayerCache.rows, as long as the longest sequence."""
        return self._rows_BTD[:, : self.tokens]

    def flat_rows(self, indices_BSK: Tensor | None) -> tuple[Tensor, Tensor]:
        """As LayerCache.flat_rows."""
        batch, capacity, _ = self._rows_BTD.shape
        if indices_BSK is None:
            indices_BSK = causal_indices(self._positions_BS, self.tokens)
        first_B11 = torch.arange(batch, device=indices_BSK.device)[:, None, None] * capacity
        return self._rows_BTD.flatten(0, 1), torch.where(indices_BSK < 0, -1, indices_BSK + first_B11)

    def decode_rows(self) -> None:
        """As LayerCache.decode_rows: there are none."""


class Cache:
    """The caches of all decoder layers: what a model's ``cache`` argument takes."""

    def __init__(self, layers: Sequence[LayerCache]) -> None:
        self.layers = layers

    @classmethod
    def contiguous(cls, config: ModelConfig, batch: int, capacity: int, like: Tensor) -> "Cache":
        """Room for ``batch`` sequences of ``capacity`` tokens; dtype and device are those of ``like``."""
        layers = range(config.num_hidden_layers)
        return cls([ContiguousLayerCache(config, batch, capacity, like) for _ in layers])
