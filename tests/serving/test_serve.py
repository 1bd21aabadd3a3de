"""Responses and streams as the ``openai`` client receives them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
import torch
from transformers.convert_slow_tokenizer import bytes_to_unicode

from model.chat import Chat
from tests.serving.rig import CONTEXT, NAME, Server, chat, tokenizer_of

pytestmark = pytest.mark.slow

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]


def ask(server: Server, **changes: Any) -> Any:
    """Requests one chat completion."""
    return server.client.chat.completions.create(**{"model": NAME, "messages": HELLO, "max_tokens": 24, **changes})


def texts(answer: Any) -> list[tuple[str, str]]:
    """Returns reasoning and content of every choice."""
    messages = [choice.message for choice in answer.choices]
    return [(getattr(message, "reasoning_content", ""), message.content) for message in messages]


def test_models_and_health(server: Server) -> None:
    [model] = server.client.models.list().data
    assert (model.id, model.object) == (NAME, "model")
    assert server.client.models.retrieve(NAME) == model
    with pytest.raises(openai.NotFoundError, match="model 'gpt' is not served here"):
        server.client.models.retrieve("gpt")
    health = server.wait_until_idle()
    assert health["status"] == "ok"
    assert health["context"] == CONTEXT
    assert health["pages"]["available"] == health["pages"]["count"] == 32768 // 64


def read_metrics(server: Server) -> dict[str, float]:
    """Returns the samples of GET /metrics by name with labels, read by Prometheus's own parser."""
    parser = pytest.importorskip("prometheus_client.parser")
    reply = server.request("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = list(parser.text_string_to_metric_families(reply.body.decode()))
    assert all(family.type != "unknown" and family.documentation for family in families)
    return {
        sample.name.removeprefix("lemmata:") + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_metrics_count_what_the_server_did(server: Server) -> None:
    server.wait_until_idle()
    before = read_metrics(server)
    whole = ask(server, n=2, seed=1, extra_body={"ignore_eos": True})
    stream = list(ask(server, seed=1, stream=True, stream_options={"include_usage": True}, max_tokens=5))
    server.wait_until_idle()
    after = read_metrics(server)
    grown = {name: value - before[name] for name, value in after.items()}
    usages = (whole.usage, stream[-1].usage)
    assert grown["generation_tokens_total"] == sum(usage.completion_tokens for usage in usages)
    assert grown["prompt_tokens_total"] == sum(usage.prompt_tokens for usage in usages)
    assert grown["request_success_total length"] + grown["request_success_total stop"] == 3
    assert grown["request_success_total abort"] == 0
    assert grown["time_to_first_token_seconds_count"] == 1
    assert grown["e2e_request_latency_seconds_count"] == grown["e2e_request_latency_seconds_bucket +Inf"] == 2
    assert grown["e2e_request_latency_seconds_sum"] > 0
    assert (after["num_requests_running"], after["num_requests_waiting"], after["kv_cache_usage_perc"]) == (0, 0, 0)


def test_n_completions_cost_one_prompt(server: Server) -> None:
    answer = ask(server, n=5, seed=3)
    assert [choice.index for choice in answer.choices] == list(range(5))
    assert {choice.finish_reason for choice in answer.choices} <= {"length", "stop"}
    assert len(set(texts(answer))) == 5
    prompt = Chat(tokenizer_of(server)).render(HELLO)
    assert answer.usage.prompt_tokens == len(prompt)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert 5 < answer.usage.completion_tokens <= 5 * 24
    # Completion i of a request is the one of seed + i.
    assert texts(ask(server, seed=5)) == texts(answer)[2:3]


def test_logprobs_are_the_models_own(server: Server) -> None:
    """Log-probabilities do not depend on temperature and top-p; compared with a plain forward pass."""
    answer = ask(server, seed=1, temperature=0.7, top_p=0.9, logprobs=True, top_logprobs=3)
    tokenizer = tokenizer_of(server)
    by_bytes = {bytes(piece.bytes): piece for piece in answer.choices[0].logprobs.content}
    assert len(by_bytes) > 5
    ids, reported = list(Chat(tokenizer).render(HELLO)), answer.choices[0].logprobs.content
    prompt = len(ids)
    vocabulary = {bytes_of(tokenizer, token): token for token in range(len(tokenizer))}
    ids += [vocabulary[bytes(piece.bytes)] for piece in reported]
    with torch.no_grad():
        own = server.model()(torch.tensor([ids]))[0].log_softmax(-1)
    for place, piece in enumerate(reported):
        row = own[prompt + place - 1]
        assert piece.logprob == pytest.approx(float(row[ids[prompt + place]]), abs=1e-4)
        best = row.topk(3)
        assert [top.logprob for top in piece.top_logprobs] == pytest.approx(best.values.tolist(), abs=1e-4)
        assert [vocabulary[bytes(top.bytes)] for top in piece.top_logprobs] == best.indices.tolist()


def bytes_of(tokenizer: Any, token: int) -> bytes:
    """Returns the bytes of a token, by transformers' table."""
    piece = tokenizer.convert_ids_to_tokens(token)
    if token in tokenizer.get_added_vocab().values():
        return piece.encode()
    return bytes(byte for byte, char in bytes_to_unicode().items() if char == piece)


@pytest.mark.parametrize("thinking", [True, False])
def test_a_stream_has_the_same_text(server: Server, thinking: bool) -> None:
    extra = {"chat_template_kwargs": {"enable_thinking": thinking}}
    settings: dict[str, Any] = {"n": 3, "seed": 11, "max_tokens": 300, "logprobs": True, "extra_body": extra}
    whole = ask(server, **settings)
    assert any(reasoning for reasoning, _ in texts(whole)) == thinking
    events = list(ask(server, stream=True, stream_options={"include_usage": True}, **settings))
    assert events[-1].choices == []
    assert events[-1].usage == whole.usage
    assert {event.usage for event in events[:-1]} == {None}
    for index, choice in enumerate(whole.choices):
        mine = [event.choices[0] for event in events[:-1] if event.choices[0].index == index]
        assert mine[0].delta.role == "assistant"
        content = "".join(piece.delta.content or "" for piece in mine)
        reasoning = "".join(getattr(piece.delta, "reasoning_content", None) or "" for piece in mine)
        assert (reasoning, content) == texts(whole)[index]
        assert [piece.finish_reason for piece in mine if piece.finish_reason] == [choice.finish_reason]
        assert [entry for piece in mine for entry in piece.logprobs.content] == choice.logprobs.content


def test_reasoning_ends_at_the_models_marker(server: Server) -> None:
    answer = ask(server, n=16, seed=0, max_tokens=400, temperature=3)
    ended = [(reasoning, content) for reasoning, content in texts(answer) if content]
    assert ended
    assert not [text for pair in ended for text in pair[:1] if "</think>" in text]
    assert 0 < answer.usage.completion_tokens_details.reasoning_tokens < answer.usage.completion_tokens


def test_a_seed_gives_the_same_text_alone_and_in_a_batch(server: Server) -> None:
    alone = texts(ask(server, seed=42, n=2))
    with ThreadPoolExecutor(21) as pool:
        others = [pool.submit(ask, server, seed=100 + place, n=2, max_tokens=60) for place in range(20)]
        beside = pool.submit(ask, server, seed=42, n=2)
        assert texts(beside.result()) == alone
        assert all(other.result().usage.completion_tokens for other in others)
    assert texts(ask(server, seed=43, n=2)) != alone
    assert texts(ask(server)) != texts(ask(server))  # without a seed


def test_a_repeated_prompt_comes_from_the_cache(server: Server) -> None:
    messages = [{"role": "user", "content": "x" * 500}]
    assert ask(server, messages=messages).usage.prompt_tokens_details.cached_tokens == 0
    assert ask(server, messages=messages).usage.prompt_tokens_details.cached_tokens == 448  # whole pages of 64


def test_greedy_in_every_notation(server: Server) -> None:
    greedy = texts(ask(server, temperature=0))
    for settings in ({"extra_body": {"top_k": 1}}, {"top_p": 1e-9}, {"temperature": 1e-300}):
        assert texts(ask(server, **settings)) == greedy


def test_stop_strings(server: Server) -> None:
    extra = {"ignore_eos": True, "chat_template_kwargs": {"enable_thinking": False}}
    whole = ask(server, seed=9, max_tokens=100, extra_body=extra).choices[0].message.content
    stop = whole[len(whole) // 2 :][:2]
    for given in (stop, ["never said", stop]):
        choice = ask(server, seed=9, max_tokens=100, stop=given, extra_body=extra).choices[0]
        assert choice.message.content == whole[: whole.index(stop)]
        assert choice.finish_reason == "stop"


def test_the_context_ends_a_completion(server: Server) -> None:
    messages = [{"role": "user", "content": "x" * (CONTEXT - 30)}]
    answer = ask(server, messages=messages, max_tokens=10_000, extra_body={"ignore_eos": True})
    assert answer.usage.total_tokens == CONTEXT
    assert answer.choices[0].finish_reason == "length"


def test_parts_tools_and_developer_messages(server: Server) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    messages: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]},
        {"role": "assistant", "content": None, "reasoning_content": "why", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "4"},
    ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    rendered = Chat(tokenizer_of(server)).render([*messages[:1], *HELLO, *messages[2:]], tools=tools)
    answer = ask(server, messages=messages, tools=tools, tool_choice="auto")
    assert answer.usage.prompt_tokens == len(rendered)


def test_fields_without_effect(server: Server) -> None:
    fields = {
        "user": "me",
        "metadata": {"a": "b"},
        "store": False,
        "presence_penalty": 0,
        "logit_bias": {},
        "tools": None,
        "min_p": 0,
        "repetition_penalty": 1.0,
        "parallel_tool_calls": False,
        "stop_token_ids": [],
        "min_tokens": 0,
        "chat_template_kwargs": {"thinking": True},
    }
    reply = server.post(chat(max_tokens=2, response_format={"type": "text"}, service_tier="auto", **fields))
    assert reply.status == 200


def test_plain_completions(server: Server) -> None:
    settings: dict[str, Any] = {"model": NAME, "prompt": "One plus", "max_tokens": 30, "seed": 5}
    whole = server.client.completions.create(**settings, n=2, logprobs=2)
    assert whole.usage
    assert whole.usage.prompt_tokens == 8
    assert whole.choices[0].logprobs
    assert len(whole.choices[0].logprobs.token_logprobs or []) <= 30
    pieces = server.client.completions.create(**settings, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == whole.choices[0].text
    ids = tokenizer_of(server).encode("One plus")
    assert server.client.completions.create(**settings | {"prompt": ids}).choices[0].text == whole.choices[0].text


def test_several_prompts(server: Server) -> None:
    settings: dict[str, Any] = {"model": NAME, "max_tokens": 9, "seed": 5, "n": 2}
    prompts = ["One plus", "Two", "Three and"]
    alone = [server.client.completions.create(**settings, prompt=prompt) for prompt in prompts]
    expected = [choice.text for answer in alone for choice in answer.choices]
    for form in (prompts, [tokenizer_of(server).encode(prompt) for prompt in prompts]):
        together = server.client.completions.create(**settings, prompt=form)
        assert [choice.index for choice in together.choices] == list(range(6))
        assert [choice.text for choice in together.choices] == expected
        assert together.usage
        assert together.usage.prompt_tokens == sum(map(len, prompts))
    texts = [""] * 6
    for piece in server.client.completions.create(**settings, prompt=prompts, stream=True):
        texts[piece.choices[0].index] += piece.choices[0].text
    assert texts == expected


def test_log_probabilities_of_a_prompt(server: Server) -> None:
    """As evaluation harnesses read log-likelihoods, also from a prompt that the prefix cache has."""
    text = "One plus one is two, " * 40
    ids = tokenizer_of(server).encode(text)
    with torch.no_grad():
        expected = server.model()(torch.tensor([ids])).double().log_softmax(-1)[0]
    settings: dict[str, Any] = {"model": NAME, "temperature": 0, "echo": True, "logprobs": 1}
    for prompt, max_tokens in ((text, 1), (ids, 1), (ids, 0)):
        choice = server.client.completions.create(**settings, prompt=prompt, max_tokens=max_tokens).choices[0]
        assert choice.text.startswith(text)
        assert choice.logprobs
        values, tops = choice.logprobs.token_logprobs, choice.logprobs.top_logprobs
        assert values
        assert tops
        assert len(values) == len(tops) == len(ids) + max_tokens
        assert values[0] is None
        own = [expected[place, token].item() for place, token in enumerate(ids[1:])]
        assert values[1 : len(ids)] == pytest.approx(own, abs=1e-4)
        best = [max(top.values()) for top in tops[1 : len(ids)]]
        assert best == pytest.approx(expected[:-1].amax(-1).tolist(), abs=1e-4)


def test_an_unknown_model(server: Server) -> None:
    with pytest.raises(openai.NotFoundError, match="model 'gpt' is not served here; use 'tiny'") as error:
        ask(server, model="gpt")
    assert error.value.code == "model_not_found"
