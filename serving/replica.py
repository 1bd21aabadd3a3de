"""One of several servers: what runs in each process that Ray Serve starts (serving/replicas.py)."""

from starlette.types import ASGIApp

from serving.app import make_app
from serving.config import ServeConfig
from serving.server import load_backend


class Replica:
    """A server of its own without a socket: model, engine, limits. The names of the methods are Ray Serve's."""

    def __init__(self, config: ServeConfig, key: str | None) -> None:
        self._backend, self._key = load_backend(config), key

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """The application that answers."""
        return make_app(self._backend, self._key)

    def check_health(self) -> None:
        """Ray Serve replaces a replica whose checks fail. Raises RuntimeError where no step of the engine succeeds."""
        if failure := self._backend.service.failure:
            raise RuntimeError(failure)
