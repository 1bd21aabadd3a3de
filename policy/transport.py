"""Transport of one attempt: sends a request over the ``openai`` client, and reads a streamed or a plain response."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import openai

from policy.faults import NotConnected, Passing, fault_of, message_of, report_of_status
from policy.stream import Assembly, Events, is_stream, whole_stream

# By name, because versions of the client use different HTTP libraries.
NOT_CONNECTED = ("ConnectError", "ConnectTimeout", "UnsupportedProtocol", "InvalidURL", "LocalProtocolError")


class Transport:
    """Sends requests to one server.

    ``request_timeout``: seconds until a plain response is complete, or a streamed one has its first piece;
    ``idle_timeout``: seconds between two pieces of a streamed one. Comments keep it alive for ``request_timeout``.
    """

    def __init__(self, client: openai.AsyncOpenAI, url: str, request_timeout: float, idle_timeout: float) -> None:
        self.client = client
        self.url = url
        self._request_timeout = request_timeout
        self._idle_timeout = idle_timeout

    async def send(self, body: Mapping[str, Any], accepted: Callable[[], None], arrived: Callable[[int], None]) -> Any:
        """The response to a request, as a plain call gets it. ``accepted`` is called once the answer begins.

        ``arrived`` is called with the number of characters of every piece of a streamed response.

        Raises:
            Busy, Passing, MalformedAnswer: as `policy.faults`.
            PromptRefused, LemmataError: as `fault_of`.
        """
        idle = False
        try:
            # The client's own timeout restarts with every byte, so it never ends a response that trickles.
            async with asyncio.timeout(self._request_timeout) as limit:
                stream = await self._post(body)
                response = stream.response
                try:
                    if response.headers.get("content-type", "").startswith("text/event-stream"):
                        idle = True
                        return await self._streamed(response.aiter_bytes(), limit, accepted, arrived)
                    return await _plain(response.aiter_bytes())
                finally:
                    await response.aclose()
        except TimeoutError as error:
            kind = f" and idle_timeout={self._idle_timeout:g} s" if idle else ""
            raise Passing(f"no response within request_timeout={self._request_timeout:g} s{kind}") from error

    async def _post(self, body: Mapping[str, Any]) -> openai.AsyncStream[object]:
        try:
            # Read as a stream in every case; the typed method spends 1.5 ms of CPU on validating each request.
            return await self.client.post(
                "/chat/completions", cast_to=object, body=body, stream=True, stream_cls=openai.AsyncStream[object]
            )
        except openai.APIStatusError as error:
            raise fault_of(report_of_status(error), self.url) from error
        except openai.APIConnectionError as error:
            kind = NotConnected if type(error.__cause__).__name__ in NOT_CONNECTED else Passing
            raise kind(message_of(error)) from error

    async def _streamed(
        self,
        pieces: AsyncIterator[bytes],
        limit: asyncio.Timeout,
        accepted: Callable[[], None],
        arrived: Callable[[int], None],
    ) -> Mapping[str, Any]:
        events, assembly, now = Events(), Assembly(), asyncio.get_running_loop().time
        latest, broken = None, None
        try:
            async for piece in _guarded(pieces):
                known = assembly.characters
                is_alive = sum(assembly.add(chunk) for chunk in events.feed(piece)) > 0
                arrived(assembly.characters - known)
                if is_alive:
                    if latest is None and assembly.error is None:
                        accepted()
                    latest = now()
                if latest is not None:
                    limit.reschedule(min(now() + self._idle_timeout, latest + self._request_timeout))
                if events.done or assembly.error is not None:
                    break
            for chunk in events.close():
                assembly.add(chunk)
        except Passing as error:
            broken = error
        if broken is not None and not any(choice.ended for choice in assembly.choices.values()):
            raise broken
        return assembly.response(done=events.done, broken=broken is not None)


async def _guarded(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces of a response. Raises Passing where the connection breaks or the encoding is wrong."""
    while True:
        try:
            piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except Exception as error:  # the HTTP library's own errors, which have no common name over its versions
            raise Passing(f"the response broke off: {message_of(error)}") from error
        yield piece


async def _plain(pieces: AsyncIterator[bytes]) -> Any:
    """The value of a whole response, which is JSON or a stream under the content type of another."""
    data = b"".join([piece async for piece in _guarded(pieces)])
    if is_stream(data):
        return whole_stream(data)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Passing(f"the response is not JSON: {error}") from error
