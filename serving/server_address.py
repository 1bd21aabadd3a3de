"""The address that a server listens on, and the key that its clients must send."""

import os
import socket

from core.errors import LemmataError
from serving.config import ServeConfig, VllmServeConfig


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


def listening_socket(config: ServeConfig | VllmServeConfig) -> socket.socket:
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
