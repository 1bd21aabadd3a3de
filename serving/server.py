"""Server process: loads the model, listens, and shuts down gracefully."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn
from typing_extensions import override

from core.errors import LemmataError
from model.chat import Chat
from model.engine import Engine, EngineService
from model.errors import ModelError
from model.loading import load_model
from serving.app import make_app
from serving.backend import Backend
from serving.config import ServeConfig

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
    Server(settings, backend, lambda: ready(address_of(listener))).run([listener])


class Server(uvicorn.Server):
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
        engine = Engine(model, tokenizer, config.engine)
    except (ModelError, RuntimeError) as error:  # torch raises the latter if the cache does not fit the device
        raise LemmataError(f"{folder} cannot be served: {error}") from error
    return Backend(EngineService(engine), chat, config, config.name or folder.resolve().name)


def read_key(variable: str | None) -> str | None:
    """Reads the key that clients must send. Raises LemmataError if the variable has none."""
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if not (key and key.isascii() and key.isprintable()):
        raise LemmataError(
            f"api_key_env={variable}: that environment variable holds no key; set it to one line of printable ASCII"
        )
    return key


def listening_socket(config: ServeConfig) -> socket.socket:
    """Binds a socket to the address, before the model is loaded. Raises LemmataError if that fails."""
    try:
        family, _, _, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise LemmataError(f"host={config.host}: {error.strerror}; use the name or address of this machine") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # disconnects clients that do not read
        milliseconds = int(config.limits.write_timeout * 1000)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    try:
        listener.bind(address)
    except (OSError, OverflowError) as error:
        listener.close()
        message = error.strerror if isinstance(error, OSError) else error
        raise LemmataError(f"cannot listen on {config.host}:{config.port}: {message}; choose another port=") from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Returns the base URL for clients."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"
