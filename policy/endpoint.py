"""Endpoint policy: any OpenAI-compatible server, over the ``openai`` async client."""

import asyncio
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import openai
from typing_extensions import override

from core.config import STRICT, Positive, settings
from core.errors import LemmataError
from policy.answer import Prices, read_answer
from policy.guard import Guard
from policy.interface import (
    Completion,
    Policy,
    PolicyUnavailable,
    Prompt,
    PromptRefused,
    Sampling,
    gather_all,
    user_prompt,
)
from policy.meters import Meters
from policy.pool import Pool, Server
from policy.retry import Backoff, MalformedAnswer, RetryConfig, message_of, raise_if_final

# By name, because versions of the client use different HTTP libraries.
NOT_CONNECTED = ("ConnectError", "ConnectTimeout", "UnsupportedProtocol", "InvalidURL", "LocalProtocolError")
PROBE = user_prompt("What is 1 + 1?")


@settings(frozen=True, config=STRICT)
class EndpointConfig:
    """Settings of one server, or of several that share the load (lemmata/conf/policy/endpoint.yaml).

    ``base_url`` may be a list. The key is read from the environment variable ``api_key_env`` and never stored.
    ``samples_per_request`` is the largest ``n`` sent; for a server that returns fewer, or refuses n > 1, it is lowered.
    ``request_timeout`` (seconds) bounds one attempt, ``connect_timeout`` its connection. ``extra_body`` is merged into
    the request unchanged.
    """

    base_url: str | tuple[str, ...]
    model: str
    api_key_env: str
    concurrency: Positive
    samples_per_request: Positive
    request_timeout: float
    connect_timeout: float
    token_limit_name: str
    send_seed: bool
    extra_body: Mapping[str, Any]
    headers: Mapping[str, str]
    prices: Prices
    retry: RetryConfig

    @property
    def addresses(self) -> tuple[str, ...]:
        """The servers, each once."""
        return (self.base_url,) if isinstance(self.base_url, str) else tuple(dict.fromkeys(self.base_url))


class Endpoint(Policy):
    """Policy over one server or several. Calls go to the one with the fewest in flight, failed ones to another."""

    def __init__(self, name: str, config: EndpointConfig, guard: Guard, meters: Meters) -> None:
        self.name = name
        self.config = config
        self._guard = guard
        self._meters = meters
        self._backoff = Backoff(config.retry)
        self._max_samples = config.samples_per_request
        self._has_answered = False
        key = os.environ.get(config.api_key_env) or "none"
        if not config.addresses:
            raise LemmataError(f"policy '{name}' has no server: give policy.base_url an address, or a list of them.")
        for url in config.addresses:
            _check_address(name, url)
        _check_key(config.api_key_env, key)
        self._pool = Pool([Server(url, _client(config, url, key)) for url in config.addresses], config.retry)

    @property
    @override
    def samples_per_request(self) -> int:
        return self._max_samples

    @override
    async def sample(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[list[Completion]]:
        return await gather_all(self._ask(prompt, sampling) for prompt in prompts)

    async def _ask(self, prompt: Prompt, sampling: Sampling) -> list[Completion]:
        wanted = min(sampling.n, self._max_samples)
        try:
            completions = await self._persist(self._body(prompt, sampling, wanted))
        except PromptRefused:
            await self._check_settings(sampling)
            if wanted == 1:
                raise
            # Some servers refuse n > 1: the same prompt is sent once more with n = 1.
            completions = await self._persist(self._body(prompt, sampling, 1))
            self._max_samples = 1
        if len(completions) < wanted:
            self._max_samples = len(completions)
        return completions[:wanted]

    async def _check_settings(self, sampling: Sampling) -> None:
        """Raise LemmataError where even a one-line prompt is refused: then the settings are wrong, not the prompt."""
        if self._has_answered:
            return
        try:
            await self._persist(self._body(PROBE, replace(sampling, max_tokens=16), 1))
        except PromptRefused as error:
            raise LemmataError(
                f"{', '.join(self.config.addresses)} refuses even a one-line prompt: {error}. "
                f"Check the settings of policy '{self.name}'."
            ) from error

    def _body(self, prompt: Prompt, sampling: Sampling, n: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.config.model,
            "messages": [{"role": message.role, "content": message.content} for message in prompt.messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }
        optional = {
            "n": n if n > 1 else None,
            "stop": list(sampling.stop) or None,
            "seed": sampling.seed if self.config.send_seed else None,
            self.config.token_limit_name: sampling.max_tokens,
        }
        body |= {key: value for key, value in optional.items() if value is not None}
        return body | dict(self.config.extra_body)

    async def _persist(self, body: Mapping[str, Any]) -> list[Completion]:
        """Send until a server responds, with as many attempts as the retry settings allow."""
        attempt, others = 0, len(self._pool.servers) - 1
        while True:
            attempt += 1
            server = self._pool.choose()
            try:
                with self._pool.at_work(server):
                    completions = await self._send(server.client, body)
                self._has_answered = True
                return completions
            except (openai.APIError, MalformedAnswer) as error:
                raise_if_final(error, server.url)
                self._raise_if_unreachable(server, error, attempt - others)
                if attempt >= self.config.retry.attempts + others:
                    raise PolicyUnavailable(
                        f"{server.url}: no response after {attempt} attempts: {message_of(error)}"
                    ) from error
                self._meters.retries += 1
                self._pool.quarantine(server, error)
                if self._pool.all_quarantined:
                    await self._guard.sleep(self._backoff.wait(attempt, error))
                else:
                    self._guard.check()

    async def _send(self, client: openai.AsyncOpenAI, body: Mapping[str, Any]) -> list[Completion]:
        started = time.monotonic()
        try:
            # The client's own timeout restarts with every byte, so it never ends a response that trickles.
            async with asyncio.timeout(self.config.request_timeout):
                # The typed method spends 1.5 ms of CPU on validating each request.
                value = await client.post("/chat/completions", cast_to=object, body=body)
        except TimeoutError as error:
            raise MalformedAnswer(f"no response within request_timeout={self.config.request_timeout:g} s") from error
        except (ValueError, RecursionError) as error:
            raise MalformedAnswer(f"the response is not JSON: {error}") from error
        return read_answer(_parsed(value), time.monotonic() - started, self.config.prices)

    def _raise_if_unreachable(self, server: Server, error: Exception, attempt: int) -> None:
        connecting = type(error.__cause__).__name__ in NOT_CONNECTED
        if connecting and not self._has_answered and attempt >= self.config.retry.connect_attempts:
            raise LemmataError(
                f"cannot reach the server of policy '{self.name}' at {server.url}: {error.__cause__}. "
                "Start it, or set policy.base_url to a server that runs."
            ) from error

    @override
    async def close(self) -> None:
        await self._pool.close()


def _client(config: EndpointConfig, url: str, key: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=url,
        api_key=key,
        max_retries=0,
        timeout=openai.Timeout(config.request_timeout, connect=config.connect_timeout),
        default_headers=dict(config.headers),
    )


def _parsed(value: Any) -> Any:
    """The value of a response that a server sent as JSON under another content type; any other value unchanged."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def _check_address(name: str, url: str) -> None:
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


def _check_key(variable: str, key: str) -> None:
    """Raise LemmataError, without showing the key, where an HTTP header cannot hold it."""
    if not (key.isascii() and key.isprintable()):
        raise LemmataError(f"the environment variable {variable} holds no key: a key is one line of ASCII characters.")
