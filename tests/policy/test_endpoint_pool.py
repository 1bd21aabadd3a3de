"""Several real servers behind one policy: shared load, one that dies, one that comes back."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.errors import LemmataError
from policy.endpoint import Endpoint
from policy.guard import Guard
from policy.interface import RunStopped, Sampling
from policy.meters import Meters
from policy.retry import RetryConfig
from policy.throttle import Throttle
from tests.clocks import HANG
from tests.fake_server import FakeServer, Reply, json_reply, well_behaved
from tests.policy.rig import FAST, PROMPT, refusing_url
from tests.presets import budget_config, endpoint_config, retry_config

CALLS = 60


class Switch:
    """A server's behavior that a test turns off and on: 500 while it is off."""

    def __init__(self, *, on: bool) -> None:
        self.on = on

    async def __call__(self, body: Mapping[str, Any], server: FakeServer) -> Reply:
        return await well_behaved(body, server) if self.on else json_reply({"error": {"message": "oops"}}, 500)


@asynccontextmanager
async def pool(
    *servers: FakeServer, urls: tuple[str, ...] = (), concurrency: int = 8, retry: RetryConfig = FAST
) -> AsyncIterator[Throttle]:
    """One policy over all these servers, and over what is at ``urls``."""
    addresses = tuple([f"http://127.0.0.1:{await server.start()}/v1" for server in servers])
    guard, meters = Guard(budget_config()), Meters()
    config = endpoint_config(base_url=(*urls, *addresses), model="m", retry=retry)
    endpoint = Endpoint("pool", config, guard, meters)
    try:
        yield Throttle(endpoint, concurrency, guard, meters)
    finally:
        await endpoint.close()
        for server in servers:
            await server.stop()


async def ask(policy: Throttle, seed: int) -> str:
    """One call; its answer."""
    [[answer]] = await policy.sample([PROMPT], Sampling(seed=seed))
    return answer.text


async def ask_all(policy: Throttle, calls: int = CALLS) -> list[str]:
    """So many calls at once; their answers in order."""
    return await asyncio.gather(*(ask(policy, seed) for seed in range(calls)))


def test_equal_servers_share_the_load_equally() -> None:
    async def main() -> None:
        servers = [FakeServer(delay=0.01) for _ in range(3)]
        async with pool(*servers) as policy:
            answers = await ask_all(policy)
        assert sum(len(server.requests) for server in servers) == CALLS
        assert all(CALLS / 3 - 3 <= len(server.requests) <= CALLS / 3 + 3 for server in servers)
        async with pool(FakeServer()) as alone:
            assert await ask_all(alone) == answers  # who answers does not matter

    asyncio.run(main())


def test_a_slow_server_gets_less() -> None:
    async def main() -> None:
        slow, quick = FakeServer(delay=1.0), FakeServer(delay=0.01)
        async with pool(slow, quick, concurrency=4) as policy:
            await ask_all(policy)
        assert len(slow.requests) < len(quick.requests) / 3

    asyncio.run(main())


def test_a_dead_server_and_a_failing_one_cost_no_call() -> None:
    async def main() -> None:
        off, on = FakeServer(Switch(on=False)), FakeServer()
        retry = retry_config(attempts=2, first_wait=4 * HANG, max_backoff=4 * HANG)
        async with pool(off, on, urls=(refusing_url(),), retry=retry, concurrency=4) as policy:
            answers = await asyncio.wait_for(ask_all(policy), HANG)  # no call waits for those in quarantine
        assert len(answers) == CALLS
        assert len(on.requests) == CALLS
        assert len(off.requests) <= 4  # those that were in flight when it failed first

    asyncio.run(main())


def test_a_server_that_dies_under_way() -> None:
    async def main() -> None:
        switch = Switch(on=True)
        dying, other = FakeServer(switch, delay=0.005), FakeServer(delay=0.005)
        async with pool(dying, other) as policy:
            before = await ask_all(policy)
            assert len(dying.requests) > CALLS / 3
            switch.on = False
            assert await ask_all(policy) == before

    asyncio.run(main())


def test_a_server_that_recovers_is_used_again() -> None:
    async def main() -> None:
        switch = Switch(on=False)
        ill, well = FakeServer(switch, delay=0.005), FakeServer(delay=0.005)
        async with pool(ill, well, retry=retry_config(attempts=4, first_wait=0.02, max_backoff=0.05)) as policy:
            await ask_all(policy)
            switch.on = True
            await asyncio.sleep(0.1)
            count = len(ill.requests)
            await ask_all(policy)
        assert len(ill.requests) - count > CALLS / 4

    asyncio.run(main())


def test_where_all_fail_the_run_stops_after_its_patience() -> None:
    async def main() -> None:
        servers = [FakeServer(Switch(on=False)) for _ in range(2)]
        async with pool(*servers) as policy:
            with pytest.raises(RunStopped, match=r"no answer from http.*, http.*patience=0\.5.*oops"):
                await ask(policy, 0)
        assert all(server.requests for server in servers)

    asyncio.run(main())


def test_where_nobody_listens_the_run_is_told() -> None:
    async def main() -> None:
        async with pool(urls=(refusing_url(), refusing_url())) as policy:
            with pytest.raises(LemmataError, match="cannot reach the server"):
                await ask(policy, 0)

    asyncio.run(main())


@pytest.mark.parametrize("urls", [(), ("http://a/v1", "nonsense")])
def test_addresses_are_checked(urls: tuple[str, ...]) -> None:
    with pytest.raises(LemmataError, match=r"has no server|cannot reach the server of policy 'p' at 'nonsense'"):
        Endpoint("p", endpoint_config(base_url=urls, model="m"), Guard(budget_config()), Meters())
