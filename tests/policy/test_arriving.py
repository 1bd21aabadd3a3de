"""Progress of streamed answers: tokens are estimated as they arrive, and counted by the server once they are whole."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from core.store import Run
from lemmata.progress import Progress
from tests.clocks import HANG
from tests.fake_server import DONE, FakeServer, Reply, Streamed, chunk, completion, event, streamed
from tests.policy.rig import rig

TEXT = "A proof of thirty two letters. " * 4


class Gated(Sequence[bytes | float | None]):
    """Pieces of a stream of two samples, whose last ones are sent once ``go`` is set."""

    def __init__(self, go: asyncio.Event, usage: Mapping[str, int]) -> None:
        self._go = go
        self._first = [event(chunk(f"{index}{TEXT[1:]}", index)) for index in (0, 1)]
        ends = [event(chunk(TEXT, index, "stop")) for index in (0, 1)]
        self._last = [*ends, event({"choices": [], "usage": usage}), DONE]

    def __iter__(self) -> Iterator[bytes | float | None]:
        yield from self._first
        while not self._go.is_set():
            yield 0.005
        yield from self._last

    def __len__(self) -> int:
        return len(self._first) + len(self._last)

    def __getitem__(self, index: Any) -> Any:
        return [*self._first, *self._last][index]


async def _until(condition: Any) -> None:
    while not condition():  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0.005)


def test_the_tokens_of_several_samples_are_shown_as_they_arrive(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> None:
        gates = [asyncio.Event(), asyncio.Event()]

        async def slow(body: Mapping[str, Any], server: FakeServer) -> Reply:
            assert body["n"] == 2
            return Streamed(Gated(gates[len(server.requests) - 1], {"prompt_tokens": 9, "completion_tokens": 248}))

        async with rig(slow) as it:
            with Run.start(tmp_path / "run", "refine", {}) as run:
                async with Progress(it.meters, run, 0.01):
                    call = asyncio.create_task(it.ask(2))
                    await _until(lambda: it.meters.arriving_characters == 2 * len(TEXT))
                    assert (it.meters.samples, it.meters.usage.completion_tokens) == (0, 0)
                    assert it.meters.arriving_tokens == 2 * len(TEXT) // 4  # nothing is known of this server yet
                    await _until(lambda: f"arriving {2 * len(TEXT) // 4}" in capsys.readouterr().err)
                    gates[0].set()
                    await call
                    assert (it.meters.arriving_characters, it.meters.usage.completion_tokens) == (0, 248)
                    call = asyncio.create_task(it.ask(2))
                    await _until(lambda: it.meters.arriving_characters == 2 * len(TEXT))
                    assert it.meters.arriving_tokens == 124  # by the characters per token of the first answer
                    gates[1].set()
                    await call
            assert it.meters.snapshot()["arriving_tokens"] == 0

    asyncio.run(asyncio.wait_for(main(), HANG))


def test_a_stream_that_breaks_off_is_counted_out() -> None:
    async def main() -> None:
        async def broken(body: Mapping[str, Any], server: FakeServer) -> Reply:
            whole = [event(chunk("Whole.", 0, "stop")), DONE]
            return Streamed([event(chunk(TEXT)), None] if len(server.requests) == 1 else whole)

        async with rig(broken) as it:
            [answer] = await it.ask()
            assert answer.text == "Whole."
            assert it.meters.arriving_characters == 0

    asyncio.run(asyncio.wait_for(main(), HANG))


def test_one_broken_stream_changes_no_later_request() -> None:
    """A stream that breaks after its first sample lacks samples and usage; the server still gives and reports both."""

    async def main() -> None:
        async def broken(body: Mapping[str, Any], server: FakeServer) -> Reply:
            reply = streamed(completion(body, [f"Sample {index}." for index in range(body["n"])]))
            first = [*reply.pieces[: len(reply.pieces) // 2], None]
            return Streamed(first) if len(server.requests) == 1 else reply

        async with rig(broken) as it:
            assert 0 < len(await it.ask(4)) < 4
            assert len(await it.ask(4)) == 4
            assert [(body["n"], body["stream"]) for body in it.server.requests] == [(4, True)] * 2

    asyncio.run(asyncio.wait_for(main(), HANG))
