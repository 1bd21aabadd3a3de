"""Merge methods, by mergekit's names: each merges one tensor of several models with a common base.

Tensors are fp64 and of one shape. A task vector is a model's tensor minus the base's. In fp64, base plus task vector,
rounded to fp32 or less, is the model's tensor to the bit (unless the two differ by a factor beyond 2^29).

Pure functions. For N models there are N vectors, weights and densities.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rl.merging.config import MethodName, Parameters

NO_SUM = 1e-8  # smallest sum of weights to divide by
COLLINEAR = 0.9995  # cosine above which SLERP's quotients of sines are unsafe; mergekit's threshold


def merge_tensors(
    method: MethodName,
    tensors: Sequence[Tensor],
    base: Tensor | None,
    parameters: Parameters,
    generator_of: Callable[[int], torch.Generator],
) -> Tensor:
    """Merges the ``tensors`` of N models. ``base`` is None for a method without one.

    ``generator_of`` returns the random generator of DARE for a model, by its index.
    """
    if method == "slerp":
        return slerp(tensors[0], tensors[1], parameters.t)
    if method == "linear":
        return linear(tensors, parameters.weight, normalize=parameters.normalize)
    assert base is not None
    vectors = [tensor - base for tensor in tensors]
    if method == "ram":
        return base + ram(vectors, parameters.epsilon)
    if method == "ties":
        vectors = [trim(*pair) for pair in zip(vectors, parameters.density, strict=True)]
    elif method in ("dare_linear", "dare_ties"):
        indexed = enumerate(zip(vectors, parameters.density, strict=True))
        vectors = [drop(*pair, generator_of(index)) for index, pair in indexed]
    combine = sign_consensus if method in ("ties", "dare_ties") else linear
    return base + parameters.scale * combine(vectors, parameters.weight, normalize=parameters.normalize)


def linear(tensors: Sequence[Tensor], weight: Sequence[float], *, normalize: bool) -> Tensor:
    """Weighted sum; with ``normalize`` the weighted mean (model soups, arXiv 2203.05482)."""
    total = _weighted(tensors, weight)
    divisor = sum(weight)
    return total / divisor if normalize and abs(divisor) >= NO_SUM else total


def slerp(first: Tensor, second: Tensor, t: float) -> Tensor:
    """Spherical interpolation from ``first`` (t = 0) to ``second`` (t = 1), each as one vector (Shoemake 1985).

    Linear interpolation where the two are nearly collinear or one is 0.
    """
    lengths = first.norm() * second.norm()
    cosine = ((first * second).sum() / lengths).item() if lengths > 0 else 1.0
    if abs(cosine) > COLLINEAR:
        return (1 - t) * first + t * second
    angle = torch.tensor(cosine, dtype=torch.float64).acos()
    return ((1 - t) * angle).sin() / angle.sin() * first + (t * angle).sin() / angle.sin() * second


def trim(vector: Tensor, density: float) -> Tensor:
    """TIES, step 1: keeps the fraction ``density`` of largest magnitude, at least one number.

    Among equal magnitudes the first are kept (arXiv 2306.01708, section 4).
    """
    if density >= 1 or not vector.numel():
        return vector
    flat = vector.flatten()
    kept = flat.abs().argsort(descending=True, stable=True)[: max(1, int(density * flat.numel()))]
    return torch.zeros_like(flat).index_copy_(0, kept, flat[kept]).view_as(vector)


def drop(vector: Tensor, density: float, generator: torch.Generator) -> Tensor:
    """DARE: keeps each number with probability ``density`` and divides it by that, which preserves the expectation
    (arXiv 2311.03099, equation 2).
    """
    if density >= 1:
        return vector
    kept = torch.rand(vector.shape, generator=generator) < density
    return torch.where(kept, vector / density, 0.0)


def sign_consensus(vectors: Sequence[Tensor], weight: Sequence[float], *, normalize: bool) -> Tensor:
    """TIES, steps 2 and 3: sums the numbers that have the sign of the weighted sum (0 is plus) by weight; with
    ``normalize`` averages them (arXiv 2306.01708, section 4).
    """
    plus = _weighted(vectors, weight) >= 0
    total, divisor = torch.zeros_like(vectors[0]), torch.zeros_like(vectors[0])
    for vector, factor in zip(vectors, weight, strict=True):
        weighted = factor * vector
        agrees = torch.where(plus, weighted > 0, weighted < 0)
        total += torch.where(agrees, weighted, 0.0)
        divisor += factor * agrees.to(divisor.dtype)
    return total / torch.where(divisor.abs() < NO_SUM, 1.0, divisor) if normalize else total


def ram(vectors: Sequence[Tensor], epsilon: float) -> Tensor:
    """RAM: averages each position over the models that changed it by more than ``epsilon`` (arXiv 2601.13572)."""
    total, count = torch.zeros_like(vectors[0]), torch.zeros_like(vectors[0])
    for vector in vectors:
        changed = vector.abs() > epsilon
        total += torch.where(changed, vector, 0.0)
        count += changed
    return total / count.clamp(min=1)


def _weighted(tensors: Sequence[Tensor], weight: Sequence[float]) -> Tensor:
    total = torch.zeros_like(tensors[0])
    for tensor, factor in zip(tensors, weight, strict=True):
        total += factor * tensor
    return total
