"""Hostile clients: invalid, excessive, simultaneous and aborted requests are answered or refused, and leave nothing."""

import socket
import struct
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from tests.clocks import process_seconds
from tests.serving.rig import CONTEXT, Server, chat

pytestmark = pytest.mark.slow

MEGABYTE = 2**20
# Memory that a storm may leave after two warm-up storms, median of three: the allocator's per-thread arenas grow at
# different times and stay, up to 50 MB at once. Leaked prompts would be 40 MB after every storm.
TOLERANCE = 16 * MEGABYTE

BAD: list[tuple[Any, str, str | None]] = [
    (b"{", "the body is not valid JSON", None),
    (b"\xff\xfe", "the body is not valid JSON", None),
    (b"[" * 100_000, "the body is not valid JSON: recursion limit exceeded", None),
    (b'{"model": "tiny", "messages": ' + b'[{"a": ' * 50_000, "the body is not valid JSON: recursion", None),
    ([1], "Input should be an object", None),
    ({}, "model: this field is missing; add it; messages: this field is missing", "model"),
    (chat(max_tokens=-5), "max_tokens: input should be greater than or equal to 1", "max_tokens"),
    (chat(max_tokens=0), "max_tokens: input should be greater", "max_tokens"),
    (chat(max_tokens="9"), "max_tokens: input should be a valid integer", "max_tokens"),
    (chat(max_tokens=3, max_completion_tokens=4), "differ; give one of them", "max_tokens"),
    (chat(n=0), "n: input should be greater than or equal to 1", "n"),
    (chat(n=True), "n: input should be a valid integer", "n"),
    (chat(n=10**9), "n=1000000000 exceeds", "n"),
    (chat(n=128, logprobs=True, top_logprobs=20), "request fewer", "n"),
    (chat(temperature=-1), "temperature: input should be greater than or equal to 0", "temperature"),
    (chat(temperature="hot"), "temperature: input should be a valid number", "temperature"),
    (chat(top_p=0), "top_p: input should be greater than 0", "top_p"),
    (chat(top_k=-2), "top_k: input should be greater than or equal to -1", "top_k"),
    (chat(seed=2**70), "seed: input should be less than", "seed"),
    (chat(seed=1.5), "seed: input should be a valid integer", "seed"),
    (chat(stop=[""]), "stop: ", "stop"),
    (chat(stop=["x"] * 17), "stop: ", "stop"),
    (chat(top_logprobs=3), "top_logprobs needs logprobs=true", "top_logprobs"),
    (chat(logprobs=True, top_logprobs=21), "top_logprobs: input should be less than or equal to 20", "top_logprobs"),
    (chat(stream="yes"), "stream: input should be a valid boolean", "stream"),
    (chat(frequency_penalty=0.5), "frequency_penalty is not supported", "frequency_penalty"),
    (chat(store=True), "store is not supported by this server", "store"),
    (chat(response_format={"type": "json_object"}), "response_format.type: input should be 'text'", "response_format"),
    (chat(min_p=0.1), "min_p is not supported", "min_p"),
    (chat(repetition_penalty=1.2), "repetition_penalty other than 1", "repetition_penalty"),
    (chat(chat_template_kwargs={"thinking": True, "enable_thinking": False}), "enable_thinking and thinking differ",
     "chat_template_kwargs"),
    (chat(tool_choice="required"), "tool_choice: input should be 'auto' or 'none'", "tool_choice"),
    (chat(best_guess=1), "best_guess: this field is unknown", "best_guess"),
    (chat(chat_template_kwargs={"bos_token": "x"}), "chat_template_kwargs.bos_token: this field is unknown",
     "chat_template_kwargs"),
    (chat(messages=[]), "messages: list should have at least 1 item", "messages"),
    (chat(messages=[1] * 200_000), "messages.0: input should be", "messages"),
    (chat(messages=[{"role": "wizard", "content": "x"}]), "messages.0: input tag 'wizard'", "messages"),
    (chat(messages=[{"role": "user", "content": 3}]), "messages.0.user.content: input should be", "messages"),
    (chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
     "messages.0.user.content", "messages"),
    (chat() | {f"x{number}": 1 for number in range(5000)}, "more than 1000 fields of the request are unknown", None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message", "param"), BAD, ids=[message[:30] for _, message, _ in BAD])
def test_an_invalid_request_is_told_what_to_change(server: Server, body: Any, message: str, param: str | None) -> None:
    reply = server.post(body)
    assert reply.status == 400
    assert message in reply.error["message"]
    assert len(reply.error["message"]) < 500
    assert (reply.error["type"], reply.error["param"]) == ("invalid_request_error", param)


@pytest.mark.parametrize("length", [CONTEXT, 10 * CONTEXT, 1_000_000])
@pytest.mark.parametrize("text", ["x", "<｜User｜>"])
def test_a_prompt_beyond_the_context(server: Server, length: int, text: str) -> None:
    reply = server.post(chat(text * (length // len(text.encode())) + "y" * 99))
    assert reply.status == 400
    assert reply.error["code"] == "context_length_exceeded"
    assert f"the context of this model is {CONTEXT} tokens" in reply.error["message"]


def test_a_body_beyond_the_limit(server: Server) -> None:
    reply = server.post(b" " * (8 * MEGABYTE))
    assert reply.status == 413
    assert "limit is 2097152 bytes" in reply.error["message"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nothing", 404), ("GET", "/v1/completions", 405)])
def test_unknown_routes(server: Server, method: str, path: str, status: int) -> None:
    reply = server.request(method, path)
    assert reply.status == status
    assert "see docs/guides/serving.md" in reply.error["message"]


def test_token_ids_outside_the_vocabulary(server: Server) -> None:
    for prompt in ([10**6], [-1], []):
        assert server.post({"model": "tiny", "prompt": prompt}, "/v1/completions").status == 400


def reset(connection: socket.socket) -> None:
    """Closes a connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("leave", [socket.socket.close, reset], ids=["close", "reset"])
def test_a_disconnected_clients_request_is_canceled(server: Server, stream: bool, leave: Any) -> None:
    server.wait_until_idle()
    long = chat("z" * 100, max_tokens=1900, ignore_eos=True, stream=stream, n=4)
    connections = [server.connect(long) for _ in range(3)]
    if stream:
        assert all(connection.recv(100).startswith(b"HTTP/1.1 200") for connection in connections)
    while server.health()["running"] < 12:
        time.sleep(0.01)
    for connection in connections:
        leave(connection)
    before = process_seconds(server.pid)
    health = server.wait_until_idle()
    assert health["pages"]["available"] == health["pages"]["count"]
    # 12 completions of 1900 tokens take far more processor time than noticing the reset.
    assert process_seconds(server.pid) - before < 5


def storm(server: Server) -> Counter[int]:
    """Runs 200 clients of every kind at once; returns the number of responses by status."""

    def one(number: int) -> int:
        kind = number % 5
        if kind == 0:
            return server.post(chat("h" * number, max_tokens=8, n=2, seed=number, logprobs=True)).status
        if kind == 1:
            return server.post(chat("h" * number, max_tokens=8, stream=True)).status
        if kind == 2:
            return server.post(chat("h" * 1_000_000)).status
        if kind == 3:
            return server.post(chat(n=-number)).status
        connection = server.connect(chat("h" * number, max_tokens=1900, ignore_eos=True, stream=True))
        connection.recv(100)
        reset(connection)
        return 0

    with ThreadPoolExecutor(200) as pool:
        return Counter(pool.map(one, range(200)))


def test_200_clients_at_once_leave_nothing_behind(server: Server) -> None:
    answers = {200: 80, 400: 80, 0: 40}
    assert [storm(server) for _ in range(2)] == [answers] * 2
    before, memory = server.wait_until_idle(), [server.memory()]
    for _ in range(3):
        assert storm(server) == answers
        assert server.wait_until_idle() == before
        memory.append(server.memory())
    assert before["pages"]["available"] == before["pages"]["count"]
    assert median(later - earlier for earlier, later in pairwise(memory)) < TOLERANCE


def test_slow_readers_do_not_delay_others(server: Server) -> None:
    """Unread streams, larger than the system's buffers, do not delay other requests."""
    body = chat("slow", max_tokens=200, ignore_eos=True, stream=True, n=3, logprobs=True, top_logprobs=20)
    slow = [server.connect(body, buffer=4096) for _ in range(3)]
    quick = [server.post(chat(max_tokens=4)).status for _ in range(5)]
    assert quick == [200] * 5
    text = b""
    while b"[DONE]" not in text[-100:]:
        piece = slow[0].recv(65536)
        assert piece
        text += piece
    assert text.count(b'"finish_reason":"length"') == 3
    for connection in slow:
        connection.close()
    health = server.wait_until_idle()
    assert health["pages"]["available"] == health["pages"]["count"]
