"""The policy loss against its formulas in plain Python, and its KL against the true one by enumeration.

Shape suffixes: S sequences, T tokens, V vocabulary.
"""

import random
from dataclasses import fields, replace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from rl.algorithm import LossConfig
from rl.loss import Denominator, LossInputs, combine_parts, count, policy_loss
from tests.rl.plain_loss import Sequence1, plain_loss
from tests.rl.settings import loss_config

KL_ALONE = loss_config(aggregation="token", beta=1.0)


def random_config(draw: random.Random) -> LossConfig:
    """Any combination of the options."""
    kl: Any = draw.choice(["unbiased", "k3", "k1", "none"])
    return loss_config(
        ratio=draw.choice(["token", "token", "sequence"]),
        clip_low=draw.choice([0.1, 0.2, 1.0]),
        clip_high=draw.choice([0.1, 0.28, 5.0]),
        dual_clip=draw.choice([None, 1.5]),
        aggregation=draw.choice(["sequence", "token", "constant"]),
        constant_length=7,
        kl=kl,
        beta=0.0 if kl == "none" else draw.choice([0.0, 0.04, 1.0]),
        off_policy_delta=draw.choice([None, 0.0, 0.1]),
        importance_cap=draw.choice([None, 1.0, 2.0]),
    )


def random_inputs(seed: int, dtype: torch.dtype = torch.float64, *, betas: bool = False) -> LossInputs:
    """A ragged batch; some sequences are empty, what the mask hides is NaN, masks have holes."""
    generator = torch.Generator().manual_seed(seed)
    draw = random.Random(seed)
    S, T = draw.randrange(1, 6), draw.randrange(1, 8)
    mask_ST = torch.rand(S, T, generator=generator) < draw.choice([0.3, 0.8, 1.0])
    old_ST = -3 * torch.rand(S, T, generator=generator, dtype=dtype)

    def near(spread: float) -> Tensor:
        noise_ST = spread * torch.randn(S, T, generator=generator, dtype=dtype)
        return (old_ST + noise_ST).masked_fill(~mask_ST, torch.nan)

    return LossInputs(
        new_ST=near(0.3).requires_grad_(),
        old_ST=old_ST.masked_fill(~mask_ST, torch.nan),
        sampler_ST=near(0.2),
        mask_ST=mask_ST,
        advantages_S=torch.randn(S, generator=generator, dtype=dtype) * draw.choice([0, 1, 1]),
        reference_ST=near(0.5),
        beta_S=torch.rand(S, generator=generator, dtype=dtype) if betas else None,
        entropy_ST=near(1.0),
    )


def as_lists(inputs: LossInputs, config: LossConfig) -> list[Sequence1]:
    batch = []
    for i, mask_T in enumerate(inputs.mask_ST):
        assert inputs.reference_ST is not None
        rows = (inputs.new_ST, inputs.old_ST, inputs.sampler_ST, inputs.reference_ST)
        tokens = [row_ST[i][mask_T].tolist() for row_ST in rows]
        beta = config.beta if inputs.beta_S is None else inputs.beta_S[i].item()
        batch.append(Sequence1(*tokens, advantage=inputs.advantages_S[i].item(), beta=beta))
    return batch


def deviation(inputs: LossInputs, config: LossConfig, total: Denominator) -> float:
    """The largest difference in loss, gradient or a logged part between the loss and its plain statement."""
    result = policy_loss(inputs, config, total)
    (grad_ST,) = torch.autograd.grad(result.loss, inputs.new_ST)
    plain = plain_loss(as_lists(inputs, config), config, total.sequences, total.tokens)
    expected_ST = torch.zeros_like(grad_ST)
    for i, mask_T in enumerate(inputs.mask_ST):
        expected_ST[i][mask_T] = torch.tensor(plain.gradients[i], dtype=grad_ST.dtype)
    parts = result.parts
    worst = [
        abs(result.loss.item() - plain.loss),
        (grad_ST - expected_ST).abs().max().item(),
        abs(parts["off_policy_masked"].item() - plain.masked / total.sequences),
        abs(parts["clip_low"].item() - plain.low / total.tokens),
        abs(parts["clip_high"].item() - plain.high / total.tokens),
        abs(parts["surrogate_loss"].item() + parts.get("kl_loss", torch.zeros(())).item() - plain.loss),
        abs(parts.get("kl", torch.zeros(())).item() - plain.kl),
    ]
    assert not grad_ST[~inputs.mask_ST].any()
    return max(worst)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_equals_the_formulas_in_plain_python(dtype: torch.dtype, bound: float) -> None:
    worst = 0.0
    for seed in range(500):
        config = random_config(random.Random(seed))
        inputs = random_inputs(seed, dtype, betas=seed % 3 == 0 and config.kl != "none")
        total = Denominator(sequences=len(inputs.mask_ST) + seed % 2, tokens=max(float(inputs.mask_ST.sum()), 1))
        worst = max(worst, deviation(inputs, config, total))
    print(f"largest deviation over 500 batches in {dtype}: {worst:.1e}")
    assert worst < bound


