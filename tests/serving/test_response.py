"""Response builders: a stream has the content of the full response, with reasoning and tool calls parsed."""

from typing import Any

import pytest

from model.chat import Chat
from model.engine import CompletionOutput, Request, SamplingParams
from model.tokenizer import CALL, CALL_SEPARATOR, CALLS, END_CALL, END_CALLS, byte_tokenizer
from serving.backend import Job
from serving.fields import ChatRequest
from serving.response import ChatResponseBuilder

CALLED = f'{CALLS}{CALL}add{CALL_SEPARATOR}{{"a": 1}}{END_CALL}{CALL}now{CALL_SEPARATOR}{{}}{END_CALL}{END_CALLS}'
TOKENIZER = byte_tokenizer()


def builder(opened: bool, tools: bool) -> ChatResponseBuilder:
    """Returns the builder for a request."""
    params = ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "x"}]})
    return ChatResponseBuilder(params, [Job([1], SamplingParams(), opened, None if tools else 0)], Chat(TOKENIZER))


def request_with(text: str, finish: Any) -> Request:
    """Returns a request whose only completion has the text so far."""
    ids = TOKENIZER.encode(text)
    return Request(0, [1], SamplingParams(), 9999, [CompletionOutput(0, text, ids, finish_reason=finish)])


@pytest.mark.parametrize(
    ("text", "opened", "tools", "reasoning", "content", "calls"),
    [
        ("why</think>so", True, False, "why", "so", []),
        ("why</thin", True, False, "why</thin", "", []),
        ("a</think>b</think>c", True, False, "a", "b</think>c", []),
        ("</think>so", True, False, "", "so", []),
        ("so</think>", False, False, "", "so</think>", []),
        ("<think>why</think>so", False, False, "why", "so", []),
        ("<thin", False, False, "", "<thin", []),
        ("<b>so", False, False, "", "<b>so", []),
        ("", True, False, "", "", []),
        (f"why</think>I call{CALLED}", True, True, "why", "I call", [("add", '{"a": 1}'), ("now", "{}")]),
        (CALLED, False, True, "", "", [("add", '{"a": 1}'), ("now", "{}")]),
        (CALLED, False, False, "", CALLED, []),
        (CALLED[:-5], False, True, "", CALLED[:-5], []),
        (CALLED.replace("add", "a d"), False, True, "", CALLED.replace("add", "a d"), []),
        (f"so{CALLS}{END_CALLS}", False, True, "", f"so{CALLS}{END_CALLS}", []),
    ],
)
def test_full_response_and_stream(
    text: str, opened: bool, tools: bool, reasoning: str, content: str, calls: list[tuple[str, str]]
) -> None:
    whole = builder(opened, tools).full([request_with(text, "stop")])["choices"][0]
    assert whole["message"].get("reasoning_content", "") == reasoning
    assert whole["message"]["content"] == content
    assert [tuple(call["function"].values()) for call in whole["message"].get("tool_calls", [])] == calls
    assert whole["finish_reason"] == ("tool_calls" if calls else "stop")
    stream = builder(opened, tools)
    grown = [request_with(text[:length], None) for length in range(len(text) + 1)]
    pieces = [
        piece["choices"][0] for state in [*grown, request_with(text, "stop")] for piece in stream.chunks(0, state)
    ]
    deltas = [piece["delta"] for piece in pieces]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == reasoning
    assert "".join(delta.get("content", "") for delta in deltas) == content
    told = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert [tuple(call["function"].values()) for call in told] == calls
    assert [call["index"] for call in told] == list(range(len(calls)))
    assert [piece["finish_reason"] for piece in pieces if piece["finish_reason"]] == [whole["finish_reason"]]
    assert list(stream.chunks(0, request_with(text, "stop"))) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [("why</think>so", 3), ("why</thin", 9), ("é</think>so", 2), ("</think>so", 0)],
)
def test_reasoning_tokens(text: str, count: int) -> None:
    usage = builder(opened=True, tools=False).full([request_with(text, "stop")])["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == count


def test_an_end_of_reasoning_in_plain_tokens() -> None:
    """A model may write ``</think>`` in several plain tokens."""
    request = request_with("why</think>so", "stop")
    request.completions[0].token_ids = [TOKENIZER.encode(char)[0] for char in "why</think>so"]
    usage = builder(opened=True, tools=False).full([request])["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 3
