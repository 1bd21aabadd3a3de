"""An endpoint against real HTTP servers that are busy, broken, slow, wrong or hostile."""

import asyncio
import json
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from email.utils import formatdate
from typing import Any

import pytest

from core.errors import LemmataError
from policy.interface import Completion, PromptRefused, RunStopped, Sampling, user_prompt
from tests.clocks import HANG
from tests.fake_server import Behavior, FakeServer, Reply, completion, json_reply, well_behaved
from tests.policy.rig import Script, ask, ask_raw, refusing_url, rig
from tests.presets import retry_config

JSON = {"content-type": "application/json"}
BUSY = json_reply({"error": {"message": "slow down"}}, 429)


def _counting(*counts: int) -> Script:
    """Answers with so many choices, whatever n was asked for; choices come in reverse order."""

    def of(count: int) -> Behavior:
        async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
            value = completion(body, [f"text {index}" for index in range(count)])
            return json_reply(value | {"choices": value["choices"][::-1]})

        return behave

    return Script(*map(of, counts))


# Waits.


def test_retry_after_in_seconds_is_kept() -> None:
    script = Script(json_reply({}, 429, {"retry-after": "0.4"}), well_behaved)
    assert ask(script)[0].finish_reason == "stop"
    assert script.gaps[0] >= 0.39


def test_retry_after_as_a_date_is_kept() -> None:
    due = 0

    async def until_then(body: Mapping[str, Any], server: FakeServer) -> Reply:
        nonlocal due
        due = due or int(time.time()) + 2
        if time.time() >= due:
            return await well_behaved(body, server)
        return 503, {"retry-after": formatdate(due, usegmt=True)}, b"busy"

    script = Script(until_then)
    ask(script)
    assert len(script.times) == 2


@pytest.mark.parametrize("value", ["soon", "", "-5", "nan", "Fri, 99 Foo 2020", "Thu, 01 Jan 1970 00:00:00 GMT", "1e9"])
def test_a_strange_retry_after_delays_no_longer_than_allowed(value: str) -> None:
    retry = retry_config(first_wait=0.01, max_retry_after=0.1)
    script = Script(json_reply({}, 429, {"retry-after": value}), well_behaved)
    ask(script, retry=retry)
    assert script.gaps[0] < HANG


def test_a_server_that_hangs_is_asked_again() -> None:
    async def hang(body: Mapping[str, Any], server: FakeServer) -> Reply:
        await asyncio.sleep(HANG)
        return json_reply({}, 400)  # which is no answer, and not asked for again

    script = Script(hang, well_behaved)
    assert ask(script, request_timeout=1.0, retry=retry_config(attempts=20, first_wait=0.01))[0].text
    assert script.gaps[0] >= 0.9


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: "])
def test_a_server_that_trickles_for_ever_is_cut_off(head: bytes) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    with pytest.raises(RunStopped, match=r"no answer from .*request_timeout=0\.3"):
        ask_raw(trickle, request_timeout=0.3, retry=retry_config(first_wait=0.01, patience=0.2))


