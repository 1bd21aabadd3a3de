"""The cache in pages: latent rows (with rope keys), indexer keys and, where wanted, routing of every cached token.

Shape suffixes: L layers, N rows of the store, B batch, S new tokens, T cached tokens, P pages of a sequence,
I indexer width, D = latent + rope width, K selected tokens, E MoE layers, A experts of a token.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from kernels.dispatch import causal_indices, has_kernels
from model.cache import Cache, DecodeRows
from model.config import ModelConfig
from model.engine.decode_buffer import DecodeBuffer, DecodeStep


class PagedKVCache:
    """Room for ``pages`` pages of ``size`` tokens in ``layers`` layers; dtype and device are those of ``like``.

    No sequence may have more than ``limit`` tokens. Where all of those are selected anyway, no indexer key is kept.
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
        routing: bool,
        selection: bool,
    ) -> None:
        self.size, self.limit = size, limit
        self._latent, self._topk = config.kv_lora_rank, config.index_topk
        self._decoded: DecodeStep | None = None
        self._decode_buffer: DecodeBuffer | None = None
        self.rows_LND = like.new_zeros(layers, pages * size, config.cache_width)
        key_rows = pages * size if limit > config.index_topk else 0
        self.keys_LNI = like.new_zeros(layers, key_rows, config.index_head_dim)
        moe_layers = config.num_hidden_layers - config.first_k_dense_replace if routing else 0
        experts = (pages * size, max(moe_layers, 0), config.num_experts_per_tok)
        self.experts_NEA = torch.zeros(experts, dtype=torch.int16, device=like.device)
        choices = (pages * size, config.num_hidden_layers if selection else 0, min(config.index_topk, limit))
        self.selection_NLK = torch.zeros(choices, dtype=torch.int32, device=like.device)

    @property
    def keeps_choices(self) -> bool:
        """Whether there is room for routing or selection."""
        return bool(self.experts_NEA.numel() or self.selection_NLK.numel())

    def decode_buffer(self, numbers_BT: Tensor, decoded: DecodeStep) -> DecodeBuffer | None:
        """Lanes of sequences that decode, where they are of use: on a CPU, and while every token attends to all.

        They are made in the second step that the same sequences take, for with every step others would cost more than
        they save. They have no more rows than the store itself.
        """
        before, self._decoded = self._decoded, decoded
        buffer, self._decode_buffer = self._decode_buffer, None
        on_cpu = self.rows_LND.device.type == "cpu" and not has_kernels(self.rows_LND)
        if not on_cpu or max(decoded.positions) >= self._topk or numbers_BT.numel() > self.rows_LND.shape[1]:
            return None
        places = None if before is None else decoded.places_in(before)
        if places is not None:
            if buffer is not None:
                buffer.keep(places)
            going_on = buffer is not None and buffer.advance()
            self._decode_buffer = (
                buffer if going_on else DecodeBuffer(self.rows_LND, self._latent, numbers_BT, decoded.positions)
            )
        return self._decode_buffer

    def written(self, pages: Iterable[int]) -> None:
        """Rows of ``pages`` are about to change otherwise than by decoding."""
        if self._decoded is not None and self._decoded.uses(pages):
            self._decoded = None

    def copy(self, source: int, target: int) -> None:
        """Make page ``target`` equal page ``source``."""
        self.written([target])
        for stored in (self.rows_LND, self.keys_LNI) if self.keys_LNI.numel() else (self.rows_LND,):
            by_page = stored.unflatten(1, (-1, self.size))
            by_page[:, target] = by_page[:, source]
        for chosen in (self.experts_NEA, self.selection_NLK):
            by_page = chosen.unflatten(0, (-1, self.size))
            by_page[target] = by_page[source]

    def keep_experts(self, batch: "PagedBatch", experts_BSEA: Tensor) -> None:
        """Store the routing of a batch's new tokens."""
        if self.experts_NEA.numel():
            self.experts_NEA.index_copy_(0, batch.slots_X, batch.fed(experts_BSEA).to(torch.int16))

    def keep_selection(self, batch: "PagedBatch", layers: Sequence[Tensor | None]) -> None:
        """Store what a batch's new tokens selected in each layer, indices_BSK (None: all up to their own)."""
        if not self.selection_NLK.numel():
            return
        width = self.selection_NLK.shape[-1]
        every_BSK = causal_indices(batch.positions_BS, width)
        for layer, chosen_BSK in enumerate(layers):
            indices_BSK = every_BSK if chosen_BSK is None else chosen_BSK
            indices_BSK = functional.pad(indices_BSK, (0, width - indices_BSK.shape[-1]), value=-1)
            self.selection_NLK[:, layer].index_copy_(0, batch.slots_X, batch.fed(indices_BSK))

    def experts(self, pages: Sequence[int], tokens: int) -> Tensor:
        """Routing [tokens, E, A] of the first tokens of a sequence, on the CPU."""
        return self._of_sequence(self.experts_NEA, pages, tokens)

    def selection(self, pages: Sequence[int], tokens: int) -> Tensor:
        """Selected positions [tokens, L, K] of the first tokens of a sequence, on the CPU."""
        return self._of_sequence(self.selection_NLK, pages, tokens)

    def _of_sequence(self, chosen_N: Tensor, pages: Sequence[int], tokens: int) -> Tensor:
        by_page = chosen_N.unflatten(0, (-1, self.size))
        return by_page[list(pages)].flatten(0, 1)[:tokens].cpu()


