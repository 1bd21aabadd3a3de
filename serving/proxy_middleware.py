"""Middleware of Ray Serve's HTTP proxy: turns the proxy's own errors into retryable ones in OpenAI's format.

The proxy itself answers in plain text, and with statuses that clients do not retry: 404 while the application stops,
500 when the replica that handles the request dies. The replicas answer in JSON. Runs in the proxy; loads no model.
"""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import ApiError

PROXY_PATHS = "/-/"  # the proxy's health checks
LOST = ApiError(
    503, "no replica answers (it died, or the server is shutting down); retry later", code="no_replica", retry_after=1
)


def middlewares() -> list[Middleware]:
    """Returns the middlewares that Ray Serve adds to its proxy."""
    return [Middleware(RetryableErrors)]


class RetryableErrors:
    """ASGI middleware: replaces any response that is not a replica's by an error that clients retry."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request. A response that breaks off stays broken off, so that the client notices."""
        if scope["type"] != "http" or scope["path"].startswith(PROXY_PATHS):
            return await self._app(scope, receive, send)
        begun = False

        async def checked(message: Message) -> None:
            nonlocal begun
            begun = begun or (message["type"] == "http.response.start" and not from_proxy(message))
            if begun:
                await send(message)

        await self._app(scope, receive, checked)
        if not begun:
            await LOST.response(scope, receive, send)
        return None


def from_proxy(start: Message) -> bool:
    """Returns True if a response that starts with this message is the proxy's own."""
    kind = dict(start["headers"]).get(b"content-type", b"")
    return start["status"] >= 400 and not kind.startswith(b"application/json")
