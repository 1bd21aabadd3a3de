"""Merging methods on one tensor: against loops that spell them out, and by their properties."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from core.config import read_config
from rl.merging.config import PARAMETERS, MergeConfig, MethodName, Parameters
from rl.merging.methods import drop, linear, merge_tensors, ram, sign_consensus, slerp, trim

Rows = list[list[float]]  # [model][position]
TASK_METHODS: list[MethodName] = ["task_arithmetic", "ties", "dare_linear", "dare_ties"]
METHODS: list[MethodName] = ["linear", "slerp", "ram", *TASK_METHODS]
# Eighths meet zero, each other and each other's opposites often; the rest has all the bits of an fp32 number.
NUMBERS = st.integers(-16, 16).map(lambda n: n / 8) | st.floats(1 / 64, 9, width=32) | st.floats(-9, -1 / 64, width=32)
WEIGHTS = st.integers(-2, 8).map(lambda n: n / 4) | st.sampled_from([0.1, 0.3, 1.7])  # the latter are no fp32 numbers


@st.composite
def rows(draw: st.DrawFn, least: int = 1, most: int = 4) -> Rows:
    """Several models' numbers at the same positions."""
    size = draw(st.integers(1, 12))
    row = st.lists(NUMBERS, min_size=size, max_size=size)
    return draw(st.lists(row, min_size=least, max_size=most))


def tensors(values: Rows) -> list[Tensor]:
    return [torch.tensor(row, dtype=torch.float64) for row in values]


def parameters(models: int, **changes: Any) -> Parameters:
    return Parameters(**{"weight": (1.0,) * models, "density": (1.0,) * models, **changes})


def draws(seed: int) -> Callable[[int], torch.Generator]:
    return lambda place: torch.Generator().manual_seed(1000 * seed + place)


# The methods once more, a number at a time.


def naive_linear(values: Rows, weight: Sequence[float], normalize: bool) -> list[float]:
    out = [sum(w * row[i] for w, row in zip(weight, values, strict=True)) for i in range(len(values[0]))]
    return [x / sum(weight) for x in out] if normalize and abs(sum(weight)) > 1e-8 else out


def naive_trim(row: list[float], density: float) -> list[float]:
    order = sorted(range(len(row)), key=lambda i: (-abs(row[i]), i))
    kept = set(order[: max(1, math.floor(density * len(row)))])
    return [x if i in kept else 0.0 for i, x in enumerate(row)]


def naive_consensus(values: Rows, weight: Sequence[float], normalize: bool) -> list[float]:
    out = []
    for i in range(len(values[0])):
        terms = [(w * row[i], w) for w, row in zip(weight, values, strict=True)]
        sign = 1 if sum(term for term, _ in terms) >= 0 else -1
        agreeing = [(term, w) for term, w in terms if term * sign > 0]
        total, by = sum(term for term, _ in agreeing), sum(w for _, w in agreeing)
        out.append(total / by if normalize and abs(by) > 1e-8 else total)
    return out


def naive_ram(values: Rows, epsilon: float) -> list[float]:
    out = []
    for i in range(len(values[0])):
        changed = [row[i] for row in values if abs(row[i]) > epsilon]
        out.append(sum(changed) / len(changed) if changed else 0.0)
    return out


def naive_slerp(first: list[float], second: list[float], t: float) -> list[float]:
    dot = sum(a * b for a, b in zip(first, second, strict=True))
    lengths = math.hypot(*first) * math.hypot(*second)
    cosine = dot / lengths if lengths else 1.0
    by, and_by = 1 - t, t
    if abs(cosine) <= 0.9995:
        angle = math.acos(cosine)
        by, and_by = math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)
    return [by * a + and_by * b for a, b in zip(first, second, strict=True)]


def close(result: Tensor, naive: list[float]) -> bool:
    return result.dtype == torch.float64 and torch.allclose(
        result, torch.tensor(naive, dtype=torch.float64), rtol=1e-12, atol=1e-12
    )


@given(rows(), st.data(), st.booleans())
def test_weighted_sums_against_loops(values: Rows, data: st.DataObject, normalize: bool) -> None:
    weight = data.draw(st.lists(WEIGHTS, min_size=len(values), max_size=len(values)))
    assert close(linear(tensors(values), weight, normalize=normalize), naive_linear(values, weight, normalize))
    assert close(
        sign_consensus(tensors(values), weight, normalize=normalize), naive_consensus(values, weight, normalize)
    )


