"""Log-probabilities by the trainer equal those of the rollout, token by token, with choices repeated."""

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from model import ModelError
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.transformer import DsaModel
from rl import head
from rl.loss import LossInputs, policy_loss
from rl.rollout import sample_groups
from rl.samples import Keep, Sample, computed_tokens, mask_of, micro_batches, padded, score
from rl.trajectory import Trajectory
from tests.rl.settings import loss_config
from tests.rl.small import Letters, learner, small_module

KEEP = Keep(routing=True, sampling_mask=True, selection=True)
CUT = SamplingParams(temperature=0.7, top_p=0.9, top_k=40, max_tokens=7, seed=1, record_sampling_masks=True)


def rollout(module: DsaModel, sampling: SamplingParams = CUT, rounds: int = 1) -> list[Trajectory]:
    taught = learner(module, Letters(rounds))
    config = EngineConfig(cache_tokens=4096, page_size=4, capture_routing=True, capture_selection=True)
    engine = LLMEngine(module, taught.tokenizer, config)
    return sample_groups(engine, taught, taught.training, range(3), 4, sampling)


def samples(trajectories: list[Trajectory], temperature: float = CUT.temperature) -> list[Sample]:
    return [
        Sample(
            prompt_ids=turn.prompt_ids,
            token_ids=turn.completion.token_ids,
            logprobs=turn.completion.logprobs,
            advantage=(-1.0) ** one.index,
            beta=0.0,
            temperature=temperature,
            masks=turn.completion.masks,
            routing=turn.completion.routing,
            selection=turn.completion.selection,
        )
        for one in trajectories
        for turn in one.turns
    ]


@pytest.mark.parametrize("keep", [KEEP, replace(KEEP, selection=False), replace(KEEP, routing=False)])
@pytest.mark.parametrize("rounds", [1, 2])
@torch.no_grad()
def test_log_probabilities_are_the_samplers(keep: Keep, rounds: int) -> None:
    module = small_module()
    batch = samples(rollout(module, rounds=rounds))
    assert len(batch) == 12 * rounds
    scored = score(module, batch, keep)
    expected = padded([torch.tensor(sample.logprobs, dtype=torch.float64) for sample in batch])
    torch.testing.assert_close(scored.logprobs_ST, expected, rtol=0, atol=1e-9)


def test_without_the_sampling_mask_the_policy_drifts_from_itself() -> None:
    module = small_module()
    batch = samples(rollout(module))

    def drift(keep: Keep) -> float:
        new_ST = score(module, batch, keep).logprobs_ST
        sampler_ST = padded([torch.tensor(sample.logprobs, dtype=torch.float64) for sample in batch])
        advantages_S = torch.tensor([sample.advantage for sample in batch])
        inputs = LossInputs(new_ST, new_ST.detach(), sampler_ST, mask_of(batch), advantages_S)
        return policy_loss(inputs, loss_config()).parts["drift"].item()

    assert abs(drift(KEEP)) < 1e-9
    assert drift(Keep(routing=True)) > 0.01


def test_the_ratio_is_exactly_one_on_policy() -> None:
    module = small_module(dtype=torch.float32)
    batch = samples(rollout(module))
    with torch.no_grad():
        old_ST = score(module, batch, KEEP).logprobs_ST
    new_ST = score(module, batch, KEEP).logprobs_ST
    advantages_S = torch.tensor([sample.advantage for sample in batch])
    inputs = LossInputs(new_ST, old_ST, old_ST, mask_of(batch), advantages_S)
    parts = policy_loss(inputs, loss_config()).parts
    assert torch.equal(new_ST.detach(), old_ST)
    assert parts["ratio_max"].item() == 1.0
    assert parts["ratio_mean"].item() == pytest.approx(1.0, abs=1e-7)


def test_forced_experts_matter_after_an_update() -> None:
    module = small_module()
    batch = samples(rollout(module))
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)).to(weight) * 0.05)
        kept, free = (score(module, batch, keep).logprobs_ST for keep in (KEEP, Keep(sampling_mask=True)))
    assert not torch.allclose(kept, free)


def test_gradients_of_the_whole_are_those_of_each_sample_alone() -> None:
    module = small_module()
    batch = samples(rollout(module, rounds=2))
    weights = list(module.parameters())

    def gradients(parts: list[list[Sample]]) -> list[torch.Tensor | None]:
        total = sum(score(module, part, KEEP).logprobs_ST.sum() for part in parts)
        assert isinstance(total, torch.Tensor)
        return list(torch.autograd.grad(total, weights, allow_unused=True))

    together = gradients([batch])
    for parts in ([[sample] for sample in batch], [[batch[n] for n in part] for part in micro_batches(batch, 90)]):
        for one, other in zip(together, gradients(parts), strict=True):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                torch.testing.assert_close(one, other)


@pytest.mark.parametrize("sampling_mask", [True, False])
def test_logits_some_tokens_at_a_time_change_nothing(sampling_mask: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    module, keep = small_module(), Keep(routing=True, sampling_mask=sampling_mask)
    batch = samples(rollout(module))
    rows: list[int] = []
    monkeypatch.setattr(module, "logits", lambda hidden: rows.append(len(hidden)) or DsaModel.logits(module, hidden))

    def scored() -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor | None]]:
        found = score(module, batch, keep)
        weighted = (found.logprobs_ST * torch.arange(found.logprobs_ST.shape[1])).sum()
        gradients = torch.autograd.grad(weighted, list(module.parameters()), allow_unused=True)
        return found.logprobs_ST.detach(), found.entropy_ST, list(gradients)

    whole = scored()
    assert len(rows) == 1
    tokens = rows.pop()
    monkeypatch.setattr(head, "LOGITS", 10 * module.config.vocab_size)
    parts = scored()
    assert max(rows) == 10
    assert sum(rows) == 2 * tokens  # once in the forward and once in the backward pass
    for one, other in zip([*whole[:2], *whole[2]], [*parts[:2], *parts[2]], strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_the_samples_of_a_prompt_beyond_the_limit_are_split() -> None:
    batch = samples(rollout(small_module()))
    limit = max(sample.tokens for sample in batch) + 1
    parts = list(micro_batches(batch, limit))
    assert sorted(number for part in parts for number in part) == list(range(len(batch)))
    assert all(computed_tokens([batch[number] for number in part]) <= limit for part in parts)
    alone = list(micro_batches(batch, 1))
    assert [len(part) for part in alone] == [1] * len(batch)


@pytest.mark.parametrize("missing", ["masks", "routing", "selection"])
def test_what_is_to_be_kept_must_have_been_recorded(missing: str) -> None:
    module = small_module()
    batch = samples(rollout(module))
    setattr(batch[5], missing, None)
    with pytest.raises(ValueError, match="the rollout recorded no"):
        score(module, batch, KEEP)


def test_a_record_that_the_model_has_no_use_for_is_an_error() -> None:
    deep, shallow = small_module(), small_module(num_hidden_layers=2)
    with pytest.raises(ModelError, match="not used in training"):
        score(shallow, samples(rollout(deep)), KEEP)


def test_micro_batches_hold_every_sample_once_and_prompts_together() -> None:
    batch = samples(rollout(small_module()))
    parts = list(micro_batches(batch, 100))
    assert len(parts) > 1
    assert sorted(number for part in parts for number in part) == list(range(len(batch)))
    homes: dict[Any, set[int]] = {}
    for place, part in enumerate(parts):
        for number in part:
            homes.setdefault(tuple(batch[number].prompt_ids), set()).add(place)
    assert all(len(places) == 1 for places in homes.values())
