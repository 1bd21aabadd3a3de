"""Divergence of a student's next-token distribution from its teacher's, with exact gradients over the vocabulary.

Used by on-policy distillation, on answers of the student: Agarwal et al. 2024, On-Policy Distillation of Language
Models (GKD, arXiv 2306.13649), equation 4. So the teacher corrects the student's own mistakes.

Shape suffixes: P predicted tokens, n of them, V vocabulary.
"""

from collections.abc import Callable
from math import log
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rl.config import DivergenceName
from rl.logprobs import CHUNK


class Divergence(NamedTuple):
    """``divergence`` in nats per token. Without gradient: the student's ``entropy``, and ``agreement``, which is 1.0
    where both have the same most likely token.
    """

    divergence: Tensor
    entropy: Tensor
    agreement: Tensor


def divergence(student: Tensor, teacher: Tensor, name: DivergenceName = "reverse", chunk: int = CHUNK) -> Divergence:
    """Computes the divergence of p = softmax(student) and q = softmax(teacher), [P] each, in fp32 or fp64.

    ``reverse``: KL(p || q); ``forward``: KL(q || p); ``js``: (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2. The
    gradient is of the student's logits only, and exactly 0 where the logits are equal: an optimizer would scale up the
    gradients of rounding errors. One tensor [P, V] is kept for the backward pass. No second derivatives.

    Args:
        student: logits [P, V], of any floating type.
        teacher: logits [P, V].
        name: the divergence.
        chunk: tokens computed at a time.

    Raises:
        ValueError: the shapes differ.
    """
    if student.shape != teacher.shape or student.dim() != 2:
        raise ValueError(f"logits of student and teacher must both be [P, V]: {student.shape}, {teacher.shape}")
    return Divergence(*cast(Any, _Divergence.apply(student, teacher.detach(), name, chunk)))


class _Divergence(torch.autograd.Function):
    """Saves the gradient, one [P, V], where autograd would save several."""

    @staticmethod
    def forward(ctx: Any, student_PV: Tensor, teacher_PV: Tensor, name: str, chunk: int) -> tuple[Tensor, ...]:
        dtype = torch.promote_types(student_PV.dtype, torch.float32)
        value_P, entropy_P, agreement_P = (student_PV.new_empty(len(student_PV), dtype=dtype) for _ in range(3))
        grad_PV = torch.empty_like(student_PV)
        for first in range(0, len(student_PV), chunk):
            rows = slice(first, first + chunk)
            log_p_nV = student_PV[rows].to(dtype).log_softmax(-1)
            log_q_nV = teacher_PV[rows].to(dtype).log_softmax(-1)
            value_P[rows], grad_PV[rows] = _WITH_GRADIENT[name](log_p_nV, log_q_nV)
            entropy_P[rows] = -(log_p_nV.exp() * log_p_nV).sum(-1)
            agreement_P[rows] = (log_p_nV.argmax(-1) == log_q_nV.argmax(-1)).to(dtype)
        ctx.save_for_backward(grad_PV)
        ctx.mark_non_differentiable(entropy_P, agreement_P)
        return value_P, entropy_P, agreement_P

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (grad_PV,) = ctx.saved_tensors
        return grad_PV * grad_outputs[0].unsqueeze(1).to(grad_PV.dtype), None, None, None


# Each returns the divergence of the rows, [n], and its gradient by the student's logits, [n, V]. The gradient is
# p_j (f_j - sum_k p_k f_k), with f_j the derivative of the divergence by p_j.
def _reverse(log_p_nV: Tensor, log_q_nV: Tensor) -> tuple[Tensor, Tensor]:
    """f_j = log p_j - log q_j, up to a constant."""
    p_nV, ratio_nV = log_p_nV.exp(), log_p_nV - log_q_nV
    value_n1 = (p_nV * ratio_nV).sum(-1, keepdim=True)
    return value_n1[:, 0], p_nV * (ratio_nV - value_n1)


def _forward(log_p_nV: Tensor, log_q_nV: Tensor) -> tuple[Tensor, Tensor]:
    """f_j = -q_j / p_j."""
    p_nV, q_nV = log_p_nV.exp(), log_q_nV.exp()
    return (q_nV * (log_q_nV - log_p_nV)).sum(-1), p_nV - q_nV


def _js(log_p_nV: Tensor, log_q_nV: Tensor) -> tuple[Tensor, Tensor]:
    """f_j = (log p_j - log m_j) / 2."""
    p_nV, q_nV = log_p_nV.exp(), log_q_nV.exp()
    log_m_nV = torch.logaddexp(log_p_nV, log_q_nV) - log(2)
    own_nV = log_p_nV - log_m_nV
    own_n1 = (p_nV * own_nV).sum(-1, keepdim=True)
    value_n = (own_n1[:, 0] + (q_nV * (log_q_nV - log_m_nV)).sum(-1)) / 2
    return value_n, p_nV * (own_nV - own_n1) / 2


_WITH_GRADIENT: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "reverse": _reverse,
    "forward": _forward,
    "js": _js,
}
