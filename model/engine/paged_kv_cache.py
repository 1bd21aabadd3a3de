"""Paged KV cache: latent rows (with rope keys), indexer keys and, on request, the routing and selection of each token.

Shape suffixes: L layers, N rows of the cache, B batch, S new tokens, T cached tokens, P pages of a sequence, H heads,
C latent width, D = latent + rope width, I indexer width, K selected tokens, E MoE layers, A experts of a token.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from kernels import dispatch
from kernels.dispatch import IndexKeys, causal_indices
from model.cache import Cache, LayerCache
from model.config import ModelConfig
from model.engine.decode_buffer import DecodeBuffer, DecodeStep
from model.engine.row_pools import Fp8KeyPool, Fp8RowPool, KeyPool, RowPool
from model.engine_config import RowsFormat

FEW_QUERIES = 4  # new tokens of a sequence up to which each reads its own rows; above, pages are copied once for all


class PagedKVCache:
    """``pages`` pages of ``size`` tokens in ``layers`` layers, with the dtype and device of ``like``.

    No sequence may have more than ``limit`` tokens. If ``index_topk`` is at least that, no indexer keys are stored,
    because every token is selected. ``rows_format`` "fp8": rows and keys are stored in FP8.
    """

    def __init__(
        self,
        config: ModelConfig,
        layers: int,
        pages: int,
        size: int,
        limit: int,
        like: Tensor,
        *,
        rows_format: RowsFormat,
        routing: bool,
        selection: bool,
    ) -> None:
        self.size, self.limit, self.layers, self.device = size, limit, layers, like.device
        self._topk = config.index_topk
        self._decoded: DecodeStep | None = None
        self._decode_buffer: DecodeBuffer | None = None
        self.null_page = pages  # one more, for the rows of padding sequences
        pages += 1
        row_pool, key_pool = (Fp8RowPool, Fp8KeyPool) if rows_format == "fp8" else (RowPool, KeyPool)
        self.rows = row_pool(config, layers, pages, size, like)
        self.keys = key_pool(config, layers, pages if limit > config.index_topk else 0, size, like)
        moe_layers = config.num_hidden_layers - config.first_k_dense_replace if routing else 0
        experts = (pages * size, max(moe_layers, 0), config.num_experts_per_tok)
        self.experts_NEA = torch.zeros(experts, dtype=torch.int16, device=like.device)
        choices = (pages * size, config.num_hidden_layers if selection else 0, min(config.index_topk, limit))
        self.selection_NLK = torch.zeros(choices, dtype=torch.int32, device=like.device)

    @property
    def captures(self) -> bool:
        """True if the cache records routing or selections."""
        return bool(self.experts_NEA.numel() or self.selection_NLK.numel())

    def decode_buffer(self, numbers_BT: Tensor, decoded: DecodeStep) -> DecodeBuffer | None:
        """Returns the decode buffer for a step, or None if there is none.

        It is used on a CPU while every token attends to all earlier ones. It is built in the second step that the same
        sequences take (rebuilding it in every step would cost more than it saves), and is no larger than the cache.
        Rows in FP8 have none: it would hold the new ones unrounded.
        """
        before, self._decoded = self._decoded, decoded
        buffer, self._decode_buffer = self._decode_buffer, None
        stored = self.rows.stored
        on_cpu = stored.device.type == "cpu" and not dispatch.has_kernels(stored)
        if isinstance(self.rows, Fp8RowPool) or not on_cpu or max(decoded.positions) >= self._topk:
            return None
        if numbers_BT.numel() > stored.shape[1]:
            return None
        places = None if before is None else decoded.places_in(before)
        if places is not None:
            if buffer is not None:
                buffer.keep(places)
            if buffer is None or not buffer.advance():
                buffer = DecodeBuffer(stored, self.rows.latent, numbers_BT, decoded.positions)
            self._decode_buffer = buffer
        return self._decode_buffer

    def invalidate(self, pages: Iterable[int]) -> None:
        """Drops the decode buffer if it copies rows of ``pages``, which are about to be overwritten."""
        if self._decoded is not None and self._decoded.uses(pages):
            self._decoded = None

    def copy(self, source: int, target: int) -> None:
        """Copies page ``source`` to page ``target``."""
        self.invalidate([target])
        for stored in (*self.rows.tensors, *self.keys.tensors):
            if stored.numel():
                by_page = stored.unflatten(1, (-1, self.size))
                by_page[:, target] = by_page[:, source]
        for chosen in (self.experts_NEA, self.selection_NLK):
            by_page = chosen.unflatten(0, (-1, self.size))
            by_page[target] = by_page[source]

    def store_routing(self, batch: "PagedBatch", experts_BSEA: Tensor) -> None:
        """Records the experts of a batch's new tokens."""
        if self.experts_NEA.numel():
            self.experts_NEA.index_copy_(0, batch.slots_X, batch.unpadded(experts_BSEA).to(torch.int16))

    def store_selection(self, batch: "PagedBatch", layers: Sequence[Tensor | None]) -> None:
        """Records the selection of a batch's new tokens in each layer, indices_BSK (None: all earlier tokens)."""
        if not self.selection_NLK.numel():
            return
        width = self.selection_NLK.shape[-1]
        every_BSK = causal_indices(batch.positions_BS, width)
        for layer, chosen_BSK in enumerate(layers):
            indices_BSK = every_BSK if chosen_BSK is None else chosen_BSK
            indices_BSK = functional.pad(indices_BSK, (0, width - indices_BSK.shape[-1]), value=-1)
            self.selection_NLK[:, layer].index_copy_(0, batch.slots_X, batch.unpadded(indices_BSK))

    def experts(self, pages: Sequence[int], tokens: int) -> Tensor:
        """Returns the routing [tokens, E, A] of the first tokens of a sequence, on the CPU."""
        return self._of_sequence(self.experts_NEA, pages, tokens)

    def selection(self, pages: Sequence[int], tokens: int) -> Tensor:
        """Returns the selected positions [tokens, L, K] of the first tokens of a sequence, on the CPU."""
        return self._of_sequence(self.selection_NLK, pages, tokens)

    def _of_sequence(self, chosen_N: Tensor, pages: Sequence[int], tokens: int) -> Tensor:
        by_page = chosen_N.unflatten(0, (-1, self.size))
        return by_page[list(pages)].flatten(0, 1)[:tokens].cpu()


