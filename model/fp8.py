"""Block-FP8 weights: e4m3 entries, and one fp32 scale for each block of 128 x 128 (DeepSeek-V3, section 3.3).

A checkpoint holds ``X.weight`` in FP8 and ``X.weight_scale_inv``, by which the entries are multiplied.
"""

import torch
from torch import Tensor

BLOCK = 128
FP8 = torch.float8_e4m3fn


def scale_shape(shape: tuple[int, ...], block: int = BLOCK) -> tuple[int, ...]:
    """Returns the shape of the scales of a matrix of ``shape``; blocks at the edges may be smaller."""
    return tuple(-(-size // block) for size in shape)


def dequantize(weight: Tensor, scale_inv: Tensor, block: int = BLOCK) -> Tensor:
    """Returns the matrix in fp32: each entry times the scale of its block."""
    return weight.float() * _spread(scale_inv.float(), weight.shape, block)


def quantize(weight: Tensor, block: int = BLOCK) -> tuple[Tensor, Tensor]:
    """Returns FP8 entries and scales of a matrix; the largest entry of each block becomes the largest FP8 number."""
    rows, columns = weight.shape
    padded = torch.zeros(*(size * block for size in scale_shape((rows, columns), block)))
    padded[:rows, :columns] = weight.float()
    largest = padded.unflatten(1, (-1, block)).unflatten(0, (-1, block)).abs().amax((1, 3))
    scale_inv = torch.where(largest > 0, largest, torch.finfo(FP8).max) / torch.finfo(FP8).max
    return (weight.float() / _spread(scale_inv, weight.shape, block)).to(FP8), scale_inv


def _spread(scale_inv: Tensor, shape: torch.Size, block: int) -> Tensor:
    """Repeats each block's scale for each of its entries."""
    wide = scale_inv.repeat_interleave(block, 0).repeat_interleave(block, 1)
    return wide[: shape[0], : shape[1]]
