"""Ordinary causal models of transformers in training: packed passes, rollouts, whole stages, resumption."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from transformers import AutoModelForCausalLM

from core.errors import LemmataError
from lemmata.training import compose_train
from model.engine import EngineConfig, SamplingParams
from model.errors import ModelError
from model.packed import Packed, RolloutReplay, pack_groups
from rl.models.causal import CausalLM, load_causal
from rl.models.causal_engine import CausalEngine
from rl.models.kinds import kind_of, load_policy
from rl.parallel import Parallel
from rl.samples import Keep, Sample, score
from rl.setup import make_trainer
from rl.trainer import Trainer
from tests.model.llamas import save_source
from tests.rl.small import TOKENIZER, learner, train_config

KINDS = ("llama", "qwen3")
GROUPS = ((9, (12, 3, 0, 11)), (1, (2,)), (30, (5, 14)), (7, ()))  # prompt, completions
CUT = SamplingParams(n=3, temperature=0.7, top_p=0.9, top_k=40, max_tokens=7, seed=1, record_sampling_masks=True)


def save(folder: Path, kind: str = "llama", **changes: Any) -> Path:
    """A tiny random model with the tokenizer of bytes; each row of its logits is far from uniform."""
    save_source(folder, kind=kind, vocab_size=len(TOKENIZER), eos_token_id=TOKENIZER.eos_token_id, **changes)
    TOKENIZER.save_pretrained(folder)
    return folder


def double(folder: Path, kind: str = "llama", **changes: Any) -> CausalLM:
    return load_causal(save(folder, kind, **changes), torch.float64, "cpu")


def packed_groups() -> Packed:
    numbers = iter(torch.randint(len(TOKENIZER), (200,), generator=torch.Generator().manual_seed(5)).tolist())
    return pack_groups(
        [([next(numbers) for _ in range(p)], [[next(numbers) for _ in range(c)] for c in cs]) for p, cs in GROUPS]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_packed_states_and_gradients_are_those_of_each_sequence_alone(kind: str, tmp_path: Path) -> None:
    module, packed = double(tmp_path, kind), packed_groups()
    expected = []
    for branch in packed.branches:
        ids = packed.ids_N[[*branch.prompt.places, *branch.own.places]]
        if branch.own.length:
            states = module.lm.model(input_ids=ids.unsqueeze(0), use_cache=False).last_hidden_state[0]
            expected.append(states[branch.prompt.length :])
    weights = list(module.parameters())
    found_NM, kl = module.packed(packed)
    expected_NM = torch.cat(expected)
    torch.testing.assert_close(found_NM, expected_NM)
    assert kl.tolist() == [0.0]
    losses = [module.logits(states).log_softmax(-1)[:, 3].sum() for states in (found_NM, expected_NM)]
    for one, other in zip(*(torch.autograd.grad(loss, weights) for loss in losses), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)  # norms compute in fp32


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_checkpointing_keeps_little_and_changes_no_gradient(kind: str, tmp_path: Path) -> None:
    module, packed = double(tmp_path, kind, num_hidden_layers=4), packed_groups()

    def step() -> tuple[int, tuple[torch.Tensor, ...]]:
        kept: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
            states_NM, _ = module.packed(packed)
        return sum(kept), torch.autograd.grad(module.logits(states_NM).square().sum(), list(module.parameters()))

    all_kept, gradients = step()
    module.gradient_checkpointing_enable()
    few_kept, others = step()
    assert few_kept < 0.3 * all_kept
    for one, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def prompts() -> list[list[int]]:
    return [TOKENIZER(text)["input_ids"] for text in ("Say x:", "A much longer prompt than that:", "B", "Say x:")]


def engine(module: CausalLM, **changes: Any) -> CausalEngine:
    return CausalEngine(module, TOKENIZER, replace(EngineConfig(cache_tokens=4096), **changes))


@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_of_the_trainer_are_those_of_the_rollout(kind: str, tmp_path: Path) -> None:
    module = double(tmp_path, kind)
    groups = engine(module).generate(prompts(), [CUT] * 4)
    assert [len(group) for group in groups] == [3] * 4
    assert [one.token_ids for one in groups[0]] == [one.token_ids for one in groups[3]]
    assert groups[0][0].token_ids != groups[0][1].token_ids
    batch = [
        Sample(prompt, one.token_ids, one.logprobs, CUT.temperature, masks=one.masks)
        for prompt, group in zip(prompts(), groups, strict=True)
        for one in group
    ]
    logprobs_ST = score(module, batch, Keep(sampling_mask=True)).logprobs_ST
    for sample, row_T in zip(batch, logprobs_ST, strict=True):
        # generate computes its logits in fp32
        assert row_T[: len(sample.token_ids)].tolist() == pytest.approx(sample.logprobs, abs=1e-5)


def test_rollouts_are_the_same_in_any_batch_and_end_as_the_model_does(tmp_path: Path) -> None:
    module = double(tmp_path)
    sampling = [replace(CUT, max_tokens=40, seed=place) for place in range(4)]
    whole = engine(module).generate(prompts(), sampling)
    alone = [engine(module).generate([prompt], [own])[0] for prompt, own in zip(prompts(), sampling, strict=True)]
    done: list[int] = []
    small = engine(module, max_num_seqs=2).generate(prompts(), sampling, lambda number, _: done.append(number))
    tokens = [[one.token_ids for one in group] for group in whole]
    assert tokens == [[one.token_ids for one in group] for group in alone]
    assert tokens == [[one.token_ids for one in group] for group in small]
    assert sorted(done) == [0, 1, 2, 3]
    for one in (one for group in whole for one in group):
        assert (one.finish_reason == "stop") == (one.token_ids[-1] == TOKENIZER.eos_token_id)
        assert (one.finish_reason == "length") == (len(one.token_ids) == 40 and one.finish_reason != "stop")
        whole_text = str(TOKENIZER.decode(one.token_ids, skip_special_tokens=True))
        assert whole_text.startswith(one.text)
        assert len(whole_text) - len(one.text) < 4  # of an unfinished character
    assert {one.finish_reason for group in whole for one in group} == {"stop", "length"}


def test_greedy_rollouts_are_those_of_transformers(tmp_path: Path) -> None:
    module = load_policy(save(tmp_path), "float32", "cpu")[0]
    assert isinstance(module, CausalLM)
    greedy = SamplingParams(temperature=0, max_tokens=12)
    for prompt, (found,) in zip(prompts(), engine(module).generate(prompts(), [greedy] * 4), strict=True):
        expected = module.lm.generate(torch.tensor([prompt]), max_new_tokens=12, do_sample=False)
        assert found.token_ids == expected[0, len(prompt) :].tolist()


def test_a_prompt_that_fills_the_context_is_an_error(tmp_path: Path) -> None:
    module = double(tmp_path, max_position_embeddings=16)
    with pytest.raises(ModelError, match="31 tokens, and the context is 16"):
        engine(module).generate([prompts()[1]], [CUT])


def causal_trainer(folder: Path, source: Path, stopping: Any = lambda: False) -> Trainer:
    """A trainer of both stages on a model of transformers, as a new process makes it."""
    config = train_config(("sft", "rl"), preset="dr_grpo")
    checkpoint = folder / "checkpoints"
    latest = max(checkpoint.glob("step-*/model"), default=source)
    module = load_policy(latest, "float64", "cpu")[0]
    return Trainer(learner(module), config, folder, stopping=stopping)  # pyright: ignore[reportArgumentType]


@pytest.mark.trains
def test_a_stopped_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    source = save(tmp_path / "source", "qwen3", tie_word_embeddings=True)
    assert causal_trainer(tmp_path / "whole", source).run()
    stopped = iter([False, False, False, False, True])
    assert not causal_trainer(tmp_path / "parts", source, lambda: next(stopped)).run()
    assert causal_trainer(tmp_path / "parts", source).run()
    first, whole, parts = (
        AutoModelForCausalLM.from_pretrained(folder).state_dict()
        for folder in (source, tmp_path / "whole" / "model", tmp_path / "parts" / "model")
    )
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert any(not torch.equal(first[name].to(whole[name]), whole[name]) for name in whole)
    loaded = load_policy(tmp_path / "whole" / "model", "float64", "cpu")[0]
    assert kind_of(loaded).records_choices is False


@pytest.mark.trains
@pytest.mark.slow
@pytest.mark.parametrize("role", ["prover", "verifier", "meta_verifier", "generator"])
def test_each_role_is_trained_from_a_model_of_transformers(role: str, tmp_path: Path) -> None:
    source = save(tmp_path / "source", max_position_embeddings=4096)
    config = compose_train(
        *(f"role={role}", "stage=[sft,rl]", f"model={source}", "algorithm.keep_routing=false", "threads=1"),
        *("data.levels=[1]", "stages.sft.steps=1", "stages.sft.tokens=512", "gradient_checkpointing=true"),
        *("stages.rl.steps=1", "stages.rl.groups=2", "stages.rl.samples=2", "stages.rl.sampling.max_tokens=4"),
        *("validation.items=1", "data.mixture={prover: 1, verifier: 1, meta_verifier: 1}"),
    )
    assert make_trainer(config, tmp_path / "run", Parallel(), lambda *_: None, lambda: False).run()
    AutoModelForCausalLM.from_pretrained(tmp_path / "run" / "model")


@pytest.mark.parametrize(
    ("stage", "change", "named"),
    [
        ("warmup", {}, "stage warmup"),
        ("rl", {"keep_selection": True}, "keep_selection"),
        ("rl", {"indexer_weight": 1.0}, "indexer_weight"),
    ],
)
def test_what_only_a_dsa_model_has_is_an_error(stage: str, change: dict[str, Any], named: str, tmp_path: Path) -> None:
    module = double(tmp_path / "source")
    with pytest.raises(LemmataError, match=rf"{named}.*model\.convert"):
        Trainer(learner(module), train_config(stage, preset="dr_grpo", **change), tmp_path)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ModelError, match="indexers"):
        module.packed(packed_groups(), "sparse")
    with pytest.raises(ModelError, match="not used"):
        module.packed(packed_groups(), "off", RolloutReplay(torch.zeros(1, 1, 1)))


def test_a_model_that_changes_its_logits_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, "granite", logits_scaling=4.0)
    with pytest.raises(ModelError, match="GraniteForCausalLM changes the logits"):
        load_policy(folder, "float32", "cpu")
