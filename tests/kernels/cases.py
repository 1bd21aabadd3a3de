"""Inputs for the kernels' tests: odd sizes, ragged selections, and poison wherever nothing may be read."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from kernels import dispatch, reference
from kernels.dispatch import IndexKeys

# batch, queries, heads, tokens, selected, latent, rope: DeepSeek-V3.2's widths, the shipped small model's, and odd ones
SHAPES = [
    (1, 3, 20, 97, 67, 512, 64),
    (2, 2, 9, 50, 33, 192, 32),
    (1, 3, 8, 40, 20, 64, 16),
    (2, 2, 3, 13, 8, 24, 10),
]


class AttentionCase(NamedTuple):
    """Arguments of ``sparse_mla``: ``poisoned`` has NaN in every row that no query selected, ``clean`` has not."""

    q_BSHD: Tensor
    clean_BTD: Tensor
    poisoned_BTD: Tensor
    indices_BSK: Tensor
    scale: float
    latent: int


def attention_case(
    shape: tuple[int, ...], dtype: torch.dtype = torch.float32, device: str = "cpu", seed: int = 0
) -> AttentionCase:
    """Random queries and rows; a list that is half padding, one that is all padding, padding amid a list.

    Row 0, to which padding may lead a careless kernel, is never selected.
    """
    batch, queries, heads, tokens, selected, latent, rope = shape
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(batch, queries, heads, latent + rope, generator=generator)
    kv = torch.randn(batch, tokens, latent + rope, generator=generator)
    lists = [torch.randperm(tokens - 1, generator=generator)[:selected].sort().values for _ in range(batch * queries)]
    indices = 1 + torch.stack(lists).view(batch, queries, selected).int()
    indices[0, 0, selected // 2 :] = -1
    indices[0, 1, 1 : selected // 3] = torch.iinfo(torch.int32).min
    indices[-1, -1] = -1
    unused = ~reference.membership(indices, tokens).any(1)
    q, kv, indices = q.to(device, dtype), kv.to(device, dtype), indices.to(device)
    poisoned = kv.masked_fill(unused.unsqueeze(-1).to(device), math.nan)
    return AttentionCase(q, kv, poisoned, indices, (latent + rope) ** -0.5, latent)


class IndexerCase(NamedTuple):
    """Arguments of ``index_scores``; keys after every query of their sequence are NaN."""

    q_BSJI: Tensor
    k_BTI: Tensor
    w_BSJ: Tensor
    positions_BS: Tensor


# batch, queries, heads, tokens, width
INDEXER_SHAPES = [(1, 5, 64, 300, 128), (2, 3, 12, 77, 20), (1, 7, 1, 5, 32)]


def indexer_case(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, device: str = "cpu") -> IndexerCase:
    """Random inputs with padding among the positions, which come in no order."""
    batch, queries, heads, tokens, width = shape
    generator = torch.Generator().manual_seed(tokens)
    q = torch.randn(batch, queries, heads, width, generator=generator)
    k = torch.randn(batch, tokens, width, generator=generator)
    w = torch.randn(batch, queries, heads, generator=generator)
    positions = torch.randint(-1, tokens - 1, (batch, queries), generator=generator)
    positions[0, 0] = -1
    later = torch.arange(tokens) > positions.max(1, keepdim=True).values
    k[later] = math.nan
    return IndexerCase(q.to(device, dtype), k.to(device, dtype), w.to(device), positions.to(device))


def score_rows(tokens: int, device: str = "cpu") -> Tensor:
    """Rows [1, 8, T] that try a selection: ties, a plateau of zeros of both signs, -inf, equal values throughout."""
    generator = torch.Generator().manual_seed(tokens)
    rows = torch.randn(8, tokens, generator=generator)
    rows[1].relu_()
    rows[2] = 0.0
    rows[3] = -rows[3].relu()  # holds -0.0
    rows[4, tokens // 2 :] = -math.inf
    rows[5] = -math.inf
    rows[6] = rows[6].round()
    rows[7] *= 1e-42  # denormal
    return rows.unsqueeze(0).to(device)


def hard_rows(tokens: int, device: str = "cpu") -> Tensor:
    """Rows [12, T]: those of ``score_rows``, rising and falling scores, NaN amid a row, and a row of NaN."""
    rising = torch.arange(tokens).float()
    broken = torch.where(torch.arange(tokens) % 3 == 0, torch.nan, rising.cos())
    return torch.cat((score_rows(tokens)[0], torch.stack((rising, -rising, broken, broken * torch.nan)))).to(device)


def scoring(rows_BT: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Arguments that give one query per sequence exactly these scores: relu(x) - relu(-x) is x."""
    batch, tokens = rows_BT.shape
    keys = rows_BT.new_zeros(batch, tokens, 16)
    keys[..., 0] = rows_BT
    signs = rows_BT.new_tensor([1.0, -1.0])
    q = rows_BT.new_zeros(batch, 1, 2, 16)
    q[..., 0] = signs
    positions = torch.full((batch, 1), tokens - 1, device=rows_BT.device)
    return q, keys, signs.expand(batch, 1, 2), positions


def error_ratio(out: Tensor, expected: Tensor) -> float:
    """||out - expected|| / ||expected|| in fp64; NaN anywhere gives NaN, which no comparison passes."""
    expected = expected.double()
    return ((out.double() - expected).norm() / expected.norm()).item()


def fp8_case(case: IndexerCase) -> tuple[Tensor, IndexKeys, Tensor]:
    """The case's queries, keys and weights in FP8; NaN keys become keys whose scale is NaN."""
    q, w = dispatch.quantize_queries(case.q_BSJI, case.w_BSJ)
    return q, IndexKeys(*dispatch.quantize(case.k_BTI)), w


def paged(keys: IndexKeys, size: int) -> IndexKeys:
    """The keys on shuffled pages of a pool with NaN wherever no sequence's token lies.

    Rows and scales are strided as in one block of memory that holds a page's rows, then its scales.
    """
    batch, tokens, width = keys.rows.shape
    pages = -(-tokens // size)
    order = torch.randperm(batch * pages + 2, generator=torch.Generator().manual_seed(size))[: batch * pages]
    table_BP = order.view(batch, pages).int().to(keys.rows.device)
    item = keys.rows.element_size()
    raw = torch.full((batch * pages + 2, size * (width * item + 4) + 12), 255, dtype=torch.uint8)
    raw = raw[:, : raw.shape[1] // 4 * 4].contiguous().to(keys.rows.device)
    rows_GZI = raw[:, : size * width * item].view(keys.rows.dtype).unflatten(1, (size, width))
    scales_GZ = raw[:, size * width * item :][:, : 4 * size].view(torch.float32)
    for b in range(batch):
        for p in range(pages):
            part = slice(p * size, min(tokens, (p + 1) * size))
            count = part.stop - part.start
            page = int(table_BP[b, p])
            rows_GZI.view(torch.uint8)[page, :count] = keys.rows[b, part].contiguous().view(torch.uint8)
            if keys.scales is not None:
                scales_GZ[page, :count] = keys.scales[b, part]
    return IndexKeys(rows_GZI, None if keys.scales is None else scales_GZ, table_BP)
