"""Several servers of one model: which one gets the next call, and which ones are put aside for a while."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import openai

from policy.retry import Backoff, RetryConfig


@dataclass(eq=False)
class Server:
    """One address. ``failures`` in a row; put aside until ``free_at`` (monotonic seconds); ``calls`` ever sent."""

    url: str
    client: openai.AsyncOpenAI
    in_flight: int = 0
    calls: int = 0
    failures: int = 0
    free_at: float = 0.0


class Pool:
    """Shares calls among servers. One that failed is passed over for a wait that doubles with every failure in a row,
    then tried again; where all of them failed, the one whose wait ends first is asked.
    """

    def __init__(self, servers: Sequence[Server], retry: RetryConfig) -> None:
        self.servers = servers
        self._backoff = Backoff(retry, seed=1)

    @property
    def all_aside(self) -> bool:
        """Whether no server is free of a failure that is still waited for."""
        now = time.monotonic()
        return all(server.free_at > now for server in self.servers)

    def choose(self) -> Server:
        """The server with the fewest calls in flight, among equals the one that was asked least."""
        now = time.monotonic()
        free = [server for server in self.servers if server.free_at <= now]
        if not free:
            return min(self.servers, key=lambda server: server.free_at)
        return min(free, key=lambda server: (server.in_flight, server.calls))

    @contextmanager
    def at_work(self, server: Server) -> Iterator[None]:
        """While a call is with ``server``; one that ends well clears its failures."""
        server.in_flight += 1
        server.calls += 1
        try:
            yield
            server.failures, server.free_at = 0, 0.0
        finally:
            server.in_flight -= 1

    def quarantine(self, server: Server, error: Exception) -> None:
        """Pass ``server`` over for a while. Calls that fail together count as one failure."""
        now = time.monotonic()
        if server.free_at <= now:
            server.failures += 1
            server.free_at = now + self._backoff.wait(server.failures, error)

    async def close(self) -> None:
        """Close the connections."""
        for server in self.servers:
            await server.client.close()
