"""Admission control: ASGI middleware that limits concurrent requests, checks the API key and disconnects slow clients.

The body of a refused request is read to its end and discarded: a connection closed with unread data is reset, and the
client might not receive the response.
"""

import asyncio
import hmac
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.config import Limits
from serving.errors import ApiError, ClientGone

TICKET = "lemmata.ticket"
OPEN = ("/health", "/metrics")  # answered without a key, and also when the server is busy
RETRY_AFTER = 1  # seconds; shorter than most requests, because slots become free all the time


@dataclass
class Load:
    """Numbers of current requests and of completion slots in use."""

    requests: int = 0
    completions: int = 0


@dataclass
class Ticket:
    """Completion slots of one request, held until its response is complete."""

    limits: Limits
    load: Load
    claimed: int = 0

    def claim(self, completions: int) -> None:
        """Reserves completion slots. Raises ApiError 429 if too few are free."""
        if self.load.completions + completions > self.limits.completions:
            raise busy("completion", self.load.completions, self.limits.completions, completions)
        self.load.completions += completions
        self.claimed += completions


def busy(kind: str, used: int, limit: int, needed: int = 1) -> ApiError:
    """Returns the error for a request that finds too few free slots of a kind."""
    needs = f", and this request needs {needed}" if used < limit else ""
    message = f"server busy: {used} of {limit} {kind} slots in use{needs}; retry later"
    return ApiError(429, message, code="too_many_requests", retry_after=RETRY_AFTER)


class AdmissionControl:
    """ASGI middleware: limits the number of requests, checks the key, and limits the time a client takes to read."""

    def __init__(self, app: ASGIApp, limits: Limits, load: Load, key: str | None) -> None:
        self._app, self._limits, self._load = app, limits, load
        self._expected = None if key is None else f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses a request, or passes it to the application."""
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
            message = "missing or wrong API key: send 'Authorization: Bearer KEY'"
            return ApiError(401, message, code="invalid_api_key")
        if self._load.requests >= self._limits.requests:
            return busy("request", self._load.requests, self._limits.requests)
        return None

    def _bounded(self, send: Send) -> Send:
        """Returns ``send`` with a timeout, for clients that stop reading.

        A client that reads a byte at a time is left to the system's timeout (TCP_USER_TIMEOUT).
        """

        async def bounded(message: Message) -> None:
            try:
                async with asyncio.timeout(self._limits.write_timeout):
                    await send(message)
            except TimeoutError as error:
                raise ClientGone("the client has stopped reading") from error

        return bounded


async def read_body(receive: Receive, limits: Limits) -> bytes:
    """Returns the body of a request. Raises ApiError if it is too long or too slow, ClientGone if it breaks off."""
    body, length = bytearray(), 0
    try:
        async with asyncio.timeout(limits.read_timeout):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone("the client disconnected before its request was complete")
                length += len(message["body"])
                if length <= limits.body_bytes:
                    body += message["body"]
                more = message["more_body"]
    except TimeoutError:
        raise ApiError(408, f"the request did not arrive within {limits.read_timeout:g} seconds") from None
    if length > limits.body_bytes:
        message = f"the request has {length} bytes, and this server's limit is {limits.body_bytes} bytes; shorten it"
        raise ApiError(413, message)
    return bytes(body)


async def drain(receive: Receive, seconds: float) -> None:
    """Reads a request to its end and discards it, for at most ``seconds``."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive()).get("more_body"):
                pass
