"""Reference: the specification of every DeepSeek-Sparse-Attention operation in torch (DeepSeek-V3.2-Exp, section 2).

Any faster version must give what these functions give, ties and padding included. They run on any device, hold memory
down by going over the queries in chunks, and let autograd through.

Shape suffixes: B batch, S query tokens, T cached tokens, H attention heads, J indexer heads, I indexer width,
C latent width (the values), D = C + rope width (the keys), K selected tokens, N rows of a flat cache.
"""

from collections.abc import Callable

import torch
from torch import Tensor

CHUNK_ELEMENTS = 1 << 24  # the largest intermediate tensor: 64 MiB in fp32
NEVER = -1e30  # added to a logit: no weight in any softmax, and far from overflow
DENSE_UP_TO = 4  # masking is cheaper than gathering rows while the cache has at most this multiple of K tokens


def index_scores(q_BSJI: Tensor, k_BTI: Tensor, w_BSJ: Tensor, positions_BS: Tensor) -> Tensor:
    """I[t, s] = sum_j w[t, j] relu(q[t, j] . k[s]) in fp32 (equation 1), -inf where s is later than the query.

    ``w_BSJ`` holds the scale J^-1/2 I^-1/2 already. Row s of ``k_BTI`` is the token at position s; ``positions_BS`` are
    the queries' positions, -1 for padding. Returns scores_BST.
    """
    dtype = torch.promote_types(q_BSJI.dtype, torch.float32)
    q_BSJI, k_BTI, w_BSJ = q_BSJI.to(dtype), k_BTI.to(dtype), w_BSJ.to(dtype)

    def score(part: slice) -> Tensor:
        return _index_scores(q_BSJI[:, part], k_BTI, w_BSJ[:, part], positions_BS[:, part])

    batch, queries, heads = w_BSJ.shape
    return over_queries(score, queries, batch * heads * k_BTI.shape[1])


def _index_scores(q_BSJI: Tensor, k_BTI: Tensor, w_BSJ: Tensor, positions_BS: Tensor) -> Tensor:
    dots_BSJT = (q_BSJI.flatten(1, 2) @ k_BTI.transpose(1, 2)).unflatten(1, w_BSJ.shape[1:]).relu()
    # Adding 0.0 turns -0.0 (a negative weight times an exact zero) into 0.0, so that the plateau of zeros is one value.
    scores_BST = (w_BSJ.unsqueeze(2) @ dots_BSJT).squeeze(2) + 0.0
    tokens_T = torch.arange(k_BTI.shape[1], device=k_BTI.device)
    return scores_BST.masked_fill(tokens_T > positions_BS.unsqueeze(-1), -torch.inf)


def select_topk(scores_BST: Tensor, k: int) -> Tensor:
    """The ``k`` highest scores of each row: indices_BSK in int32, K = min(k, T), ascending, then -1 for want of tokens.

    Among equal scores the lowest index wins; scores of -inf, and NaN, are never selected. No gradient.
    """
    scores_BST = scores_BST.detach()
    scores_BST = scores_BST.masked_fill(scores_BST.isnan(), -torch.inf)
    chosen_BST = scores_BST > -torch.inf
    width = min(k, scores_BST.shape[-1])
    if width < scores_BST.shape[-1]:
        lowest_BS1 = scores_BST.topk(width, dim=-1).values[..., -1:]
        above_BST = scores_BST > lowest_BS1
        level_BST = scores_BST == lowest_BS1
        left_BS1 = width - above_BST.sum(-1, keepdim=True)
        chosen_BST &= above_BST | (level_BST & (level_BST.cumsum(-1) <= left_BS1))
    return _compact(chosen_BST, width)


def index_topk(q_BSJI: Tensor, k_BTI: Tensor, w_BSJ: Tensor, positions_BS: Tensor, k: int) -> Tensor:
    """``select_topk`` of ``index_scores`` without ever holding all scores: indices_BSK. No gradient.

    Where all tokens are selected anyway, no score is computed, and none found to be NaN.
    """
    q_BSJI, k_BTI, w_BSJ = q_BSJI.detach(), k_BTI.detach(), w_BSJ.detach()
    if k_BTI.shape[1] <= k:
        return causal_indices(positions_BS, k_BTI.shape[1])

    def select(part: slice) -> Tensor:
        return select_topk(index_scores(q_BSJI[:, part], k_BTI, w_BSJ[:, part], positions_BS[:, part]), k)

    batch, queries, heads = w_BSJ.shape
    return over_queries(select, queries, batch * heads * k_BTI.shape[1])


def causal_indices(positions_BS: Tensor, tokens: int) -> Tensor:
    """Returns each query's tokens up to its own, indices_BST in int32: any selection of at least ``tokens``."""
    tokens_T = torch.arange(tokens, dtype=torch.int32, device=positions_BS.device)
    # Not torch.where: it would copy the number to a GPU, which a recorded CUDA graph may not.
    later_BST = tokens_T > positions_BS.unsqueeze(-1)
    return tokens_T.expand_as(later_BST).masked_fill(later_BST, -1)


def _compact(chosen_BST: Tensor, width: int) -> Tensor:
    """Indices of the True entries, ascending, in the first of ``width`` places, -1 in the others."""
    *rows, tokens = chosen_BST.shape
    places_BST = torch.where(chosen_BST, chosen_BST.cumsum(-1) - 1, width)  # those not chosen go to a place cut off
    tokens_T = torch.arange(tokens, dtype=torch.int32, device=chosen_BST.device).expand_as(chosen_BST)
    indices = torch.full((*rows, width + 1), -1, dtype=torch.int32, device=chosen_BST.device)
    return indices.scatter_(-1, places_BST, tokens_T)[..., :width]


