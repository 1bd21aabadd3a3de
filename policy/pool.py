"""Server pool: least-loaded choice among servers of one model, and quarantine of those that fail."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import openai

from policy.retry import Backoff, RetryConfig


@dataclass(eq=False)
class Server:
    """One address with its load. ``free_at``: end of its quarantine (monotonic seconds); ``failures`` are in a row."""

    url: str
    client: openai.AsyncOpenAI
    in_flight: int = 0
    calls: int = 0
    failures: int = 0
    free_at: float = 0.0


class Pool:
    """Distributes calls among servers. A failed server is quarantined for a time that doubles with every failure in a
    row; where all are quarantined, the one that is free first is chosen.
    """

    def __init__(self, servers: Sequence[Server], retry: RetryConfig) -> None:
        self.servers = servers
        self._backoff = Backoff(retry, seed=1)

    @property
    def all_quarantined(self) -> bool:
        """True while every server is quarantined."""
        now = time.monotonic()
        return all(server.free_at > now for server in self.servers)

    def choose(self) -> Server:
        """The server with the fewest calls in flight, then with the fewest calls so far."""
        now = time.monotonic()
        free = [server for server in self.servers if server.free_at <= now]
        if not free:
            return min(self.servers, key=lambda server: server.free_at)
        return min(free, key=lambda server: (server.in_flight, server.calls))

    @contextmanager
    def at_work(self, server: Server) -> Iterator[None]:
        """Counts a call to ``server`` while the block runs; success clears its failures."""
        server.in_flight += 1
        server.calls += 1
        try:
            yield
            server.failures, server.free_at = 0, 0.0
        finally:
            server.in_flight -= 1

    def quarantine(self, server: Server, error: Exception) -> None:
        """Choose ``server`` only after a wait. Calls that fail together count as one failure."""
        now = time.monotonic()
        if server.free_at <= now:
            server.failures += 1
            server.free_at = now + self._backoff.wait(server.failures, error)

    async def close(self) -> None:
        """Close the connections."""
        for server in self.servers:
            await server.client.close()