def test_a_connection_that_drops_inside_the_answer_is_retried() -> None:
    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"choices": [')
        await writer.drain()
        writer.close()

    with pytest.raises(RunStopped, match=r"broke off|ReadError"):
        ask_raw(drop)


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_a_key_that_no_header_can_hold_is_named(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", key)
    with pytest.raises(LemmataError, match="SOME_KEY") as caught:
        ask(well_behaved, api_key_env="SOME_KEY")
    assert key not in str(caught.value)


# Addresses.


@pytest.mark.parametrize(
    "url",
    [None, "localhost:8000/v1", "127.0.0.1:1/v1", "", "ftp://127.0.0.1/v1", "http://127.0.0.1:99999/v1", "http://[x"],
)
def test_a_wrong_address_is_reported_after_a_few_attempts(url: str | None) -> None:
    url = refusing_url() if url is None else url
    with pytest.raises(LemmataError, match=r"cannot reach .*policy 'fake'.*policy\.base_url") as caught:
        ask(url=url, retry=retry_config(connect_attempts=2, first_wait=0.01))
    assert type(caught.value) is LemmataError
    assert "\n" not in str(caught.value)


def test_a_server_that_takes_no_connection_counts_as_unreachable() -> None:
    with socket.socket() as full, ExitStack() as clients:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # more than the queue holds: the next one gets no answer at all
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        retry = retry_config(connect_attempts=2, first_wait=0.01)
        with pytest.raises(LemmataError, match="cannot reach"):
            ask(url=url, connect_timeout=0.3, retry=retry)


def test_a_server_that_answered_before_is_no_wrong_address() -> None:
    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        server.close()
        content = json.dumps(completion({"model": "m", "messages": []}, ["Proof."])).encode()
        head = f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        writer.close()

    async def main() -> None:
        nonlocal server
        server = await asyncio.start_server(answer_once, "127.0.0.1", 0)
        async with rig(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1") as it:
            await it.ask()
            with pytest.raises(RunStopped, match=r"no answer from .*Connect"):
                await it.ask()

    server: asyncio.Server
    asyncio.run(main())


OUT_OF_MEMORY = b'{"error": {"message": "CUDA out of memory"}}'


@pytest.mark.parametrize(
    ("reply", "last"),
    [(b"HTTP/1.1 500 X\r\ncontent-length: %d\r\n\r\n%b" % (len(OUT_OF_MEMORY), OUT_OF_MEMORY), "HTTP 500: CUDA out"),
     (b"HTTP/1.1 400 X\r\ncontent-length: %d\r\n\r\n%b" % (len(OUT_OF_MEMORY), OUT_OF_MEMORY), "HTTP 400: CUDA out"),
     (b"", "")],
    ids=["500", "400", "dropped"],
)  # fmt: skip
def test_a_server_that_dies_of_its_first_request_is_reported_with_what_it_answered(reply: bytes, last: str) -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        server.close()
        writer.write(reply)
        writer.close()

    async def main() -> None:
        nonlocal server
        server = await asyncio.start_server(die, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with rig(url=url, retry=retry_config(connect_attempts=2, first_wait=0.01)) as it:
            with pytest.raises(LemmataError) as caught:
                await it.ask()
        assert f"it answered last: {last}" in str(caught.value)
        assert "policy.send_seed=false" in str(caught.value)
        assert "Start it" not in str(caught.value)

    server: asyncio.Server
    asyncio.run(main())


# How many samples a server gives.


@pytest.mark.parametrize("given", [1, 2])
def test_a_server_that_gives_fewer_samples_is_noticed(given: int) -> None:
    async def main() -> None:
        async with rig(_counting(given)) as it:
            assert len(await it.ask(n=4)) == given
            assert it.endpoint.samples_per_request == given
            await it.ask(n=4)
            assert [body.get("n", 1) for body in it.server.requests] == [4, given]

    asyncio.run(main())


def test_a_server_that_refuses_several_samples_is_asked_for_one() -> None:
    async def one_only(body: Mapping[str, Any], server: FakeServer) -> Reply:
        if "n" in body:
            return json_reply({"error": {"message": "n must be 1"}}, 400)
        return await well_behaved(body, server)

    async def main() -> None:
        async with rig(one_only) as it:
            assert len(await it.ask(n=4)) == 1
            assert it.endpoint.samples_per_request == 1
            assert len(await it.ask(n=4)) == 1
            assert it.server.requests[0]["n"] == 4
            assert all("n" not in body for body in it.server.requests[1:])

    asyncio.run(main())


def test_a_prompt_refused_alone_too_says_nothing_about_samples() -> None:
    async def main() -> None:
        script = Script(well_behaved, json_reply({"error": {"message": "too long"}}, 400))
        async with rig(script, samples_per_request=4) as it:
            await it.ask()
            with pytest.raises(PromptRefused, match="too long"):
                await it.ask(n=4)
            assert it.endpoint.samples_per_request == 4
            assert len(script.times) == 3

    asyncio.run(main())


def test_more_samples_than_asked_for_are_cut_and_put_in_order() -> None:
    answers = ask(_counting(5), n=3)
    assert [answer.text for answer in answers] == ["text 0", "text 1", "text 2"]
    assert [answer.usage is None for answer in answers] == [False, True, True]


def test_no_more_samples_are_asked_for_than_set() -> None:
    async def main() -> None:
        async with rig(well_behaved, samples_per_request=3) as it:
            assert len(await it.ask(n=20)) == 3
            assert it.server.requests[0]["n"] == 3

    asyncio.run(main())


def test_several_prompts_are_answered_in_order_and_none_is_lost_to_an_error() -> None:
    async def slow_or_bad(body: Mapping[str, Any], server: FakeServer) -> Reply:
        if body["messages"][0]["content"] == "bad":
            return json_reply({}, 400)
        await asyncio.sleep(0.2)
        return json_reply(completion(body, [body["messages"][0]["content"]]))

    async def main() -> list[list[Completion]]:
        async with rig(slow_or_bad) as it:
            await it.ask()
            with pytest.raises(PromptRefused):
                await it.endpoint.sample([user_prompt("bad"), user_prompt("a")], Sampling())
            return await it.endpoint.sample([user_prompt("a"), user_prompt("b")], Sampling())

    assert [[answer.text for answer in group] for group in asyncio.run(main())] == [["a"], ["b"]]
