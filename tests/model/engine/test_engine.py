"""Engine against the model: the same log-probabilities, and the same samples whatever else runs."""

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from model.engine import CompletionOutput, EngineConfig, LLMEngine, SamplingParams
from model.errors import ModelError
from model.transformer import DsaModel
from tests.model.tiny import byte_model, byte_tokenizer

pytestmark = pytest.mark.slow

TOKENIZER = byte_tokenizer()
SMALL = EngineConfig(cache_tokens=2048, page_size=4, max_num_seqs=16, max_prefill_tokens=64)
PROMPTS = ["Prove it.", "x", "Let n be even, so that n = 2k for an integer k; then", "Show that 1 + 1 = 2 in all"]
FREE = SamplingParams(max_tokens=24, ignore_eos=True, seed=7)


def engine(model: DsaModel | None = None, **changes: Any) -> LLMEngine:
    return LLMEngine(model or byte_model(), TOKENIZER, replace(SMALL, **changes))


@torch.no_grad()
def rescored(model: DsaModel, prompt: list[int], completion: CompletionOutput) -> list[float]:
    """Returns the model's log-probabilities of a completion, in one pass without a cache."""
    ids = torch.tensor([[*prompt, *completion.token_ids]])
    logprobs = model(ids)[0, len(prompt) - 1 : -1].log_softmax(-1)
    return logprobs.gather(1, torch.tensor(completion.token_ids).unsqueeze(1)).squeeze(1).tolist()


SETTINGS: list[dict[str, Any]] = [
    {},
    {"max_prefill_tokens": 7},  # prompt chunks end inside pages
    {"cache_tokens": 80},  # about one sequence at a time; the others are preempted repeatedly
    {"max_num_seqs": 3},
    {"page_size": 64},
]


@pytest.mark.parametrize("changes", SETTINGS)
@pytest.mark.parametrize("speculate", [False, True])
def test_logprobs_are_the_models_own(changes: dict[str, Any], speculate: bool) -> None:
    model = byte_model(num_nextn_predict_layers=1)
    running = engine(model, speculate=speculate, **changes)
    for prompt, completions in zip(PROMPTS, running.generate(PROMPTS, replace(FREE, n=2)), strict=True):
        for completion in completions:
            assert len(completion.token_ids) == 24
            expected = rescored(model, running.encode(prompt), completion)
            assert completion.model_logprobs == pytest.approx(expected, abs=1e-9)
            assert completion.logprobs == completion.model_logprobs


@pytest.mark.parametrize("changes", SETTINGS)
@pytest.mark.parametrize("speculate", [False, True])
def test_a_seed_gives_the_same_sample_whatever_else_runs(changes: dict[str, Any], speculate: bool) -> None:
    model = byte_model(num_nextn_predict_layers=1)
    alone = [engine(model).generate([prompt], FREE)[0][0].token_ids for prompt in PROMPTS]
    together = engine(model, speculate=speculate, **changes).generate(PROMPTS, FREE)
    assert [completions[0].token_ids for completions in together] == alone


def test_n_completions_are_n_requests_with_successive_seeds() -> None:
    (group,) = engine().generate(PROMPTS[:1], replace(FREE, n=5))
    single = [engine().generate(PROMPTS[:1], replace(FREE, seed=7 + i))[0][0] for i in range(5)]
    assert [one.token_ids for one in group] == [one.token_ids for one in single]
    assert [one.seed for one in group] == [7, 8, 9, 10, 11]
    assert len({tuple(one.token_ids) for one in group}) > 1


def test_without_a_seed_samples_differ_and_can_be_repeated() -> None:
    running = engine()
    first, second = (running.generate(["x"], replace(FREE, seed=None))[0][0] for _ in range(2))
    assert first.token_ids != second.token_ids
    assert running.generate(["x"], replace(FREE, seed=first.seed))[0][0].token_ids == first.token_ids


class Fed:
    """Counts the tokens fed to a model."""

    def __init__(self, model: DsaModel) -> None:
        self.tokens = 0
        model.model.embed_tokens.register_forward_hook(self._count)

    def _count(self, _module: Any, inputs: tuple[torch.Tensor], _output: Any) -> None:
        self.tokens += inputs[0].numel()


@pytest.mark.parametrize("length", [63, 64, 65])  # around the end of a page
def test_a_prompt_is_computed_once_for_all_its_samples(length: int) -> None:
    model = byte_model()
    fed = Fed(model)
    engine(model).generate([[5] * length], replace(FREE, n=8, max_tokens=1))
    assert fed.tokens == length
    engine(model).generate([[5] * length], replace(FREE, n=8, max_tokens=3))
    assert fed.tokens == 2 * length + 8 * 2


