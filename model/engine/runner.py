"""Model runner: forward passes over sequences in the paged cache.

Shape suffixes: B batch, S new tokens, M model width, V vocabulary, N = B or the rows sampled from.
"""

from collections.abc import Sequence as Rows

import torch
from torch import Tensor

from model.engine.decode_graphs import DecodeGraphs
from model.engine.paged_kv_cache import PagedBatch, PagedKVCache
from model.engine.sequence import Sequence
from model.rope import rope_tables
from model.router_capture import capture_routing, capture_selections, selections
from model.transformer import DsaModel

PADDING = -1


class Runner:
    """Runs ``model`` on chunks of sequences; the cache records routing and selections if it has room for them.

    ``graphs``: of decode steps, for a cache that records nothing and has the decoder layers alone.
    """

    def __init__(self, model: DsaModel, kv_cache: PagedKVCache, graphs: DecodeGraphs | None = None) -> None:
        self.model, self.kv_cache, self._graphs = model, kv_cache, graphs
        self._selections = list(selections(model.model))

    def hidden(self, sequences: Rows[Sequence], chunks: Rows[Rows[int]]) -> Tensor:
        """Returns the hidden states [B, S, M] of ``chunks``, the next uncached tokens of each sequence."""
        # With an MTP layer in the cache, the decode buffer is off: that layer's rows are written in other batches.
        decodes = max(map(len, chunks)) == 1 and self.kv_cache.layers == self.model.config.num_hidden_layers
        if decodes and self._graphs and (hidden_B1M := self._graphs.hidden(sequences)) is not None:
            return hidden_B1M
        batch, ids_BS = self._batch(
            sequences, [sequence.num_cached_tokens for sequence in sequences], chunks, decodes=decodes
        )
        cache = batch.cache(0, self.model.config.num_hidden_layers)
        if not self.kv_cache.captures:
            return self.model.hidden(ids_BS, batch.positions_BS, cache)
        with capture_routing(self.model.model) as experts, capture_selections(self.model.model) as selected:
            hidden_BSM = self.model.hidden(ids_BS, batch.positions_BS, cache)
        if experts:
            experts_NEA = torch.stack(list(experts.values()), dim=1)
            self.kv_cache.store_routing(batch, experts_NEA.unflatten(0, ids_BS.shape))
        self.kv_cache.store_selection(batch, [selected.get(name) for name in self._selections])
        return hidden_BSM

    def mtp_hidden(
        self, sequences: Rows[Sequence], first: Rows[int], hidden_BSM: Tensor, chunks: Rows[Rows[int]]
    ) -> Tensor:
        """Returns the MTP states [B, S, M] of the tokens from positions ``first`` on.

        ``hidden_BSM`` are their hidden states, ``chunks`` the token after each of them.
        """
        batch, next_BS = self._batch(sequences, first, chunks, decodes=False)
        next_BSM = self.model.model.embed_tokens(next_BS)
        rope = rope_tables(self.model.config, batch.positions_BS)
        layer_cache = batch.cache(self.model.config.num_hidden_layers, 1).layers[0]
        return self.model.mtp[0](hidden_BSM, next_BSM, batch.positions_BS, rope, layer_cache)

    def _batch(
        self, sequences: Rows[Sequence], first: Rows[int], chunks: Rows[Rows[int]], *, decodes: bool
    ) -> tuple[PagedBatch, Tensor]:
        longest = max(map(len, chunks))
        padding = [longest - len(chunk) for chunk in chunks]
        positions = [
            [*range(start, start + len(chunk)), *[PADDING] * pad]
            for start, chunk, pad in zip(first, chunks, padding, strict=True)
        ]
        ids = [[*chunk, *[0] * pad] for chunk, pad in zip(chunks, padding, strict=True)]
        batch = PagedBatch.of(self.kv_cache, [sequence.pages for sequence in sequences], positions, decodes=decodes)
        return batch, torch.tensor(ids, device=batch.positions_BS.device)
