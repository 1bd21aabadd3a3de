"""Server process: loads the model, listens, and shuts down gracefully."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
from typing_extensions import override

from core.errors import LemmataError
from model.chat import Chat
from model.engine import EngineService, LLMEngine
from model.errors import ModelError
from model.loading import load_model
from serving.app import make_app
from serving.backend import Backend
from serving.config import ServeConfig
from serving.server_address import address_of, listening_socket, read_key

LAST_RESORT = 10.0  # seconds after shutdown_timeout at which remaining requests are cut off


def serve(config: ServeConfig, ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or ctrl-C; calls ``ready`` with the address when the server accepts requests.

    Raises:
        LemmataError: the address is in use, the key is not set, or the folder has no model that can be served.
    """
    key = read_key(config.api_key_env)
    with listening_socket(config) as listener:
        backend = load_backend(config)
        try:
            _serve(backend, listener, key, ready)
        finally:
            backend.service.close()


def _serve(backend: Backend, listener: socket.socket, key: str | None, ready: Callable[[str], None]) -> None:
    grace = backend.config.limits.shutdown_timeout
    settings = uvicorn.Config(
        make_app(backend, key),
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="none",
        http="h11",
        server_header=False,
        timeout_graceful_shutdown=int(grace + LAST_RESORT),
    )
    GracefulServer(settings, backend, lambda: ready(address_of(listener))).run([listener])


class GracefulServer(uvicorn.Server):
    """Calls ``ready`` on startup; on shutdown, waits for running requests and then fails them with a response."""

    def __init__(self, config: uvicorn.Config, backend: Backend, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._backend, self._ready = backend, ready

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        # uvicorn re-raises captured signals at the end, but a requested stop is not a failure.
        with suppress(KeyboardInterrupt), super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._backend.closing = True
        failing = asyncio.create_task(self._fail_the_rest())
        await super().shutdown(sockets)
        failing.cancel()

    async def _fail_the_rest(self) -> None:
        await asyncio.sleep(self._backend.config.limits.shutdown_timeout)
        await asyncio.to_thread(self._backend.service.close)


def load_backend(config: ServeConfig) -> Backend:
    """Loads model and tokenizer and starts the engine. Raises LemmataError if that fails."""
    folder = Path(config.model)
    try:
        model, tokenizer = load_model(folder, config.dtype, config.device)
        chat = Chat(tokenizer)
        engine = LLMEngine(model, tokenizer, config.engine)
    except (ModelError, RuntimeError) as error:  # torch raises the latter if the cache does not fit the device
        raise LemmataError(f"{folder} cannot be served: {error}") from error
    return Backend(EngineService(engine), chat, config, config.name or folder.resolve().name)
