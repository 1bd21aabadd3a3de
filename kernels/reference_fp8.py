"""FP8 (e4m3) as the caches hold it: the indexer's keys, and the rows of latents. The specification, in plain torch.

Keys and queries of the indexer have one scale a row, and a query head's is folded into the head's weight (as in
DeepSeek-V3.2's inference code). A latent row has one fp32 scale per 128 latents and keeps its rope part in bf16
(FlashMLA's FP8 cache):

    latents, e4m3 | scales, fp32 | rope, bf16        each field padded to a multiple of 16 bytes

which is 512 + 16 + 128 = 656 bytes for latents of 512 and 64 of rope. A latent narrower than 128 has one scale.
Suffixes as in ``kernels.reference``; X bytes of a row, G groups of 128 latents.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from kernels import reference

GROUP = 128  # latents that share a scale
LARGEST = 448.0  # of e4m3
FIELD = 16  # bytes that fields are aligned to


class Fields(NamedTuple):
    """Views into FP8 rows: values_NC in e4m3, scales_NG in fp32, rope_NR in bf16."""

    values: Tensor
    scales: Tensor
    rope: Tensor


def quantize(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [..., I] as e4m3 numbers and one fp32 scale a row: x is about numbers * scale, the largest being 448.

    Not a number or infinity anywhere in a row is kept by its scale alone: no e4m3 number is NaN.
    """
    scale = x.detach().float().abs().amax(-1) / LARGEST
    scale = scale.clamp(min=torch.finfo(torch.float32).tiny).masked_fill(scale == 0, 1.0)
    scale = scale.masked_fill(scale.isinf(), torch.nan)
    numbers = (x.detach().float() / scale.unsqueeze(-1)).nan_to_num(0.0).clamp(-LARGEST, LARGEST)
    return numbers.to(torch.float8_e4m3fn), scale


def quantize_queries(q_BSJI: Tensor, w_BSJ: Tensor) -> tuple[Tensor, Tensor]:
    """The indexer's queries in e4m3, and its weights with their scales: relu(s q.k) is s relu(q.k)."""
    numbers, scale_BSJ = quantize(q_BSJI)
    return numbers, w_BSJ.detach().float() * scale_BSJ


def row_bytes(latent: int, rope: int) -> int:
    """Bytes of an FP8 row."""
    return _padded(latent) + _padded(4 * _groups(latent)) + _padded(2 * rope)


def fields(rows_NX: Tensor, latent: int, rope: int) -> Fields:
    """The fields of FP8 rows in uint8. Raises ValueError for rows of another dtype or size."""
    if rows_NX.dtype != torch.uint8 or rows_NX.shape[-1] != row_bytes(latent, rope):
        held = f"{rows_NX.shape[-1]} of {rows_NX.dtype}"
        raise ValueError(f"FP8 rows of {latent} + {rope} are {row_bytes(latent, rope)} of torch.uint8, not {held}")
    scales_at = _padded(latent)
    rope_at = scales_at + _padded(4 * _groups(latent))
    return Fields(
        rows_NX[..., :latent].view(torch.float8_e4m3fn),
        rows_NX[..., scales_at : scales_at + 4 * _groups(latent)].view(torch.float32),
        rows_NX[..., rope_at : rope_at + 2 * rope].view(torch.bfloat16),
    )


def quantize_rows(rows_ND: Tensor, latent: int) -> Tensor:
    """Rows [latent | rope] as FP8 rows_NX in uint8."""
    rope = rows_ND.shape[-1] - latent
    rows_NX = torch.zeros(*rows_ND.shape[:-1], row_bytes(latent, rope), dtype=torch.uint8, device=rows_ND.device)
    into = fields(rows_NX, latent, rope)
    into.rope.copy_(rows_ND[..., latent:])
    for group, part in enumerate(rows_ND[..., :latent].split(GROUP, -1)):
        numbers, scale = quantize(part)
        first = group * GROUP
        into.values.view(torch.uint8)[..., first : first + part.shape[-1]] = numbers.view(torch.uint8)
        into.scales[..., group] = scale
    return rows_NX


def dequantize_rows(rows_NX: Tensor, latent: int, rope: int) -> Tensor:
    """Rows [latent | rope] in fp32 of FP8 rows_NX."""
    values_NC, scales_NG, rope_NR = fields(rows_NX, latent, rope)
    scales_NC = scales_NG.repeat_interleave(GROUP, -1)[..., :latent]
    return torch.cat((values_NC.float() * scales_NC, rope_NR.float()), -1)


def sparse_mla_decode_fp8(q_BHD: Tensor, rows_NX: Tensor, indices_BK: Tensor, scale: float, latent: int) -> Tensor:
    """``reference.sparse_mla_decode`` over the dequantized rows of an FP8 cache, of which only those named are read.

    An index outside [0, N) is padding. No gradient to the rows.
    """
    valid_BK = (indices_BK >= 0) & (indices_BK < rows_NX.shape[0])
    named_X = torch.where(valid_BK, indices_BK, 0).flatten()
    rows_ND = dequantize_rows(rows_NX.index_select(0, named_X), latent, q_BHD.shape[-1] - latent)
    places_BK = torch.arange(len(named_X), device=named_X.device).view_as(indices_BK).masked_fill(~valid_BK, -1)
    return reference.sparse_mla_decode(q_BHD, rows_ND, places_BK, scale, latent)


def _groups(latent: int) -> int:
    return -(-latent // GROUP)


def _padded(size: int) -> int:
    return -(-size // FIELD) * FIELD