class PagedBatch:
    """Addresses in the cache of the sequences of one forward pass. ``positions`` -1 are padding.

    ``tokens`` is T, at least the length of the longest sequence with its new tokens; ``slots_X`` are the rows of the
    new tokens without padding, in the order of ``unpadded``.
    """

    def __init__(
        self,
        kv_cache: PagedKVCache,
        tokens: int,
        table_BP: Tensor,
        positions_BS: Tensor,
        unpadded: Tensor | None = None,
    ) -> None:
        self.kv_cache, self.tokens, self.table_BP, self.positions_BS = kv_cache, tokens, table_BP, positions_BS
        offsets = torch.arange(kv_cache.size, device=kv_cache.device)
        self.numbers_BT = (table_BP.unsqueeze(-1) * kv_cache.size + offsets).flatten(1)
        self._unpadded = unpadded
        self.slots_X = self.unpadded(self.numbers_BT.gather(1, positions_BS.clamp(min=0)))
        self.decode_buffer: DecodeBuffer | None = None

    @classmethod
    def of(
        cls,
        kv_cache: PagedKVCache,
        pages: Sequence[Sequence[int]],
        positions: Sequence[Sequence[int]],
        *,
        decodes: bool,
    ) -> "PagedBatch":
        """Returns the batch of sequences with these pages and positions of new tokens.

        ``decodes``: each sequence has one new token, and only the decoder layers run.
        """
        device, tokens = kv_cache.device, 1 + max(max(row) for row in positions)
        width = -(-tokens // kv_cache.size)
        table = [list(row[:width]) + [0] * (width - len(row)) for row in pages]
        positions_BS = torch.tensor(positions, device=device)
        padded = any(-1 in row for row in positions)
        unpadded = (positions_BS >= 0).flatten().nonzero().squeeze(1) if padded else None
        batch = cls(kv_cache, tokens, torch.tensor(table, device=device), positions_BS, unpadded)
        if decodes:
            decoded = DecodeStep([list(row) for row in pages], [row[0] for row in positions])
            batch.decode_buffer = kv_cache.decode_buffer(batch.numbers_BT, decoded)
        else:
            rows = zip(pages, positions, strict=True)
            kv_cache.invalidate({row[place // kv_cache.size] for row, new in rows for place in new if place >= 0})
        return batch

    def unpadded(self, values: Tensor) -> Tensor:
        """Returns the entries [X, ...] of ``values`` [B, S, ...] that are not padding."""
        flat = values.flatten(0, 1)
        return flat if self._unpadded is None else flat.index_select(0, self._unpadded)

    def rows_of(self, indices_BSK: Tensor) -> Tensor:
        """Returns the cache rows of positions ``indices_BSK``; -1 stays -1."""
        numbers_B1T = self.numbers_BT.unsqueeze(1).expand(-1, indices_BSK.shape[1], -1)
        numbers_BSK = numbers_B1T.gather(2, indices_BSK.clamp(min=0).long())
        return numbers_BSK.masked_fill_(indices_BSK < 0, -1)

    @cached_property
    def causal_BST(self) -> Tensor:  # noqa: N802  a shape, as in every name
        """Rows of all tokens up to each new token, the same in every layer."""
        return self.rows_of(causal_indices(self.positions_BS, self.tokens))

    def cache(self, first: int, count: int) -> Cache:
        """Returns the model's view of layers ``first`` to ``first + count - 1``."""
        return Cache([PagedLayerCache(self, layer) for layer in range(first, first + count)])


class PagedLayerCache(LayerCache):
    """LayerCache of one layer and one batch."""

    def __init__(self, batch: PagedBatch, layer: int) -> None:
        self._batch, self._layer = batch, layer

    @property
    @override
    def tokens(self) -> int:
        return self._batch.tokens

    @property
    @override
    def limit(self) -> int:
        return self._batch.kv_cache.limit

    @override
    def store(self, rows_BSD: Tensor, keys_BSI: Tensor | None, positions_BS: Tensor) -> None:
        batch = self._batch
        batch.kv_cache.rows.store(self._layer, batch.slots_X, batch.unpadded(rows_BSD))
        if batch.decode_buffer is not None:
            batch.decode_buffer.store(self._layer, rows_BSD)
        if keys_BSI is not None:
            batch.kv_cache.keys.store(self._layer, batch.slots_X, batch.unpadded(keys_BSI))

    @override
    def index_keys(self) -> IndexKeys:
        return self._batch.kv_cache.keys.of(self._layer, self._batch.table_BP)

    @override
    def attend(self, q_BSHD: Tensor, indices_BSK: Tensor | None, scale: float, latent: int) -> Tensor:
        batch, pool, few = self._batch, self._batch.kv_cache.rows, q_BSHD.shape[1] <= FEW_QUERIES
        if indices_BSK is None and batch.decode_buffer is not None:
            return batch.decode_buffer.attend(self._layer, q_BSHD.squeeze(1), scale).unsqueeze(1)
        if few or pool.reads_in_place(q_BSHD):
            numbers_BSK = batch.causal_BST if indices_BSK is None else batch.rows_of(indices_BSK)
            out_QHC = pool.attend(self._layer, q_BSHD.flatten(0, 1), numbers_BSK.flatten(0, 1), scale, few=few)
            return out_QHC.unflatten(0, q_BSHD.shape[:2])
        rows_BTD = pool.pages(self._layer, batch.table_BP)[:, : batch.tokens]
        if indices_BSK is None:
            indices_BSK = causal_indices(batch.positions_BS, batch.tokens)
        return dispatch.sparse_mla(q_BSHD, rows_BTD, indices_BSK, scale, latent)