def enumeration() -> tuple[Tensor, Tensor, Tensor]:
    """Logits of an autoregressive policy, another and a reference over 5 tokens: a row for the start, 5 for a token."""
    generator = torch.Generator().manual_seed(0)
    new, old, reference = (torch.randn(6, 5, generator=generator, dtype=torch.float64) for _ in range(3))
    return new.requires_grad_(), new.detach() + 0.7 * old, reference


def every_sequence(logits: Tensor) -> Tensor:
    """Log-probabilities [25, 2] of the tokens of all sequences of two tokens."""
    logprobs = logits.log_softmax(-1)
    return torch.stack([torch.stack([logprobs[0, a], logprobs[1 + a, b]]) for a in range(5) for b in range(5)])


def true_gradient(new: Tensor, old: Tensor, reference: Tensor) -> Tensor:
    """Of KL(new || reference) token by token, over the prefixes that the old policy writes."""
    kl = (new.softmax(-1) * (new.log_softmax(-1) - reference.log_softmax(-1))).sum(-1)
    prefixes = torch.cat([torch.ones(1, dtype=new.dtype), old.detach()[0].softmax(-1)])
    return torch.autograd.grad((prefixes * kl).sum(), new)[0]


def relative_error(gradient: Tensor, truth: Tensor) -> float:
    return ((gradient - truth).norm() / truth.norm()).item()


@pytest.mark.parametrize("on_policy", [True, False])
def test_the_unbiased_kl_has_the_gradient_of_the_true_one_and_its_neighbors_have_not(on_policy: bool) -> None:
    new, other, reference = enumeration()
    old = new.detach() if on_policy else other
    new_ST, old_ST, reference_ST = (every_sequence(logits) for logits in (new, old, reference))
    weight_S = old_ST.sum(1).exp().detach()
    inputs = LossInputs(
        new_ST=new_ST,
        old_ST=old_ST,
        sampler_ST=old_ST,
        mask_ST=torch.ones(25, 2),
        advantages_S=torch.zeros(25),
        reference_ST=reference_ST,
        beta_S=weight_S,  # the average over the old policy's samples
    )
    truth = true_gradient(new, old, reference)

    def error_of(loss: Tensor) -> float:
        return relative_error(torch.autograd.grad(loss, new, retain_graph=True)[0], truth)

    errors = {
        kl: error_of(policy_loss(inputs, replace(KL_ALONE, kl=kl), Denominator(1, 1)).loss)
        for kl in ("unbiased", "k3", "k1")
    }
    k3_ST = (reference_ST - new_ST).exp() - (reference_ST - new_ST) - 1
    errors["detached ratio"] = error_of(((new_ST - old_ST).exp().detach() * k3_ST * weight_S.unsqueeze(1)).sum())
    print(f"relative error of the KL's gradient, {on_policy=}:", {name: f"{e:.1e}" for name, e in errors.items()})
    assert errors.pop("unbiased") < 1e-12
    assert min(errors.values()) > 0.1


