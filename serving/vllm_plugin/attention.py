"""Sparse attention of one step over vLLM's pages, by the project's operations (``kernels.dispatch``).

Decoding sequences are one call; prefills follow one by one, over copies of their rows. Shape suffixes: N new tokens of
the step, B decoding sequences, S new and T all tokens of a prefill, P pages, H heads, D row width, C latent width,
J indexer heads, I indexer width, K selected tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from kernels import dispatch
from kernels.dispatch import IndexKeys
from serving.vllm_plugin.batch import Batch, Prefill
from serving.vllm_plugin.paged_rows import PagedRows


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

    rows: PagedRows
    keys: PagedRows | None
    topk: int
    scale: float
    latent: int

    def attend(self, inputs: StepInputs, batch: Batch) -> Tensor:
        """Returns the attended latents [N, H, C]; rows and keys of the new tokens must be stored already."""
        out_NHC = inputs.q_NHD.new_zeros(*inputs.q_NHD.shape[:2], self.latent)
        if batch.decodes:
            out_NHC[: batch.decodes] = self._decode(inputs, batch)
        for prefill in batch.prefills:
            out_NHC[prefill.first : prefill.end] = self._prefill(inputs, batch, prefill)
        return out_NHC

    def _decode(self, inputs: StepInputs, batch: Batch) -> Tensor:
        new = slice(batch.decodes)
        size = self.rows.pool_GZW.shape[1]
        table_BP = batch.table_BP[new, : -(-batch.longest // size)]
        positions_B1 = inputs.positions_N[new].unsqueeze(1)
        if self.keys is None or batch.longest <= self.topk:
            indices_BK = dispatch.causal_indices(positions_B1, batch.longest).squeeze(1)
        else:
            keys = IndexKeys(self.keys.pool_GZW, table_BP=table_BP)
            q_B1JI, w_B1J = inputs.index_NJI[new].unsqueeze(1), inputs.w_NJ[new].unsqueeze(1)
            indices_BK = dispatch.index_topk(q_B1JI, keys, w_B1J, positions_B1, self.topk).squeeze(1)
        rows_RD, step = self.rows.flat()
        places_BK = indices_BK.clamp(min=0).long()
        numbers_BK = table_BP.gather(1, places_BK // size).long() * step + places_BK % size
        numbers_BK = torch.where(indices_BK < 0, -1, numbers_BK)
        return dispatch.sparse_mla_decode(inputs.q_NHD[new], rows_RD, numbers_BK, self.scale, self.latent)

    def _prefill(self, inputs: StepInputs, batch: Batch, prefill: Prefill) -> Tensor:
        new = slice(prefill.first, prefill.end)
        table_P = batch.table_BP[prefill.sequence, : -(-prefill.tokens // self.rows.pool_GZW.shape[1])]
        positions_1S = inputs.positions_N[new].unsqueeze(0)
        if self.keys is None or prefill.tokens <= self.topk:
            indices_1SK = dispatch.causal_indices(positions_1S, prefill.tokens)
        else:
            keys_1TI = self.keys.gather(table_P)[: prefill.tokens].unsqueeze(0)
            q_1SJI, w_1SJ = inputs.index_NJI[new].unsqueeze(0), inputs.w_NJ[new].unsqueeze(0)
            indices_1SK = dispatch.index_topk(q_1SJI, keys_1TI, w_1SJ, positions_1S, self.topk)
        rows_1TD = self.rows.gather(table_P)[: prefill.tokens].unsqueeze(0)
        out_1SHC = dispatch.sparse_mla(inputs.q_NHD[new].unsqueeze(0), rows_1TD, indices_1SK, self.scale, self.latent)
        return out_1SHC.squeeze(0)
