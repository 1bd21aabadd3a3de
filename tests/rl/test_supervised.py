"""SFT examples: only answers are targets, packing changes nothing, and each stage moves what it should."""

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch.nn.functional import cross_entropy

from rl.supervised import Encoded, Supervised, encode, micro_batches
from tests.rl.small import TOKENIZER, Letters, learner, small_module, supervised_config

pytestmark = [pytest.mark.trains, pytest.mark.slow]

CONFIG = supervised_config(tokens=100, micro_batch_tokens=1000)


def examples(count: int) -> list[Encoded]:
    taught = learner(small_module())
    return [encode(taught, Letters().example(number)) for number in range(count)]


def gradients(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.grad.clone() for name, weight in module.named_parameters() if weight.grad is not None}


def test_an_example_is_a_chat_with_the_answer_and_its_end() -> None:
    taught = learner(small_module())
    example = Letters().example(3)
    ids, targets = encode(taught, example)
    answer = targets[0]
    assert ids[:answer] == taught.render(example.prompt)
    assert targets == list(range(answer, len(ids)))
    assert TOKENIZER.decode(ids[answer:-1]) == example.answer
    assert ids[-1] == TOKENIZER.eos_token_id


def test_what_is_given_of_an_answer_is_no_target() -> None:
    taught = learner(small_module())
    example = Letters().example(3)
    whole, prompt = encode(taught, example), len(taught.render(example.prompt))
    ids, targets = encode(taught, replace(example, given=example.answer[:2], answer=example.answer[2:]), True)
    assert TOKENIZER.decode(ids) == TOKENIZER.decode(whole.ids)
    assert targets[: prompt - 1] == list(range(1, prompt))
    assert TOKENIZER.decode([ids[place] for place in targets[prompt - 1 : -1]]) == example.answer[2:]


def test_an_answer_with_a_rest_does_not_end() -> None:
    taught = learner(small_module())
    example = Letters().example(3)
    whole, cut = encode(taught, example), encode(taught, replace(example, rest="and more"))
    assert cut.ids == whole.ids[:-1]
    assert cut.targets == whole.targets[:-1]


@pytest.mark.parametrize("micro_batch_tokens", [10, 50, 1000])
def test_loss_and_gradients_are_those_of_answers_alone(micro_batch_tokens: int) -> None:
    module = small_module()
    stage = Supervised("sft", learner(module), replace(CONFIG, micro_batch_tokens=micro_batch_tokens))
    values = stage.step()
    packed_gradients = gradients(module)
    module.zero_grad()
    used = examples(int(values["examples"]))
    losses = []
    for ids, targets in used:
        logits_PV = module(torch.tensor([ids]))[0, targets[0] - 1 : -1]
        losses.append(cross_entropy(logits_PV, torch.tensor(ids[targets[0] :]), reduction="sum"))
    loss = torch.stack(losses).sum() / sum(len(targets) for _, targets in used)
    loss.backward()
    assert values["loss"] == pytest.approx(loss.item())
    for name, expected in gradients(module).items():
        torch.testing.assert_close(packed_gradients[name], expected, msg=name)


def test_batches_go_on_where_the_last_one_ended() -> None:
    stage = Supervised("sft", learner(small_module()), CONFIG)
    seen: list[Encoded] = []
    for _ in range(3):
        stage.step()
        seen += stage.batch
    assert seen == examples(len(seen))
    resumed = Supervised("sft", learner(small_module()), CONFIG)
    resumed.load_state(stage.state())
    resumed.step()
    assert resumed.batch == examples(len(seen) + len(resumed.batch))[len(seen) :]


@pytest.mark.parametrize(("name", "indexer", "model"), [("sft", 0, 1), ("warmup", 1, 0), ("sparse", 1, 1)])
def test_each_stage_moves_what_it_should(name: str, indexer: int, model: int) -> None:
    module = small_module()
    stage = Supervised(name, learner(module), CONFIG)
    values = stage.step()
    moved = {name for name, gradient in gradients(module).items() if gradient.abs().max() > 0}
    assert any(".indexer." in name for name in moved) == bool(indexer)
    assert any(".indexer." not in name for name in moved) == bool(model)
    assert ("indexer_kl" in values) == bool(indexer)
    stage.close()
    assert all(weight.requires_grad for weight in module.parameters())


def test_the_indexers_learn_in_the_warm_up() -> None:
    module = small_module(dtype=torch.float32)
    stage = Supervised("warmup", learner(module), CONFIG)
    before = stage.validate(6)["indexer_kl"]
    optimizer = torch.optim.Adam([weight for weight in module.parameters() if weight.requires_grad], lr=3e-3)
    for _ in range(12):
        optimizer.zero_grad()
        stage.step()
        optimizer.step()
    assert stage.validate(6)["indexer_kl"] < 0.8 * before


def test_micro_batches_hold_every_example_once() -> None:
    batch = [Encoded([1] * length, [1]) for length in (5, 90, 30, 30, 7, 41)]
    parts = list(micro_batches(batch, 60))
    assert sorted(len(one.ids) for part in parts for one in part) == sorted(len(one.ids) for one in batch)
    assert all(sum(len(one.ids) for one in part) <= 60 or len(part) == 1 for part in parts)


def test_experts_are_counted_over_the_batch() -> None:
    module = small_module()
    taught = learner(module)
    values: dict[str, Any] = Supervised("sft", taught, CONFIG).step()
    for load_E in taught.loads.values():
        assert load_E.sum().item() == values["tokens"] * module.config.num_experts_per_tok