def test_with_truncated_importance_sampling_the_kl_is_averaged_over_the_sampler() -> None:
    new, old, reference = enumeration()
    sampler = old + 0.3 * torch.randn(6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sampler_ST = every_sequence(sampler)
    first = torch.zeros(25, 2)
    first[:, 0] = 1  # the later token's prefix is the sampler's in any case
    inputs = LossInputs(
        new_ST=every_sequence(new),
        old_ST=every_sequence(old),
        sampler_ST=sampler_ST,
        mask_ST=first,
        advantages_S=torch.zeros(25),
        reference_ST=every_sequence(reference),
        beta_S=sampler_ST.sum(1).exp(),
    )
    loss = policy_loss(inputs, replace(KL_ALONE, importance_cap=1e9), Denominator(1, 1)).loss
    (gradient,) = torch.autograd.grad(loss, new)
    truth = true_gradient(new, old, reference)[0]
    assert relative_error(gradient[0], truth) < 1e-12


def test_micro_batches_add_up_to_the_whole() -> None:
    for seed in range(60):
        config = random_config(random.Random(seed))
        inputs = random_inputs(seed, betas=seed % 3 == 0 and config.kl != "none")
        total = count(inputs.mask_ST)
        whole = policy_loss(inputs, config)
        pieces = [policy_loss(part_of(inputs, i, i + 1), config, total) for i in range(len(inputs.mask_ST))]
        assert sum_of(pieces).item() == pytest.approx(whole.loss.item(), abs=1e-12)
        gradients = [torch.autograd.grad(loss, inputs.new_ST)[0] for loss in (whole.loss, sum_of(pieces))]
        assert torch.allclose(*gradients, rtol=0, atol=1e-12)
        parts = combine_parts(piece.parts for piece in pieces)
        assert parts.keys() == whole.parts.keys()
        for name, part in whole.parts.items():
            assert parts[name].item() == pytest.approx(part.item(), abs=1e-12), name


def part_of(inputs: LossInputs, start: int, stop: int) -> LossInputs:
    values: dict[str, Any] = {field.name: getattr(inputs, field.name) for field in fields(inputs)}
    return replace(inputs, **{name: value[start:stop] for name, value in values.items() if value is not None})


def sum_of(pieces: list[Any]) -> Tensor:
    return torch.stack([piece.loss for piece in pieces]).sum()


def off_policy_inputs(advantage: float) -> LossInputs:
    """One sequence, three nats per token less likely than when it was sampled; the trainer's old policy is the new."""
    new_ST = torch.full((1, 4), -3.5, dtype=torch.float64, requires_grad=True)
    return LossInputs(
        new_ST=new_ST,
        old_ST=new_ST.detach(),
        sampler_ST=new_ST.detach() + 3,
        mask_ST=torch.ones(1, 4),
        advantages_S=torch.tensor([advantage]),
        reference_ST=new_ST.detach() + 1,
    )


def test_the_off_policy_mask_goes_by_the_sampler_and_spares_the_kl() -> None:
    inputs = off_policy_inputs(-1.0)
    masked = policy_loss(inputs, loss_config(beta=0.5, off_policy_delta=2.9))
    kl_alone = policy_loss(replace(inputs, advantages_S=torch.zeros(1)), loss_config(beta=0.5))
    assert masked.parts["off_policy_masked"] == 1
    assert masked.parts["surrogate_loss"] == 0
    assert masked.parts["kl_loss"] > 0
    gradients = [torch.autograd.grad(result.loss, inputs.new_ST)[0] for result in (masked, kl_alone)]
    assert torch.equal(*gradients)
    assert gradients[0].any()


@pytest.mark.parametrize(("advantage", "delta"), [(-1.0, 3.1), (1.0, 0.1), (0.0, 0.1), (-1.0, None)])
def test_what_the_off_policy_mask_leaves(advantage: float, delta: float | None) -> None:
    inputs = off_policy_inputs(advantage)
    result = policy_loss(inputs, loss_config(off_policy_delta=delta))
    assert result.parts["off_policy_masked"] == 0
    assert result.parts["surrogate_loss"] == -advantage


def test_masked_sequences_stay_in_the_denominator() -> None:
    inputs = random_inputs(3)
    S, T = inputs.mask_ST.shape
    inputs = replace(inputs, mask_ST=torch.ones(S, T), **{
        name: torch.full((S, T), -1.0) for name in ("old_ST", "sampler_ST", "reference_ST", "entropy_ST")
    }, new_ST=torch.full((S, T), -1.0), advantages_S=torch.ones(S))  # fmt: skip
    assert policy_loss(inputs, loss_config()).loss == pytest.approx(-1.0)
    hidden = inputs.mask_ST.clone()
    hidden[0] = 0
    assert policy_loss(replace(inputs, mask_ST=hidden), loss_config()).loss == pytest.approx(-(S - 1) / S)


def test_statistics_on_policy_are_exact() -> None:
    logprobs_ST = -5 * torch.rand(3, 6)
    inputs = LossInputs(logprobs_ST, logprobs_ST, logprobs_ST, torch.ones(3, 6), torch.tensor([1.0, -1.0, 0.0]))
    parts = policy_loss(inputs, loss_config(importance_cap=2.0, off_policy_delta=0.0)).parts
    assert parts["ratio_mean"] == parts["ratio_max"] == parts["importance_mean"] == 1
    zero = ("clip_low", "clip_high", "mismatch_mean", "mismatch_max", "mismatch_kl", "drift", "off_policy_masked")
    assert [parts[name].item() for name in zero] == [0] * len(zero)
    assert "kl" not in parts
    assert "entropy" not in parts


def test_mismatch_between_sampler_and_trainer() -> None:
    old_ST = torch.tensor([[-1.0, -2.0, -3.0]], dtype=torch.float64)
    difference = torch.tensor([[0.5, -0.25, 9.0]], dtype=torch.float64)
    inputs = LossInputs(old_ST - 0.1, old_ST, old_ST + difference, torch.tensor([[1, 1, 0]]), torch.ones(1))
    parts = policy_loss(inputs, loss_config(importance_cap=1.2)).parts
    assert parts["mismatch_mean"].item() == pytest.approx(0.375)
    assert parts["mismatch_max"].item() == pytest.approx(0.5)
    assert parts["drift"].item() == pytest.approx(0.225)
    assert parts["importance_capped"].item() == pytest.approx(0.5)
    expected = torch.exp(-difference[0, :2]) + difference[0, :2] - 1
    assert parts["mismatch_kl"].item() == pytest.approx(expected.mean().item())


def test_half_precision_is_computed_in_fp32() -> None:
    inputs = random_inputs(5, torch.float32)
    half = replace(inputs, new_ST=inputs.new_ST.detach().bfloat16().requires_grad_())
    result = policy_loss(half, loss_config(beta=0.1))
    assert result.loss.dtype == torch.float32
    assert torch.autograd.grad(result.loss, half.new_ST)[0].dtype == torch.bfloat16


def test_gradients_flow_through_the_new_policy_alone() -> None:
    inputs = random_inputs(6)
    assert inputs.reference_ST is not None
    others = [tensor.requires_grad_() for tensor in (inputs.old_ST, inputs.sampler_ST, inputs.reference_ST)]
    policy_loss(inputs, loss_config(beta=0.1, importance_cap=2.0)).loss.backward()
    assert [tensor.grad for tensor in others] == [None] * 3


@pytest.mark.parametrize("name", ["old_ST", "mask_ST", "advantages_S", "beta_S"])
def test_a_shape_that_would_broadcast_is_refused(name: str) -> None:
    inputs = random_inputs(7)
    wrong = torch.ones(1, 1) if name.endswith("_ST") else torch.ones(len(inputs.mask_ST), 1)
    with pytest.raises(ValueError, match=name):
        policy_loss(replace(inputs, **{name: wrong}), loss_config())


def test_a_kl_needs_a_reference() -> None:
    inputs = replace(random_inputs(8), reference_ST=None)
    with pytest.raises(ValueError, match="reference"):
        policy_loss(inputs, loss_config(beta=0.1))
    per_domain = replace(inputs, beta_S=torch.zeros(len(inputs.mask_ST)))
    assert "kl" not in policy_loss(per_domain, loss_config(beta=0.1)).parts  # mathematics alone: no KL


def test_a_nan_is_not_hidden() -> None:
    inputs = random_inputs(9)
    new_ST = inputs.new_ST.detach().clone()
    new_ST[tuple(inputs.mask_ST.nonzero()[0])] = torch.nan
    assert policy_loss(replace(inputs, new_ST=new_ST), loss_config()).loss.isnan()