@given(rows(), st.floats(0.01, 1), st.sampled_from([0.0, 1e-5, 0.25]))
def test_trimming_and_ram_against_loops(values: Rows, density: float, epsilon: float) -> None:
    for row, vector in zip(values, tensors(values), strict=True):
        assert trim(vector, density).tolist() == naive_trim(row, density)
    assert close(ram(tensors(values), epsilon), naive_ram(values, epsilon))


@given(rows(least=2, most=2), st.floats(0, 1))
def test_slerp_against_loops(values: Rows, t: float) -> None:
    first, second = tensors(values)
    naive = torch.tensor(naive_slerp(values[0], values[1], t), dtype=torch.float64)
    assert torch.allclose(slerp(first, second, t), naive, rtol=1e-9, atol=1e-9)


@given(rows(least=2), st.data(), st.sampled_from(TASK_METHODS), st.booleans())
def test_whole_methods_against_loops(values: Rows, data: st.DataObject, method: MethodName, normalize: bool) -> None:
    base, *models = values
    some: dict[str, Any] = {"min_size": len(models), "max_size": len(models)}
    weight, density = data.draw(st.lists(WEIGHTS, **some)), data.draw(st.lists(st.floats(0.05, 1), **some))
    given_ = parameters(len(models), weight=weight, density=density, normalize=normalize, scale=0.5)
    vectors = [[x - b for x, b in zip(row, base, strict=True)] for row in models]
    if method == "ties":
        vectors = [naive_trim(*pair) for pair in zip(vectors, density, strict=True)]
    if method.startswith("dare"):
        kept = [[u < p for u in torch.rand(len(base), generator=draws(5)(i)).tolist()] for i, p in enumerate(density)]
        vectors = [
            [x / p if keep else 0.0 for x, keep in zip(row, mask, strict=True)] if p < 1 else row
            for row, mask, p in zip(vectors, kept, density, strict=True)
        ]
    combine = naive_consensus if method.endswith("ties") else naive_linear
    change = combine(vectors, weight, normalize)
    result = merge_tensors(method, tensors(models), tensors([base])[0], given_, draws(5))
    assert close(result, [b + 0.5 * x for b, x in zip(base, change, strict=True)])


@given(rows(most=1), st.integers(2, 4), st.data(), st.sampled_from(METHODS))
def test_models_that_changed_nothing_give_the_base_to_the_bit(
    values: Rows, models: int, data: st.DataObject, method: MethodName
) -> None:
    some: dict[str, Any] = {"min_size": models, "max_size": models}
    weight = tuple(data.draw(st.lists(st.floats(0.1, 3), **some)))
    density = tuple(data.draw(st.lists(st.floats(0.1, 1), **some)))
    values_ = parameters(models, weight=weight, density=density, normalize=method in ("linear", "ties"), t=0.3)
    (base,) = tensors(values)
    result = merge_tensors(method, [base] * (2 if method == "slerp" else models), base, values_, draws(1))
    assert torch.equal(result.float(), base.float())


@given(rows(least=3, most=3), st.sampled_from([0, 1]), st.sampled_from(METHODS))
def test_weights_of_one_and_zero_give_a_specialist_to_the_bit(values: Rows, chosen: int, method: MethodName) -> None:
    base, *models = tensors(values)
    weight = (1.0, 0.0) if chosen == 0 else (0.0, 1.0)
    if method == "ram":  # it has no weights; here one model alone changed anything
        models[1 - chosen] = base
    for normalize in (True, False):
        settings_ = parameters(2, weight=weight, normalize=normalize, t=float(chosen))
        result = merge_tensors(method, models, base, settings_, draws(1))
        assert torch.equal(result.float(), models[chosen].float())


@given(rows(least=2, most=2), st.sampled_from(["task_arithmetic", "ties", "dare_linear", "dare_ties", "ram"]))
def test_specialists_that_agree_are_their_own_merge(values: Rows, method: MethodName) -> None:
    base, model = tensors(values)
    result = merge_tensors(method, [model] * 3, base, parameters(3, normalize=True), draws(1))
    assert torch.allclose(result, model, rtol=0, atol=1e-7)


@given(rows(least=4, most=4), st.permutations([0, 1, 2]), st.sampled_from(["linear", "task_arithmetic", "ties", "ram"]))
def test_the_order_of_models_does_not_matter(values: Rows, order: list[int], method: MethodName) -> None:
    base, *models = tensors(values)
    weight, density = (0.5, 1.0, 0.25), (0.5, 0.3, 0.9)
    one = merge_tensors(method, models, base, parameters(3, weight=weight, density=density), draws(1))
    moved = parameters(3, weight=[weight[i] for i in order], density=[density[i] for i in order])
    other = merge_tensors(method, [models[i] for i in order], base, moved, draws(1))
    if method == "ties":  # a sum that rounds to another side of 0 would elect another sign
        near = (
            torch.stack([w * trim(m - base, d) for m, w, d in zip(models, weight, density, strict=True)]).sum(0).abs()
            < 1e-9
        )
        one, other = one[~near], other[~near]
    assert torch.allclose(one, other, rtol=1e-12, atol=1e-12)


