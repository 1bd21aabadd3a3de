"""What Ray Serve's HTTP proxy says by itself, in OpenAI's shape; runs in the proxy and loads no model.

The proxy answers in plain text, and with statuses that clients do not try again: 404 while the application stops, 500
where the replica at work dies. The replicas answer in JSON.
"""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import ApiError

RAYS_OWN = "/-/"  # paths of the proxy's checks
LOST = ApiError(503, "no replica answers; it may have died, or the server stops", code="no_replica", retry_after=1)


def middlewares() -> list[Middleware]:
    """What Ray Serve puts around its proxy's application."""
    return [Middleware(OneVoice)]


class OneVoice:
    """ASGI middleware: what is no replica's answer becomes a refusal that may be tried again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. An answer that has begun and breaks off stays broken off, as the client must see."""
        if scope["type"] != "http" or scope["path"].startswith(RAYS_OWN):
            return await self._app(scope, receive, send)
        begun = False

        async def checked(message: Message) -> None:
            nonlocal begun
            begun = begun or (message["type"] == "http.response.start" and not of_the_proxy(message))
            if begun:
                await send(message)

        await self._app(scope, receive, checked)
        if not begun:
            await LOST.response(scope, receive, send)
        return None


def of_the_proxy(start: Message) -> bool:
    """Whether an answer that begins so is the proxy's own."""
    kind = dict(start["headers"]).get(b"content-type", b"")
    return start["status"] >= 400 and not kind.startswith(b"application/json")
