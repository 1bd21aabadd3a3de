"""Replica: the server in each process that Ray Serve starts (``serving.replicas``)."""

from starlette.types import ASGIApp

from serving.app import make_app
from serving.config import ServeConfig
from serving.server import load_backend


class Replica:
    """A server without a socket: model, engine and limits. Ray Serve calls its methods by name."""

    def __init__(self, config: ServeConfig, key: str | None) -> None:
        self._backend, self._key = load_backend(config), key

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Returns the ASGI application."""
        return make_app(self._backend, self._key)

    def check_health(self) -> None:
        """Raises RuntimeError if the engine's last step failed; Ray Serve replaces a replica whose checks fail."""
        if failure := self._backend.service.failure:
            raise RuntimeError(failure)
