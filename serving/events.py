"""Streaming responses: server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from model.engine import Request
from serving.backend import Backend
from serving.errors import ApiError, ClientGone
from serving.response import ResponseBuilder

T = TypeVar("T")


class EventStream(Response):
    """Sends the chunks of ``builder`` while the engine generates; a disconnecting client cancels the request."""

    media_type = "text/event-stream"

    def __init__(self, backend: Backend, builder: ResponseBuilder) -> None:
        self._backend, self._builder = backend, builder
        self.status_code, self.background = 200, None
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no"})
        self.raw_headers = [header for header in self.raw_headers if header[0] != b"content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await run_while_connected(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(self._events()) as events:
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _events(self) -> AsyncGenerator[bytes, None]:
        requests: dict[int, Request] = {}
        try:
            async with aclosing(self._backend.stream(self._builder.jobs, partial=True)) as grown:
                async for place, request in grown:
                    requests[place] = request
                    for chunk in self._builder.chunks(place, request):
                        yield _event(chunk)
        except ApiError as error:
            yield _event(error.body)
            return
        for chunk in self._builder.usage_chunk(list(requests.values())):
            yield _event(chunk)
        yield b"data: [DONE]\n\n"


def _event(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


async def run_while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of ``work``, or cancels it and raises ClientGone when the client disconnects first.

    The request's body must have been read.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone("the client disconnected")
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