def test_a_later_request_reuses_the_pages_of_its_prompt() -> None:
    model = byte_model()
    fed, running = Fed(model), engine(model)
    prompt = list(range(3, 103))
    first = running.generate([prompt], replace(FREE, max_tokens=1))
    before = fed.tokens
    request = running.add(prompt, replace(FREE, max_tokens=1))
    while not request.finished:
        running.step()
    assert request.cached_tokens == 96  # the last token and the partial page before it are recomputed
    assert fed.tokens - before == 4
    assert request.completions[0].token_ids == first[0][0].token_ids


def test_long_prompts_do_not_stall_decoding() -> None:
    running = engine(max_prefill_tokens=16)
    short = running.add("x", FREE)
    running.step()
    long = running.add([5] * 240, replace(FREE, max_tokens=1))
    steps = 0
    while not long.finished:
        assert short in running.step()
        steps += 1
    assert steps == 15


def test_greedy_takes_the_likeliest() -> None:
    model = byte_model()
    (completion,) = engine(model).generate(["x"], SamplingParams(temperature=0, max_tokens=8, ignore_eos=True))[0]
    ids = engine(model).encode("x")
    for token in completion.token_ids:
        with torch.no_grad():
            assert token == int(model(torch.tensor([ids]))[0, -1].argmax())
        ids.append(token)
    assert completion.logprobs == [0.0] * 8
    assert max(completion.model_logprobs) < 0


def test_weights_change_in_the_middle() -> None:
    old, new = byte_model(seed=0), byte_model(seed=1)
    running = engine(byte_model(seed=0))
    request = running.add("Prove it.", FREE)
    while len(request.completions[0].token_ids) < 10:
        running.step()
    running.load_weights(new.state_dict())
    while not request.finished:
        running.step()
    completion, prompt = request.completions[0], running.encode("Prove it.")
    assert completion.model_logprobs[:10] == pytest.approx(rescored(old, prompt, completion)[:10], abs=1e-9)
    assert completion.model_logprobs[10:] == pytest.approx(rescored(new, prompt, completion)[10:], abs=1e-9)
    (again,), (afresh,) = (one.generate(["Prove it."], FREE)[0] for one in (running, engine(new)))
    assert again.token_ids == afresh.token_ids  # no rows of the old weights are reused


def test_canceling_gives_the_pages_back() -> None:
    running = engine()
    requests = [running.add(prompt, replace(FREE, n=3)) for prompt in PROMPTS]
    free = running.pages_available
    for _ in range(4):
        running.step()
    assert running.pages_available < free
    for request in requests:
        running.cancel(request)
    assert running.idle
    assert running.pages_available == free
    assert not any(completion.finish_reason for request in requests for completion in request.completions)


def test_a_broken_model_is_an_error_and_not_an_answer() -> None:
    model = byte_model()
    running = engine(model)
    good = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    expected = running.generate(["x"], FREE)
    with torch.no_grad():
        model.model.norm.weight.fill_(torch.nan)
    with pytest.raises(ModelError, match="logits are NaN or infinite"):
        running.generate(["x"], FREE)
    assert running.idle
    for broken in (running.weights_changed, lambda: engine(model)):
        with pytest.raises(ModelError, match=r"weights are NaN or infinite.*: model\.norm\.weight"):
            broken()
    running.load_weights(good)
    assert running.generate(["x"], FREE) == expected  # no rows of the broken weights are reused


@pytest.mark.parametrize(
    ("prompt", "message"),
    [("", "empty"), ([5] * 256, "256 tokens .* context of 256"), ([5, 259], "outside"), ([-1], "outside")],
)
def test_refused_prompts(prompt: Any, message: str) -> None:
    running = engine()
    with pytest.raises(ModelError, match=message):
        running.generate(["x", prompt], FREE)
    assert running.idle


WRONG: list[dict[str, Any]] = [
    {"n": 0},
    {"temperature": -1.0},
    {"temperature": float("nan")},
    {"top_p": 0.0},
    {"top_p": 1.1},
    {"top_k": -1},
    {"max_tokens": 0},
    {"stop": ("",)},
    {"top_logprobs": -1},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_settings_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=next(iter(wrong)) if "stop" not in wrong else "stop string"):
        SamplingParams(**wrong)


def test_the_context_ends_a_completion() -> None:
    running = engine()
    (completion,) = running.generate([[5] * 250], replace(FREE, max_tokens=None))[0]
    assert (len(completion.token_ids), completion.finish_reason) == (6, "length")


def test_speculation_needs_an_mtp_layer() -> None:
    with pytest.raises(ModelError, match="num_nextn_predict_layers"):
        engine(speculate=True)
