"""Divergences of next tokens: values by their definitions, gradients by autograd and by enumerating a vocabulary."""

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from rl.config import DivergenceName
from rl.divergence import divergence

NAMES: tuple[DivergenceName, ...] = ("reverse", "forward", "js")


def logits(seed: int, tokens: int = 7, vocabulary: int = 11, scale: float = 3.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tokens, vocabulary, dtype=torch.float64, generator=generator) * scale


def plain(name: DivergenceName, student: Tensor, teacher: Tensor) -> Tensor:
    """By the definition, token by token and word by word."""
    rows = []
    for p, q in zip(student.softmax(-1), teacher.softmax(-1), strict=True):
        mean = (p + q) / 2
        pairs = {"reverse": [(p, q)], "forward": [(q, p)], "js": [(p, mean), (q, mean)]}[name]
        terms = [sum(a[j] * (a[j] / b[j]).log() for j in range(len(a))) for a, b in pairs]
        rows.append(torch.stack([torch.as_tensor(term) for term in terms]).mean())
    return torch.stack(rows)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_value_and_gradient_are_those_of_the_definition(name: DivergenceName, chunk: int) -> None:
    student, teacher = logits(0).requires_grad_(), logits(1).requires_grad_()
    weights = torch.arange(1.0, 8.0, dtype=torch.float64)
    actual = divergence(student, teacher, name, chunk)
    (gradient,) = torch.autograd.grad((actual.divergence * weights).sum(), student)
    expected = plain(name, student, teacher.detach())
    (right,) = torch.autograd.grad((expected * weights).sum(), student)
    torch.testing.assert_close(actual.divergence, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient, right, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_teacher_has_no_gradient(name: DivergenceName) -> None:
    student, teacher = logits(0).requires_grad_(), logits(1).requires_grad_()
    divergence(student, teacher, name).divergence.sum().backward()
    assert student.grad is not None
    assert teacher.grad is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equals_teach_exactly_nothing(name: DivergenceName, dtype: torch.dtype) -> None:
    """Not even rounding, which Adam would make a step of."""
    student = logits(0, tokens=50, vocabulary=300).to(dtype).requires_grad_()
    found = divergence(student, student.detach().clone(), name)
    found.divergence.sum().backward()
    assert found.divergence.abs().max() < 1e-6
    assert found.agreement.mean() == 1
    assert student.grad is not None
    if name == "js":  # of (p + p) / 2 the logarithm rounds
        assert student.grad.abs().max() < 1e-7
    else:
        assert student.grad.abs().max() == 0


def test_the_reverse_gradient_is_the_expected_policy_gradient() -> None:
    """E_{v ~ p} of (log p(v) - log q(v)) grad log p(v): what estimates at sampled tokens have as their mean."""
    student, teacher = logits(2, tokens=1, vocabulary=5).requires_grad_(), logits(3, tokens=1, vocabulary=5)
    (actual,) = torch.autograd.grad(divergence(student, teacher).divergence.sum(), student)
    log_p, log_q = student.log_softmax(-1)[0], teacher.log_softmax(-1)[0]
    expected = torch.zeros_like(actual)
    for token in range(5):
        (score,) = torch.autograd.grad(log_p[token], student, retain_graph=True)
        expected += (log_p[token].exp() * (log_p[token] - log_q[token]) * score).detach()
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-13)


def test_entropy_and_agreement() -> None:
    student, teacher = torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = divergence(student, teacher)
    assert found.entropy[0].item() == pytest.approx(0.693147, abs=1e-6)
    assert found.agreement[1] == 0


def test_impossible_tokens_stay_finite() -> None:
    student = torch.tensor([[500.0, 0.0, -500.0]], requires_grad=True)
    for name in NAMES:
        found = divergence(student, torch.tensor([[-500.0, 0.0, 500.0]]), name).divergence.sum()
        (gradient,) = torch.autograd.grad(found, student)
        assert torch.isfinite(found)
        assert torch.isfinite(gradient).all()


def test_other_shapes_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"\[P, V\]"):
        divergence(torch.zeros(2, 3), torch.zeros(2, 4))
