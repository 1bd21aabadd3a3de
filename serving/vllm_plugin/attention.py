"""Sparse attention of one step over vLLM's pages, by the project's operations (``kernels.dispatch``).

Decoding sequences are one call. Prefills select their tokens one by one; where the kernels read rows in place, their
attention is one call too, elsewhere one each over copies of their rows. Shape suffixes: N new tokens of the step,
B decoding sequences, S new and T all tokens of a prefill, P pages, H heads, D row width, C latent width, J indexer
heads, I indexer width, K selected tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from kernels import dispatch
from serving.vllm_plugin.batch import Batch, Prefill
from serving.vllm_plugin.paged_rows import KeyRows, LatentRows


@dataclass(frozen=True, slots=True)
class StepInputs:
    """The new tokens of a step in one layer: absorbed queries, indexer queries and weights, positions."""

    q_NHD: Tensor
    index_NJI: Tensor
    w_NJ: Tensor
    positions_N: Tensor


@dataclass(frozen=True, slots=True)
class DsaLayer:
    """The cache and the constants of one layer's attention. ``keys``: of the indexer; None if top-k is never exceeded.

    ``latent`` is the width C that attention returns.
    """

    rows: LatentRows
    keys: KeyRows | None
    topk: int
    scale: float
    latent: int

    def attend(self, inputs: StepInputs, batch: Batch) -> Tensor:
        """Returns the attended latents [N, H, C]; rows and keys of the new tokens must be stored already."""
        out_NHC = inputs.q_NHD.new_zeros(*inputs.q_NHD.shape[:2], self.latent)
        if batch.decodes:
            out_NHC[: batch.decodes] = self._decode(inputs, batch)
        if batch.prefills and self.rows.reads_in_place(inputs.q_NHD):
            new = slice(batch.decodes, batch.prefills[-1].end)
            out_NHC[new] = self._prefill_in_place(inputs, batch, new)
        else:
            for prefill in batch.prefills:
                out_NHC[prefill.first : prefill.end] = self._prefill(inputs, batch, prefill)
        return out_NHC

    def _decode(self, inputs: StepInputs, batch: Batch) -> Tensor:
        new = slice(batch.decodes)
        table_BP = batch.table_BP[new, : self._pages(batch.longest)]
        indices_B1K = self._select(inputs, new, table_BP, batch.longest)
        numbers_B1K = self._numbers(indices_B1K, table_BP)
        return self.rows.attend(inputs.q_NHD[new], numbers_B1K.squeeze(1), self.scale, self.latent, few=True)

    def _prefill_in_place(self, inputs: StepInputs, batch: Batch, new: slice) -> Tensor:
        """Attends with all prefills at once, over the rows of the pool."""
        numbers = []
        for prefill in batch.prefills:
            table_1P = self._table(batch, prefill)
            part = slice(prefill.first, prefill.end)
            numbers_1SK = self._numbers(self._select(inputs, part, table_1P, prefill.tokens, together=True), table_1P)
            numbers.append(numbers_1SK.squeeze(0))
        width = max(part.shape[-1] for part in numbers)
        numbers_NK = torch.cat([functional.pad(part, (0, width - part.shape[-1]), value=-1) for part in numbers])
        return self.rows.attend(inputs.q_NHD[new], numbers_NK, self.scale, self.latent, few=False)

    def _prefill(self, inputs: StepInputs, batch: Batch, prefill: Prefill) -> Tensor:
        """Attends with one prefill, over a copy of its rows."""
        new, table_1P = slice(prefill.first, prefill.end), self._table(batch, prefill)
        indices_1SK = self._select(inputs, new, table_1P, prefill.tokens, together=True)
        rows_1TD = self.rows.gather(table_1P[0])[: prefill.tokens].unsqueeze(0)
        out_1SHC = dispatch.sparse_mla(inputs.q_NHD[new].unsqueeze(0), rows_1TD, indices_1SK, self.scale, self.latent)
        return out_1SHC.squeeze(0)

    def _select(
        self, inputs: StepInputs, new: slice, table_BP: Tensor, tokens: int, *, together: bool = False
    ) -> Tensor:
        """Returns the positions [B, S, K] that new tokens attend to, one a sequence or all ``together`` of one."""
        axis = 0 if together else 1
        positions_BS = inputs.positions_N[new].unsqueeze(axis)
        if self.keys is None or tokens <= self.topk:
            return dispatch.causal_indices(positions_BS, tokens)
        keys, q_BSJI, w_BSJ = (
            self.keys.of(table_BP),
            inputs.index_NJI[new].unsqueeze(axis),
            inputs.w_NJ[new].unsqueeze(axis),
        )
        if keys.scales is not None:
            q_BSJI, w_BSJ = dispatch.quantize_queries(q_BSJI, w_BSJ)
        return dispatch.index_topk(q_BSJI, keys, w_BSJ, positions_BS, self.topk)

    def _numbers(self, indices_BSK: Tensor, table_BP: Tensor) -> Tensor:
        """Returns the numbers of rows in the pool of positions; -1 stays -1."""
        size, (_, step) = self.rows.pool_GZW.shape[1], self.rows.flat()
        places_BX = indices_BSK.clamp(min=0).long().flatten(1)
        numbers_BX = table_BP.gather(1, places_BX // size).long() * step + places_BX % size
        return numbers_BX.view(indices_BSK.shape).masked_fill(indices_BSK < 0, -1)

    def _pages(self, tokens: int) -> int:
        return -(-tokens // self.rows.pool_GZW.shape[1])

    def _table(self, batch: Batch, prefill: Prefill) -> Tensor:
        """Returns the pages of one prefill, [1, P]."""
        return batch.table_BP[prefill.sequence : prefill.sequence + 1, : self._pages(prefill.tokens)]
