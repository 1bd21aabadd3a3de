"""Settings of the endpoint policy, and checks of addresses and keys."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from core.config import STRICT, Positive, settings
from core.errors import LemmataError
from policy.retry import RetryConfig
from policy.usage import Prices


@settings(frozen=True, config=STRICT)
class EndpointConfig:
    """Settings of one server, or of several that share the load (lemmata/conf/policy/endpoint.yaml).

    ``base_url`` may be a list. The key is read from the environment variable ``api_key_env`` and never stored.
    ``samples_per_request`` is the largest ``n`` sent; for a server that returns fewer, or refuses n > 1, it is lowered.
    ``stream`` auto: as server-sent events, unless the server refuses that or reports no tokens so. ``request_timeout``
    (seconds) bounds a plain response and the first piece of a streamed one, ``idle_timeout`` the time between two
    pieces, ``connect_timeout`` the connection. ``finish_reasons`` are those of a whole answer. ``extra_body`` is merged
    into the request unchanged.
    """

    base_url: str | tuple[str, ...]
    model: str
    api_key_env: str
    concurrency: Positive
    samples_per_request: Positive
    stream: bool | Literal["auto"]
    request_timeout: float
    idle_timeout: float
    connect_timeout: float
    token_limit_name: str
    send_seed: bool
    finish_reasons: tuple[str, ...]
    extra_body: Mapping[str, Any]
    headers: Mapping[str, str]
    prices: Prices
    retry: RetryConfig

    @property
    def addresses(self) -> tuple[str, ...]:
        """The servers, each once."""
        return (self.base_url,) if isinstance(self.base_url, str) else tuple(dict.fromkeys(self.base_url))

    @property
    def whole(self) -> frozenset[str]:
        """Finish reasons of whole answers; ``tool_calls`` where the request offers tools."""
        return frozenset(self.finish_reasons) | ({"tool_calls"} if self.extra_body.get("tools") else set())


def check_address(name: str, url: str) -> None:
    """Raise LemmataError for a text that is not the address of a server."""
    try:
        parts = urlsplit(url)
        fault = None if parts.scheme in ("http", "https") and parts.hostname else "it does not begin with http://HOST"
        _ = parts.port  # raises where it is not a number
    except ValueError as error:
        fault = str(error)
    if fault or not url.isprintable():
        raise LemmataError(
            f"cannot reach the server of policy '{name}' at {url!r}: {fault or 'it holds an unprintable character'}. "
            "Set policy.base_url to an address such as http://localhost:8000/v1."
        )


def check_key(variable: str, key: str) -> None:
    """Raise LemmataError, without showing the key, where an HTTP header cannot hold it."""
    if not (key.isascii() and key.isprintable()):
        raise LemmataError(f"the environment variable {variable} holds no key: a key is one line of ASCII characters.")
