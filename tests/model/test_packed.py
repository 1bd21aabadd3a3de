"""Packed sequences: the same results as each sequence alone, with shared prompts and gradients; strict replay."""

from collections.abc import Sequence
from itertools import accumulate

import pytest

pytest.importorskip("torch")

import torch

from model import ModelError
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.packed import Packed, RolloutReplay, pack, pack_groups
from model.packed_attention import IndexerStage
from model.router_capture import capture_routing, capture_selections
from model.transformer import DsaModel
from tests.model.tiny import byte_model, byte_tokenizer, random_ids, tiny_model

LENGTHS = (13, 3, 40, 12, 1)
GROUPS = ((9, (12, 3, 0, 11)), (1, (2,)), (30, (5, 14)))  # prompt, completions


def sequences(seed: int = 0) -> list[list[int]]:
    return [random_ids(1, length, seed + place)[0].tolist() for place, length in enumerate(LENGTHS)]


def groups() -> list[tuple[list[int], list[list[int]]]]:
    ids = iter(random_ids(1, 200, 5)[0].tolist())
    return [([next(ids) for _ in range(p)], [[next(ids) for _ in range(c)] for c in cs]) for p, cs in GROUPS]


def alone(model: DsaModel, ids: list[int]) -> torch.Tensor:
    return model.hidden(torch.tensor([ids]))[0]


def expected_of_groups(model: DsaModel) -> torch.Tensor:
    parts = []
    for prompt, completions in groups():
        parts.append(alone(model, prompt))
        parts += [alone(model, [*prompt, *completion])[len(prompt) :] for completion in completions]
    return torch.cat(parts)