@given(rows(least=2, most=2), st.floats(0, 1))
def test_slerp_keeps_lengths_and_has_no_direction(values: Rows, t: float) -> None:
    first, second = tensors(values)
    assert torch.allclose(slerp(first, second, t), slerp(second, first, 1 - t), rtol=1e-9, atol=1e-9)
    if first.norm() > 0 and second.norm() > 0:
        first, second = first / first.norm(), second / second.norm()
        if abs((first * second).sum()) < 0.999:
            assert abs(slerp(first, second, t).norm() - 1) < 1e-9


def test_ram_keeps_in_full_what_one_model_changed() -> None:
    changes = [[0.0, 1.0, 3.0, 1e-6], [2.0, 0.0, -1.0, 0.0], [0.0, 0.0, 4.0, 0.0]]
    assert ram(tensors(changes), 1e-5).tolist() == [2.0, 1.0, 2.0, 0.0]
    assert linear(tensors(changes), [1.0] * 3, normalize=True)[0] == pytest.approx(2 / 3)


def test_ties_elects_by_weight_and_averages_those_that_agree() -> None:
    changes = tensors([[4.0, 1.0, 0.0, 2.0], [-1.0, 3.0, 0.0, -2.0], [-1.0, 5.0, 6.0, 0.0]])
    assert sign_consensus(changes, [1.0, 1.0, 1.0], normalize=True).tolist() == [4.0, 3.0, 6.0, 2.0]
    assert sign_consensus(changes, [1.0, 4.0, 1.0], normalize=True).tolist() == [-1.0, 3.0, 6.0, -2.0]
    assert sign_consensus(changes, [1.0, 1.0, 1.0], normalize=False).tolist() == [4.0, 9.0, 6.0, 2.0]


@given(rows(most=1), st.floats(0.01, 1))
def test_trimming_keeps_the_largest(values: Rows, density: float) -> None:
    (vector,) = tensors(values)
    result = trim(vector, density)
    assert result.count_nonzero() <= max(1, int(density * vector.numel()))
    kept = result != 0
    assert torch.equal(result[kept], vector[kept])
    if kept.any():
        assert max(vector[~kept].abs().tolist(), default=0.0) <= result[kept].abs().min()


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9])
def test_dare_keeps_the_expectation(density: float) -> None:
    vector = torch.randn(100, 200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    results = [drop(vector, density, torch.Generator().manual_seed(seed)) for seed in range(64)]
    kept = torch.stack([result != 0 for result in results]).double()
    # 64 x 20,000 Bernoulli draws: four deviations of their mean.
    assert abs(kept.mean() - density) < 4 * math.sqrt(density * (1 - density) / kept.numel())
    error = torch.stack(results).mean(0) - vector
    expected = (vector**2 * (1 - density) / density / 64).mean().sqrt()
    assert (error**2).mean().sqrt() == pytest.approx(float(expected), rel=0.05)
    for result in results[:3]:
        assert torch.equal(result[result != 0], (vector / density)[result != 0])


def test_dare_repeats_itself() -> None:
    vector = torch.ones(1000, dtype=torch.float64)
    one, two, other = (drop(vector, 0.5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("method", METHODS)
def test_every_parameter_of_a_method_matters(method: MethodName) -> None:
    """A parameter that is accepted and ignored would be worse than one that is refused."""
    base, *models = tensors([[0.5] * 6, [1.0, -2.0, 0.0, 0.5, 0.6, 3.0], [1.5, 0.0, 0.4, 0.5, 2.0, -1.0]])
    other: dict[str, Any] = {"weight": [0.25, 2.0], "density": 0.5, "lambda": 0.5, "t": 0.75, "epsilon": 0.9}

    def result(changes: dict[str, Any]) -> list[float]:
        needed = {"t": 0.25} if method == "slerp" else {"density": 1.0} if "density" in PARAMETERS[method] else {}
        value = {"models": ["a", "b"], "out": "c", "base": "d", "method": method, "parameters": {**needed, **changes}}
        return merge_tensors(method, models, base, read_config(MergeConfig, value, "").resolved(), draws(1)).tolist()

    before = result({})
    for name, default in PARAMETERS[method].items():
        changed = {name: not default} if name == "normalize" else {name: other[name]}
        assert result(changed) != before, name
