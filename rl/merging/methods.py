"""Ways to merge one tensor of several models of one base, under mergekit's names.

Tensors are fp64 and of one shape. A task vector is what a model changed: its tensor less the base's. In fp64 the base
with a task vector added is the model again to the bit, once rounded to fp32 or less (unless the two tensors differ
there by a factor beyond 2^29).

All are pure. Of N models there are N vectors, weights and densities.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rl.merging.config import MethodName, Parameters

NO_SUM = 1e-8  # weights that cancel out are not divided by
COLLINEAR = 0.9995  # cosine above which SLERP's quotients of sines are unsafe; mergekit's threshold


def merged(
    method: MethodName,
    tensors: Sequence[Tensor],
    base: Tensor | None,
    parameters: Parameters,
    draws: Callable[[int], torch.Generator],
) -> Tensor:
    """The merge of N models' ``tensors``. ``base`` is None for a method without one.

    ``draws`` gives the generator of the numbers that DARE drops of a model's vector, by the model's place.
    """
    if method == "slerp":
        return slerp(tensors[0], tensors[1], parameters.t)
    if method == "linear":
        return linear(tensors, parameters.weight, normalize=parameters.normalize)
    assert base is not None
    vectors = [tensor - base for tensor in tensors]
    if method == "ram":
        return base + reinforced(vectors, parameters.epsilon)
    if method == "ties":
        vectors = [trimmed(*pair) for pair in zip(vectors, parameters.density, strict=True)]
    elif method in ("dare_linear", "dare_ties"):
        places = enumerate(zip(vectors, parameters.density, strict=True))
        vectors = [dropped(*pair, draws(place)) for place, pair in places]
    combine = consensus if method in ("ties", "dare_ties") else linear
    return base + parameters.scale * combine(vectors, parameters.weight, normalize=parameters.normalize)


def linear(tensors: Sequence[Tensor], weight: Sequence[float], *, normalize: bool) -> Tensor:
    """The weighted sum; with ``normalize`` the mean (model soups, arXiv 2203.05482)."""
    total = _weighted(tensors, weight)
    divisor = sum(weight)
    return total / divisor if normalize and abs(divisor) >= NO_SUM else total


def slerp(first: Tensor, second: Tensor, t: float) -> Tensor:
    """The point ``t`` of the way from ``first`` to ``second`` along a great circle (Shoemake 1985), each taken whole as
    one vector; a straight line where the two are nearly collinear or one is 0.
    """
    lengths = first.norm() * second.norm()
    cosine = ((first * second).sum() / lengths).item() if lengths > 0 else 1.0
    if abs(cosine) > COLLINEAR:
        return (1 - t) * first + t * second
    angle = torch.tensor(cosine, dtype=torch.float64).acos()
    return ((1 - t) * angle).sin() / angle.sin() * first + (t * angle).sin() / angle.sin() * second


def trimmed(vector: Tensor, density: float) -> Tensor:
    """TIES, step 1: only the share ``density`` of largest magnitude is kept, one number at least.

    Among equals the first ones stay (arXiv 2306.01708, section 4).
    """
    if density >= 1 or not vector.numel():
        return vector
    flat = vector.flatten()
    kept = flat.abs().argsort(descending=True, stable=True)[: max(1, int(density * flat.numel()))]
    return torch.zeros_like(flat).index_copy_(0, kept, flat[kept]).view_as(vector)


def dropped(vector: Tensor, density: float, generator: torch.Generator) -> Tensor:
    """DARE: each number is kept with probability ``density`` and divided by it, so that the expectation stays
    (arXiv 2311.03099, equation 2).
    """
    if density >= 1:
        return vector
    kept = torch.rand(vector.shape, generator=generator) < density
    return torch.where(kept, vector / density, 0.0)


def consensus(vectors: Sequence[Tensor], weight: Sequence[float], *, normalize: bool) -> Tensor:
    """TIES, steps 2 and 3: each position's sign is that of the weighted sum (0 counts as plus); the numbers of that
    sign are added up by weight, with ``normalize`` averaged (arXiv 2306.01708, section 4).
    """
    plus = _weighted(vectors, weight) >= 0
    total, divisor = torch.zeros_like(vectors[0]), torch.zeros_like(vectors[0])
    for vector, share in zip(vectors, weight, strict=True):
        weighted = share * vector
        agrees = torch.where(plus, weighted > 0, weighted < 0)
        total += torch.where(agrees, weighted, 0.0)
        divisor += share * agrees.to(divisor.dtype)
    return total / torch.where(divisor.abs() < NO_SUM, 1.0, divisor) if normalize else total


def reinforced(vectors: Sequence[Tensor], epsilon: float) -> Tensor:
    """RAM: a position that one model changed by more than ``epsilon`` keeps that change in full; the changes of several
    are averaged over those models (arXiv 2601.13572).
    """
    total, count = torch.zeros_like(vectors[0]), torch.zeros_like(vectors[0])
    for vector in vectors:
        changed = vector.abs() > epsilon
        total += torch.where(changed, vector, 0.0)
        count += changed
    return total / count.clamp(min=1)


def _weighted(tensors: Sequence[Tensor], weight: Sequence[float]) -> Tensor:
    total = torch.zeros_like(tensors[0])
    for tensor, share in zip(tensors, weight, strict=True):
        total += share * tensor
    return total