@pytest.mark.parametrize("topk", [8, 256])
def test_states_and_gradients_equal_those_of_each_sequence_alone(topk: int) -> None:
    model = tiny_model(dtype=torch.float64, index_topk=topk)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    cases = [
        (pack(sequences()), torch.cat([alone(model, ids) for ids in sequences()])),
        (pack_groups(groups()), expected_of_groups(model)),
    ]
    for packed, expected in cases:
        hidden, _ = model.packed(packed)
        torch.testing.assert_close(hidden, expected)
        actual = torch.autograd.grad(hidden.square().sum(), weights, allow_unused=True)
        wanted = torch.autograd.grad(expected.square().sum(), weights, allow_unused=True)
        for one, other in zip(actual, wanted, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(one, other)


@pytest.mark.parametrize("stage", ["dense", "sparse"])
def test_the_indexers_loss_is_the_sum_over_sequences(stage: str) -> None:
    model = tiny_model(dtype=torch.float64)
    whole, _ = (model.packed(pack(sequences()), stage)[1], None)  # pyright: ignore[reportArgumentType]
    parts = [model.packed(pack([ids]), stage)[1] for ids in sequences()]  # pyright: ignore[reportArgumentType]
    torch.testing.assert_close(whole, torch.stack(parts).sum(0))
    assert whole.min() > 0


def test_positions_follow_the_shared_prompt() -> None:
    packed = pack_groups(groups())
    ends = [0, *accumulate(branch.own.length for branch in packed.branches)]
    assert len(packed.ids_N) == ends[-1]
    for branch, first in zip(packed.branches, ends, strict=False):
        own = packed.positions_N[first : first + branch.own.length].tolist()
        assert own == list(range(branch.prompt.length, branch.prompt.length + branch.own.length))


def test_nothing_to_pack_is_refused() -> None:
    for nothing in ([], [[]], [[1], []]):
        with pytest.raises(ModelError, match="nothing to compute"):
            pack(nothing)


def recorded(model: DsaModel, packed: Packed) -> RolloutReplay:
    """Returns the model's own routing and selections for sequences of one length."""
    rows = packed.blocks[0].tokens_BS
    with torch.no_grad(), capture_routing(model.model) as experts, capture_selections(model.model) as selected:
        model.hidden(packed.ids_N[rows])
    selection = torch.stack([layer.flatten(0, 1) for layer in selected.values()], dim=1)
    return RolloutReplay(torch.stack(list(experts.values()), dim=1), selection)


def test_other_weights_follow_a_replay() -> None:
    packed = pack([random_ids(1, 20)[0].tolist(), random_ids(1, 20, 1)[0].tolist()])
    model, other = tiny_model(dtype=torch.float64), tiny_model(seed=1, dtype=torch.float64)
    torch.testing.assert_close(model.packed(packed, replay=recorded(model, packed))[0], model.packed(packed)[0])
    with capture_routing(other.model) as chosen:
        forced, _ = other.packed(packed, replay=recorded(model, packed))
    with capture_routing(model.model) as wanted:
        model.packed(packed)
    assert all(torch.equal(chosen[name], wanted[name]) for name in wanted)
    assert not torch.allclose(forced, other.packed(packed)[0])


def test_a_replay_that_does_not_fit_the_model_is_an_error() -> None:
    packed, model = pack([random_ids(1, 20)[0].tolist()]), tiny_model()
    experts, layers = torch.zeros(20, 5, 3, dtype=torch.long), torch.full((20, 3, 8), -1, dtype=torch.int32)
    with pytest.raises(ModelError, match="not used in training: experts of 3 layers"):
        model.packed(packed, replay=RolloutReplay(experts, layers))
    with pytest.raises(ModelError, match="selection for fewer layers"):
        model.packed(packed, replay=RolloutReplay(None, layers[:, :2]))
    used = recorded(model, packed)
    model.packed(packed, replay=used)
    with pytest.raises(ModelError, match="fewer layers"):
        model.packed(packed, replay=used)


@pytest.mark.parametrize("stage", ["off", "dense", "sparse"])
def test_gradient_checkpointing_keeps_little_and_changes_no_gradient(stage: IndexerStage) -> None:
    model = tiny_model(dtype=torch.float64)
    packed = pack([random_ids(1, 20)[0].tolist(), random_ids(1, 20, 1)[0].tolist()])
    chooser = tiny_model(seed=1, dtype=torch.float64)  # its choices, replayed, are not the model's own

    def step() -> tuple[int, torch.Tensor, Sequence[torch.Tensor | None]]:
        kept: list[int] = []
        replay = recorded(chooser, packed) if stage == "off" else None
        with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
            hidden, kl = model.packed(packed, stage, replay)
        loss = kl.sum() if stage == "dense" else hidden.square().sum() + kl.sum()
        return sum(kept), hidden.detach(), torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)

    all_kept, hidden, gradients = step()
    model.gradient_checkpointing_enable()
    few_kept, again, others = step()
    assert few_kept < 0.2 * all_kept
    assert torch.equal(hidden, again)
    for one, other in zip(gradients, others, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_the_engine_records_the_models_own_choices() -> None:
    model = byte_model(index_topk=8)
    engine = LLMEngine(
        model,
        byte_tokenizer(),
        EngineConfig(cache_tokens=1024, page_size=4, capture_routing=True, capture_selection=True),
    )
    prompt = engine.encode("Prove that 1 + 1 is 2.")
    for completion in engine.generate([prompt], SamplingParams(n=3, seed=1, max_tokens=9, ignore_eos=True))[0]:
        assert completion.routing is not None
        assert completion.selection is not None
        packed = pack([[*prompt, *completion.token_ids[:-1]]])
        assert completion.selection.shape == (len(packed.ids_N), 3, 8)
        with capture_selections(model.model) as selected:
            alone(model, packed.ids_N.tolist())
        assert torch.equal(completion.selection, torch.stack(list(selected.values()), dim=2)[0])
        replay = RolloutReplay(completion.routing.long(), completion.selection)
        torch.testing.assert_close(model.packed(packed, replay=replay)[0], model.packed(packed)[0])
