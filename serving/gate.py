"""Who gets in: the ASGI layer around the application that counts requests and watches slow clients.

What a client sends is read to its end even where the answer is a refusal, without being kept: a connection that is
closed on unread data is reset, and the client may never see the answer.
"""

import asyncio
import hmac
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.config import Limits
from serving.errors import ApiError, ClientGone

TICKET = "lemmata.ticket"
OPEN = ("/health",)  # answered without a key, however busy the server is
RETRY_AFTER = 1  # seconds: most answers take longer, but places come free all the time


@dataclass
class Load:
    """Requests under way, and the completions that they have claimed."""

    requests: int = 0
    completions: int = 0


@dataclass
class Ticket:
    """What one request holds of the limits until it has been answered."""

    limits: Limits
    load: Load
    claimed: int = 0

    def claim(self, completions: int) -> None:
        """Take places for completions. Raises ApiError 429 where too few are free."""
        if self.load.completions + completions > self.limits.completions:
            raise too_busy(f"{self.load.completions} completions are in work or waiting, and {self.limits.completions}")
        self.load.completions += completions
        self.claimed += completions


def too_busy(what: str) -> ApiError:
    """The refusal of a request that may be sent again."""
    return ApiError(429, f"{what} may be; try again later", code="too_many_requests", retry_after=RETRY_AFTER)


class Gate:
    """ASGI middleware: counts requests, asks for the key, and bounds how long a client may take to read."""

    def __init__(self, app: ASGIApp, limits: Limits, load: Load, key: str | None) -> None:
        self._app, self._limits, self._load = app, limits, load
        self._expected = None if key is None else f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have the application answer it."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            return await self._app(scope, receive, send)
        if refusal := self._refusal(scope):
            await drain(receive, self._limits.read_timeout)
            return await refusal.response(scope, receive, send)
        ticket = scope[TICKET] = Ticket(self._limits, self._load)
        self._load.requests += 1
        try:
            return await self._app(scope, receive, self._bounded(send))
        except ClientGone:
            return None
        finally:
            self._load.requests -= 1
            self._load.completions -= ticket.claimed

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers = dict(scope["headers"])
        if self._expected is not None and not hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            return ApiError(401, "this server asks for a key: send 'Authorization: Bearer KEY'", code="invalid_api_key")
        if self._load.requests >= self._limits.requests:
            return too_busy(f"{self._load.requests} requests are under way, and {self._limits.requests}")
        return None

    def _bounded(self, send: Send) -> Send:
        """``send`` for a client that may read a byte at a time: the system's own timeout sees that it still reads."""

        async def bounded(message: Message) -> None:
            try:
                async with asyncio.timeout(self._limits.write_timeout):
                    await send(message)
            except TimeoutError as error:
                raise ClientGone("the client does not read") from error

        return bounded


async def read_body(receive: Receive, limits: Limits) -> bytes:
    """The body of a request. Raises ApiError where it is too long or too slow, ClientGone where it ends early."""
    body, length = bytearray(), 0
    try:
        async with asyncio.timeout(limits.read_timeout):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone("the client left before its request was complete")
                length += len(message["body"])
                if length <= limits.body_bytes:
                    body += message["body"]
                more = message["more_body"]
    except TimeoutError:
        raise ApiError(408, f"the request did not arrive within {limits.read_timeout:g} seconds") from None
    if length > limits.body_bytes:
        raise ApiError(413, f"the request has {length} bytes, and this server reads {limits.body_bytes}; shorten it")
    return bytes(body)


async def drain(receive: Receive, seconds: float) -> None:
    """Read a request to its end and forget it, for some seconds at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive()).get("more_body"):
                pass