def membership(indices_BSK: Tensor, tokens: int) -> Tensor:
    """The selection as a mask_BST over ``tokens`` cached tokens."""
    places_BSK = torch.where(indices_BSK < 0, tokens, indices_BSK).long()
    mask = torch.zeros(*indices_BSK.shape[:2], tokens + 1, dtype=torch.bool, device=indices_BSK.device)
    return mask.scatter_(-1, places_BSK, True)[..., :tokens]


def sparse_mla(q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, scale: float, latent: int) -> Tensor:
    """Attention of each query over its selected tokens (equation 2), MLA in MQA mode: all heads share the rows.

    A row is a key as a whole and a value in its first ``latent`` entries. Softmax in fp32. A query whose indices are
    all -1 gives zeros. Returns out_BSHC in the dtype of ``q_BSHD``.
    """
    batch, queries, heads, width = q_BSHD.shape
    tokens, selected = kv_BTD.shape[1], indices_BSK.shape[-1]
    dense = tokens <= DENSE_UP_TO * selected
    attend = _attend_masked if dense else _attend_gathered
    dtype = torch.promote_types(q_BSHD.dtype, torch.float32)

    def attention(part: slice) -> Tensor:
        return attend(q_BSHD[:, part].to(dtype), kv_BTD.to(dtype), indices_BSK[:, part], scale, latent)

    elements_per_query = batch * (heads * tokens if dense else selected * max(heads, width))
    return over_queries(attention, queries, elements_per_query).to(q_BSHD.dtype)


def sparse_mla_decode(q_BHD: Tensor, rows_ND: Tensor, indices_BK: Tensor, scale: float, latent: int) -> Tensor:
    """Attends with one query per sequence over a cache of flat rows that all sequences share; see ``sparse_mla``.

    ``indices_BK`` are row numbers (page * page size + offset in a paged cache), -1 for padding; rows not named are not
    read. Returns out_BHC.
    """
    dtype = torch.promote_types(q_BHD.dtype, torch.float32)
    padding_BK = indices_BK < 0
    rows_BKD = rows_ND.index_select(0, _row_numbers(indices_BK, padding_BK).flatten()).view(*indices_BK.shape, -1)
    return _attend_rows(q_BHD.to(dtype), rows_BKD.to(dtype), padding_BK, scale, latent).to(q_BHD.dtype)


def _attend_masked(q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, scale: float, latent: int) -> Tensor:
    batch, queries, heads, _ = q_BSHD.shape
    selected_BST = membership(indices_BSK, kv_BTD.shape[1])
    # Unselected rows may hold anything, and 0 * NaN is NaN.
    kv_BTD = kv_BTD.masked_fill(~selected_BST.any(1).unsqueeze(-1), 0.0)
    logits_BSHT = ((q_BSHD * scale).flatten(1, 2) @ kv_BTD.transpose(1, 2)).view(batch, queries, heads, -1)
    probs_BSHT = _softmax(logits_BSHT, ~selected_BST.unsqueeze(2))
    out_BSHC = (probs_BSHT.flatten(1, 2) @ kv_BTD[..., :latent]).view(batch, queries, heads, latent)
    return out_BSHC.masked_fill(~selected_BST.any(-1)[..., None, None], 0.0)


def _attend_gathered(q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, scale: float, latent: int) -> Tensor:
    rows_NKD, padding_NK = gather_rows(kv_BTD, indices_BSK).flatten(0, 1), (indices_BSK < 0).flatten(0, 1)
    out_NHC = _attend_rows(q_BSHD.flatten(0, 1), rows_NKD, padding_NK, scale, latent)
    return out_NHC.unflatten(0, q_BSHD.shape[:2])


def gather_rows(rows_BTD: Tensor, indices_BSK: Tensor) -> Tensor:
    """The rows that each query selected, [B, S, K, D]; padding repeats a query's first row."""
    batch, tokens, _ = rows_BTD.shape
    first_B11 = torch.arange(batch, device=rows_BTD.device)[:, None, None] * tokens
    numbers_BSK = _row_numbers(indices_BSK, indices_BSK < 0) + first_B11
    return rows_BTD.flatten(0, 1).index_select(0, numbers_BSK.flatten()).view(*numbers_BSK.shape, -1)


def _attend_rows(q_NHD: Tensor, rows_NKD: Tensor, padding_NK: Tensor, scale: float, latent: int) -> Tensor:
    """Each query over its own rows where they are no padding, out_NHC."""
    bias_N1K = torch.where(padding_NK, NEVER, 0.0).to(q_NHD.dtype).unsqueeze(1)
    probs_NHK = torch.baddbmm(bias_N1K, q_NHD, rows_NKD.transpose(1, 2), alpha=scale).softmax(-1)
    out_NHC = torch.bmm(probs_NHK, rows_NKD[..., :latent])
    return out_NHC.masked_fill(padding_NK.all(-1)[:, None, None], 0.0)


def _row_numbers(indices: Tensor, padding: Tensor) -> Tensor:
    """Rows to read. For padding it is the query's own first row, so that rows it does not name are not read: they may
    hold NaN. A query that names none reads row 0, and its result is dropped."""
    return torch.where(padding, indices[..., :1].clamp(min=0), indices)


def _softmax(logits: Tensor, excluded: Tensor) -> Tensor:
    """Softmax over the last axis; the lowest finite number, not -inf, keeps rows without any token free of NaN."""
    return logits.masked_fill(excluded, torch.finfo(logits.dtype).min).softmax(-1)


def over_queries(function: Callable[[slice], Tensor], queries: int, elements_per_query: int) -> Tensor:
    """``function`` on successive slices of the queries, joined along axis 1."""
    step = max(1, CHUNK_ELEMENTS // max(1, elements_per_query))
    parts = [function(slice(start, start + step)) for start in range(0, queries, step)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
