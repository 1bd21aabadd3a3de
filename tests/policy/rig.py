"""An endpoint with guard, meters and throttle against a real HTTP server, for tests."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from policy.endpoint import Endpoint
from policy.guard import BudgetConfig, Guard
from policy.interface import Completion, Sampling, user_prompt
from policy.meters import Meters
from policy.throttle import Throttle
from tests.fake_server import Behavior, FakeServer, Reply, well_behaved
from tests.presets import budget_config, endpoint_config, retry_config

PROMPT = user_prompt("Prove it.")
FAST = retry_config(attempts=4, first_wait=0.01, max_backoff=0.02, patience=0.5)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Script:
    """Gives ``replies`` one after the other, the last one for ever, and notes when each request came."""

    def __init__(self, *replies: Reply | Behavior) -> None:
        self._replies = replies
        self.times: list[float] = []

    async def __call__(self, body: Mapping[str, Any], server: FakeServer) -> Reply:
        reply = self._replies[min(len(self.times), len(self._replies) - 1)]
        self.times.append(time.monotonic())
        return await reply(body, server) if callable(reply) else reply

    @property
    def gaps(self) -> list[float]:
        """Seconds between a request and the next."""
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]


@dataclass
class Rig:
    """Objects of a test: server, policy, guard and meters."""

    server: FakeServer
    endpoint: Endpoint
    throttle: Throttle
    guard: Guard
    meters: Meters

    async def ask(self, n: int = 1) -> list[Completion]:
        """One call through the throttle."""
        [answers] = await self.throttle.sample([PROMPT], Sampling(n=n, seed=7))
        return answers

    async def ask_often(self, calls: int) -> list[list[Completion] | BaseException]:
        """So many calls at once, each with its answers or its error."""
        return await asyncio.gather(*(self.ask() for _ in range(calls)), return_exceptions=True)


@asynccontextmanager
async def rig(
    behavior: Behavior = well_behaved,
    *,
    url: str | None = None,
    budget: BudgetConfig | None = None,
    concurrency: int = 64,
    clock: Callable[[], float] = time.monotonic,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """An endpoint to a server that behaves so, or to whatever is at ``url``."""
    server = FakeServer(behavior)
    address = f"http://127.0.0.1:{await server.start()}/v1" if url is None else url
    guard, meters = Guard(budget or budget_config(), clock=clock), Meters()
    config = endpoint_config(base_url=address, model="m", **{"retry": FAST, **settings})
    endpoint = Endpoint("fake", config, guard, meters)
    try:
        yield Rig(server, endpoint, Throttle(endpoint, concurrency, guard, meters), guard, meters)
    finally:
        await endpoint.close()
        await server.stop()


def ask(behavior: Behavior = well_behaved, *, n: int = 1, **settings: Any) -> list[Completion]:
    """One call to a server that behaves so."""

    async def main() -> list[Completion]:
        async with rig(behavior, **settings) as it:
            return await it.ask(n)

    return asyncio.run(main())


def ask_raw(handler: Handler, **settings: Any) -> list[Completion]:
    """One call to a server that writes its bytes itself."""

    async def main() -> list[Completion]:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        async with rig(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", **settings) as it:
            return await it.ask()

    return asyncio.run(main())


def refusing_url() -> str:
    """An address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"
