"""Indexer scores over keys as a cache holds them: in FP8, in pages, or both. The specification, in plain torch.

Shape suffixes as in ``kernels.reference``; Z tokens of a page, G pages of a pool, P pages of a sequence.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from kernels import reference


class IndexKeys(NamedTuple):
    """Keys of the indexer. A plain tensor k_BTI is the same as ``IndexKeys(k_BTI)``.

    ``rows`` is k_BTI or, with a table, a pool k_GZI; ``scales`` [B, T] or [G, Z] in fp32 go with rows in e4m3
    (``reference_fp8.quantize``); ``table_BP`` holds the pages of each sequence in order: token t of sequence b is row
    t % Z of page table[b, t // Z]. Pages outside [0, G) are not read; their tokens score -inf.
    """

    rows: Tensor
    scales: Tensor | None = None
    table_BP: Tensor | None = None

    @property
    def tokens(self) -> int:
        """T, the length of a row of scores."""
        return self.rows.shape[1] * (1 if self.table_BP is None else self.table_BP.shape[1])


def as_keys(keys: Tensor | IndexKeys) -> IndexKeys:
    """The keys as IndexKeys. Raises TypeError for FP8 rows without scales, or scales of other rows."""
    keys = IndexKeys(keys) if isinstance(keys, Tensor) else keys
    if (keys.rows.dtype == torch.float8_e4m3fn) != (keys.scales is not None):
        raise TypeError(f"keys in torch.float8_e4m3fn, and no others, have scales; these are in {keys.rows.dtype}")
    return keys


def index_scores(q_BSJI: Tensor, keys: Tensor | IndexKeys, w_BSJ: Tensor, positions_BS: Tensor) -> Tensor:
    """Returns the scores_BST of ``reference.index_scores`` over plain, FP8 or paged keys.

    With FP8 keys the queries are in e4m3 too, their scales within the weights (``reference_fp8.quantize_queries``);
    the key's scale multiplies the sum over heads.
    """
    keys = as_keys(keys)
    if keys.scales is None and keys.table_BP is None:
        return reference.index_scores(q_BSJI, keys.rows, w_BSJ, positions_BS)
    k_BTI, scales_BT, held_BT = _in_order(keys)
    scores_BST = reference.index_scores(_numbers(q_BSJI), _numbers(k_BTI), w_BSJ, positions_BS)
    later_BST = scores_BST == -torch.inf
    if scales_BT is not None:
        scores_BST = scores_BST * scales_BT.unsqueeze(1) + 0.0
    return scores_BST.masked_fill(later_BST | ~held_BT.unsqueeze(1), -torch.inf)


def index_topk(
    q_BSJI: Tensor, keys: Tensor | IndexKeys, w_BSJ: Tensor, positions_BS: Tensor, k: int, *, fused: bool | None = None
) -> Tensor:
    """``reference.select_topk`` of ``index_scores`` without ever holding all scores: indices_BSK. No gradient.

    ``fused`` affects only the kernels' speed.
    """
    del fused
    keys = as_keys(keys)
    if keys.scales is None and keys.table_BP is None:
        return reference.index_topk(q_BSJI, keys.rows, w_BSJ, positions_BS, k)

    def select(part: slice) -> Tensor:
        return reference.select_topk(index_scores(q_BSJI[:, part], keys, w_BSJ[:, part], positions_BS[:, part]), k)

    batch, queries, heads = w_BSJ.shape
    return reference.over_queries(select, queries, batch * heads * keys.tokens)


def _in_order(keys: IndexKeys) -> tuple[Tensor, Tensor | None, Tensor]:
    """k_BTI, scales_BT, and which tokens lie on a page of the pool, held_BT (or [1, 1] where all do)."""
    if keys.table_BP is None:
        return keys.rows, keys.scales, torch.ones(1, 1, dtype=torch.bool, device=keys.rows.device)
    held_BP = (keys.table_BP >= 0) & (keys.table_BP < keys.rows.shape[0])
    pages_BP = torch.where(held_BP, keys.table_BP, 0)
    scales_BT = None if keys.scales is None else keys.scales[pages_BP].flatten(1)
    rows_GZI = keys.rows.view(torch.uint8) if keys.rows.dtype == torch.float8_e4m3fn else keys.rows
    # index_select copies page by page, indexing number by number.
    rows_BTI = rows_GZI.index_select(0, pages_BP.flatten()).unflatten(0, pages_BP.shape).flatten(1, 2)
    return rows_BTI.view(keys.rows.dtype), scales_BT, held_BP.repeat_interleave(keys.rows.shape[1], 1)


def _numbers(x: Tensor) -> Tensor:
    return x.float() if x.dtype == torch.float8_e4m3fn else x
