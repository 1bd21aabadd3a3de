"""Rotary position embeddings with YaRN, in the two layouts of DeepSeek-V3.2.

MLA rotates neighboring pairs (x0, x1), (x2, x3), ...; the indexer rotates (x0, x_n/2), (x1, x_n/2+1), ... of the
*first* n = R entries. Both use the same angles. If a model's rope key has several groups, R is the width of one.

Shape suffixes: B batch, S tokens, R rope width, P = R / 2 pairs, X any other axes (heads, or none), G groups.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from model.config import Llama3Rope, ModelConfig, Yarn


class RopeTables(NamedTuple):
    """Cosines and sines of every token's angles, [B, S, P] in fp32, multiplied by YaRN's attention factor.

    ``rotations`` holds both as complex numbers, [B, S, 1, 1, P].
    """

    cos: Tensor
    sin: Tensor
    rotations: Tensor


def rope_tables(config: ModelConfig, positions_BS: Tensor) -> RopeTables:
    """Returns the rope tables of tokens at ``positions_BS``."""
    frequencies_P = _frequencies_on(
        positions_BS.device, config.rope_width, config.rope_theta, config.yarn, config.llama3
    )
    angles_BSP = positions_BS.unsqueeze(-1).float() * frequencies_P
    factor = attention_factor(config.yarn)
    cos_BSP, sin_BSP = angles_BSP.cos() * factor, angles_BSP.sin() * factor
    return RopeTables(cos_BSP, sin_BSP, torch.complex(cos_BSP, sin_BSP)[:, :, None, None])


def rotate_interleaved(x: Tensor, rope: RopeTables) -> Tensor:
    """Rotates neighboring pairs (MLA's layout) in each group of x [B, S, X, G * R]."""
    # Pairs as complex numbers: a rotation is one product instead of six calls.
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    pairs_BSXGP = torch.view_as_complex(wide.view(*x.shape[:-1], -1, rope.cos.shape[-1], 2))
    return torch.view_as_real(pairs_BSXGP * rope.rotations).view(x.shape).to(x.dtype)


def rotate_first_half_split(x_BSXI: Tensor, rope: RopeTables) -> Tensor:
    """Rotates the first R entries of the last axis, entry i with entry i + R/2 (the indexer's layout)."""
    pairs = rope.cos.shape[-1]
    first, second, rest = x_BSXI.split([pairs, pairs, x_BSXI.shape[-1] - 2 * pairs], dim=-1)
    rotated = torch.cat(_rotated(first, second, rope), dim=-1).to(x_BSXI.dtype)
    return torch.cat((rotated, rest), dim=-1)


def softmax_scale(config: ModelConfig) -> float:
    """Returns (nope + R)^-1/2 m^2 with m = 0.1 mscale_all_dim ln(factor) + 1 under YaRN.

    R is the width of one group: a head of a converted model reads only its own group.
    """
    yarn = config.yarn
    m = 1.0 if yarn is None or not yarn.mscale_all_dim else _mscale(yarn.factor, yarn.mscale_all_dim)
    return (config.qk_nope_head_dim + config.rope_width) ** -0.5 * m * m


def _rotated(x: Tensor, y: Tensor, rope: RopeTables) -> tuple[Tensor, Tensor]:
    shape = (*rope.cos.shape[:2], *[1] * (x.dim() - 3), rope.cos.shape[-1])
    cos, sin = rope.cos.view(shape), rope.sin.view(shape)
    return x * cos - y * sin, y * cos + x * sin


def _mscale(factor: float, mscale: float) -> float:
    return 1.0 if factor <= 1 else 0.1 * mscale * math.log(factor) + 1.0


def attention_factor(yarn: Yarn | None) -> float:
    """Returns the factor of cosines and sines: 1 if mscale equals mscale_all_dim, as in DeepSeek's models."""
    if yarn is None:
        return 1.0
    if yarn.mscale and yarn.mscale_all_dim:
        return _mscale(yarn.factor, yarn.mscale) / _mscale(yarn.factor, yarn.mscale_all_dim)
    return _mscale(yarn.factor, 1.0)


@lru_cache(maxsize=16)
def _frequencies_on(device: torch.device, *arguments: Any) -> Tensor:
    """Returns ``_frequencies`` on a device, where they stay: a recorded CUDA graph may not copy them there."""
    with torch.inference_mode(False):
        return _frequencies(*arguments).to(device)


def _frequencies(width: int, theta: float, yarn: Yarn | None, llama3: Llama3Rope | None) -> Tensor:
    """Returns the angle per position of each pair, [P]. YaRN (section 3.2) interpolates only the slow pairs."""
    frequencies_P = 1.0 / theta ** (torch.arange(0, width, 2, dtype=torch.float32) / width)
    if llama3 is not None:
        return _slowed(frequencies_P, llama3)
    if yarn is None:
        return frequencies_P
    low = max(math.floor(_pair_with_rotations(yarn.beta_fast, width, theta, yarn)), 0)
    high = min(math.ceil(_pair_with_rotations(yarn.beta_slow, width, theta, yarn)), width - 1)
    ramp_P = (torch.arange(width // 2, dtype=torch.float32) - low) / (high - low or 0.001)
    slow_P = ramp_P.clamp(0, 1)
    return frequencies_P / yarn.factor * slow_P + frequencies_P * (1 - slow_P)


def _slowed(frequencies_P: Tensor, llama3: Llama3Rope) -> Tensor:
    """Divides frequencies by the factor where a pair makes few rotations over the original context (Llama 3.1)."""
    rotations_P = llama3.original_max_position_embeddings * frequencies_P / (2 * math.pi)
    fast_P = (rotations_P - llama3.low_freq_factor) / (llama3.high_freq_factor - llama3.low_freq_factor)
    fast_P = fast_P.clamp(0, 1)
    return frequencies_P / llama3.factor * (1 - fast_P) + frequencies_P * fast_P


def _pair_with_rotations(rotations: float, width: int, theta: float, yarn: Yarn) -> float:
    """Returns the index of the pair that makes ``rotations`` full rotations over the original context."""
    context = yarn.original_max_position_embeddings
    return width * math.log(context / (rotations * 2 * math.pi)) / (2 * math.log(theta))