class PagedBatch:
    """Where the sequences of one forward pass stand in the store. ``positions`` -1 are padding.

    ``tokens`` is T, the longest sequence with its new tokens; ``slots_X`` are the rows of the new tokens, padding left
    out, in the order that ``fed`` gives. ``decodes``: one new token of each, of the decoder layers alone.
    """

    def __init__(
        self, store: PagedKVCache, pages: Sequence[Sequence[int]], positions: Sequence[Sequence[int]], *, decodes: bool
    ) -> None:
        device = store.rows_LND.device
        self.store = store
        self.tokens = 1 + max(max(row) for row in positions)
        width = -(-self.tokens // store.size)
        table = [list(row[:width]) + [0] * (width - len(row)) for row in pages]
        self.table_BP = torch.tensor(table, device=device)
        offsets = torch.arange(store.size, device=device)
        self.numbers_BT = (self.table_BP.unsqueeze(-1) * store.size + offsets).flatten(1)
        self.positions_BS = torch.tensor(positions, device=device)
        slots_BS = self.numbers_BT.gather(1, self.positions_BS.clamp(min=0))
        padded = any(-1 in row for row in positions)
        self._fed = (self.positions_BS >= 0).flatten().nonzero().squeeze(1) if padded else None
        self.slots_X = self.fed(slots_BS)
        self.decode_buffer = None
        if decodes:
            decoded = DecodeStep([list(row) for row in pages], [row[0] for row in positions])
            self.decode_buffer = store.decode_buffer(self.numbers_BT, decoded)
        else:
            rows = zip(pages, positions, strict=True)
            store.written({row[place // store.size] for row, new in rows for place in new if place >= 0})

    def fed(self, values: Tensor) -> Tensor:
        """[B, S, ...] to [X, ...]: the entries that are no padding."""
        flat = values.flatten(0, 1)
        return flat if self._fed is None else flat.index_select(0, self._fed)

    def rows_of(self, indices_BSK: Tensor) -> Tensor:
        """The store's rows of positions ``indices_BSK``; -1 stays -1."""
        numbers_B1T = self.numbers_BT.unsqueeze(1).expand(-1, indices_BSK.shape[1], -1)
        numbers_BSK = numbers_B1T.gather(2, indices_BSK.clamp(min=0).long())
        return numbers_BSK.masked_fill_(indices_BSK < 0, -1)

    @cached_property
    def causal_BST(self) -> Tensor:  # noqa: N802  a shape, as in every name
        """For each new token the rows of all tokens up to it: the same in every layer."""
        return self.rows_of(causal_indices(self.positions_BS, self.tokens))

    def cache(self, first: int, count: int) -> Cache:
        """The model's view of layers ``first`` to ``first + count``."""
        return Cache([PagedLayerCache(self, layer) for layer in range(first, first + count)])


class PagedLayerCache:
    """One layer of the store as a LayerCache for one batch."""

    def __init__(self, batch: PagedBatch, layer: int) -> None:
        self._batch, self._layer = batch, layer
        self._rows_ND = batch.store.rows_LND[layer]
        self._keys_NI = batch.store.keys_LNI[layer]

    @property
    def tokens(self) -> int:
        """As LayerCache.tokens."""
        return self._batch.tokens

    @property
    def limit(self) -> int:
        """As LayerCache.limit."""
        return self._batch.store.limit

    def store(self, rows_BSD: Tensor, keys_BSI: Tensor | None, positions_BS: Tensor) -> None:
        """As LayerCache.store; ``positions_BS`` are the batch's own."""
        slots_X = self._batch.slots_X
        self._rows_ND.index_copy_(0, slots_X, self._batch.fed(rows_BSD))
        if self._batch.decode_buffer is not None:
            self._batch.decode_buffer.store(self._layer, rows_BSD)
        if keys_BSI is not None:
            self._keys_NI.index_copy_(0, slots_X, self._batch.fed(keys_BSI))

    def keys(self) -> Tensor:
        """As LayerCache.keys."""
        return self._gathered(self._keys_NI)

    def rows(self) -> Tensor:
        """As LayerCache.rows."""
        return self._gathered(self._rows_ND)

    def flat_rows(self, indices_BSK: Tensor | None) -> tuple[Tensor, Tensor]:
        """As LayerCache.flat_rows."""
        batch = self._batch
        return self._rows_ND, batch.causal_BST if indices_BSK is None else batch.rows_of(indices_BSK)

    def decode_rows(self) -> DecodeRows | None:
        """As LayerCache.decode_rows."""
        return None if self._batch.decode_buffer is None else self._batch.decode_buffer.rows(self._layer)

    def _gathered(self, stored: Tensor) -> Tensor:
        """[B, T, width]: whole pages are copied, which costs a fraction of copying row by row."""
        pages, table_BP = stored.unflatten(0, (-1, self._batch.store.size)), self._batch.table_BP
        by_page = pages.index_select(0, table_BP.flatten()).unflatten(0, table_BP.shape)
        return by_page.flatten(1, 2)[:, : self._batch.tokens]
