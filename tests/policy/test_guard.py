"""Limits on a run against a real server: places, budgets, failures in a row, a stop asked for."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from core.errors import LemmataError
from core.records import Usage
from policy.guard import BudgetConfig, Guard
from policy.interface import PolicyUnavailable, PromptRefused, RunStopped, Sampling, user_prompt
from policy.meters import Meters
from policy.throttle import Throttle
from tests.fake_server import FakeServer, Reply, completion, json_reply, well_behaved
from tests.policy.rig import PROMPT, Rig, Script, rig
from tests.presets import budget_config, prices_config, retry_config
from tests.scripted import Asked, Scripted

USAGE = Usage(prompt_tokens=6, completion_tokens=4)
MAX_RETRY_AFTER = retry_config().max_retry_after  # seconds
LATER = json_reply({}, 429, {"retry-after": "3600"})


async def ten_tokens(body: Mapping[str, Any], server: FakeServer) -> Reply:
    """An answer, in a while, that uses ten tokens."""
    await asyncio.sleep(0.01)
    usage = {"prompt_tokens": USAGE.prompt_tokens, "completion_tokens": USAGE.completion_tokens}
    return json_reply(completion(body, ["Proof."]) | {"usage": usage})


def _stopped(results: list[Any]) -> int:
    """Number of calls that the guard stopped; the others must have been answered."""
    assert all(isinstance(result, list | RunStopped) for result in results)
    return sum(isinstance(result, RunStopped) for result in results)


async def _check_all_is_booked(it: Rig, answered: int, probes: int = 0) -> None:
    """Asserts that every answer of the server was received, counted and paid; ``probes``: one-line prompts."""
    assert len(it.server.requests) == answered + probes
    assert it.meters.calls == it.meters.samples == answered
    assert (it.meters.in_flight, it.meters.waiting, it.throttle.free) == (0, 0, it.throttle.concurrency)
    with pytest.raises(RunStopped):
        await it.ask()
    assert len(it.server.requests) == answered + probes


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_calls_are_in_flight_than_allowed(concurrency: int) -> None:
    now, most = 0, 0

    async def count(body: Mapping[str, Any], server: FakeServer) -> Reply:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return await well_behaved(body, server)

    async def main() -> None:
        async with rig(count, concurrency=concurrency) as it:
            assert _stopped(await it.ask_often(20)) == 0
            assert len(it.server.requests) == 20

    asyncio.run(main())
    assert most == concurrency


@pytest.mark.parametrize(
    ("budget", "name"),
    [(budget_config(tokens=100), "token budget of 100"), (budget_config(cost=0.001), "cost budget of 0.001")],
)
def test_a_spent_budget_stops_and_keeps_what_was_in_flight(budget: BudgetConfig, name: str) -> None:
    async def main() -> None:
        prices = prices_config(prompt=10.0, completion=10.0)
        async with rig(ten_tokens, budget=budget, concurrency=4, prices=prices) as it:
            answered = 40 - _stopped(await it.ask_often(40))
            paid = answered + 1  # a one-line prompt finds out what the server reports
            assert 10 <= paid <= 13
            assert it.guard.spent.total_tokens == it.meters.usage.total_tokens == 10 * paid
            assert it.guard.spent.cost == pytest.approx(0.0001 * paid)
            assert it.guard.reason == f"the {name} is used up"
            await _check_all_is_booked(it, answered, probes=1)

    asyncio.run(main())


def test_a_budget_of_seconds_stops() -> None:
    now = 0.0

    async def main() -> None:
        nonlocal now
        async with rig(ten_tokens, budget=budget_config(seconds=1.5), concurrency=2, clock=lambda: now) as it:
            results = await it.ask_often(2)
            assert _stopped(results) == 0
            now = 1.5
            assert _stopped(await it.ask_often(5)) == 5
            assert it.guard.reason == "the time budget of 1.5 s is used up"
            await _check_all_is_booked(it, 2)

    asyncio.run(main())


def test_a_server_without_usage_cannot_keep_a_budget() -> None:
    async def silent(body: Mapping[str, Any], server: FakeServer) -> Reply:
        return json_reply(completion(body, ["Proof."]) | {"usage": None})

    async def main() -> None:
        async with rig(silent, budget=budget_config(tokens=100)) as it:
            assert [answer.text for answer in await it.ask()] == ["Proof."]
            with pytest.raises(RunStopped, match=r"no token usage.*budget\.seconds"):
                await it.ask()
        async with rig(silent, budget=budget_config(seconds=100)) as it:
            assert _stopped(await it.ask_often(5)) == 0

    asyncio.run(main())


def test_too_many_failures_in_a_row_stop() -> None:
    async def answer(asked: Asked) -> str:
        if asked.number != 2:
            raise PolicyUnavailable("down")
        return "Proof."

    async def main() -> None:
        meters = Meters()
        guard = Guard(budget_config(max_consecutive_failures=3))
        throttle = Throttle(Scripted(answer), 4, guard, meters)
        kinds = []
        for _ in range(7):
            [result] = await asyncio.gather(throttle.sample([PROMPT], Sampling()), return_exceptions=True)
            kinds.append(type(result))
        assert kinds == [*[PolicyUnavailable] * 2, list, *[PolicyUnavailable] * 3, RunStopped]
        assert guard.reason is not None
        assert guard.reason.startswith("3 calls failed in a row, the last one: ")

    asyncio.run(main())


def test_refused_prompts_stop_a_run_only_where_a_one_line_prompt_is_refused_too() -> None:
    async def main(*, everything: bool) -> None:
        async def moderate(body: Mapping[str, Any], server: FakeServer) -> Reply:
            text = body["messages"][0]["content"]
            if text.startswith("first") or (text.startswith("What is 1") and not everything):
                return await well_behaved(body, server)
            return json_reply({"error": {"message": "flagged"}}, 403)

        async with rig(moderate, budget=budget_config(max_consecutive_failures=5)) as it:
            await it.throttle.sample([user_prompt("first")], Sampling())
            kinds = []
            for number in range(12):
                calls = it.throttle.sample([user_prompt(f"bad {number}")], Sampling())
                [result] = await asyncio.gather(calls, return_exceptions=True)
                kinds.append(type(result))
            if everything:
                assert kinds == [*[PromptRefused] * 4, LemmataError, *[RunStopped] * 7]
            else:
                assert kinds == [PromptRefused] * 12
                assert len(it.server.requests) == 1 + 12 + 2  # a one-line prompt after the 5th and the 10th

    asyncio.run(main(everything=False))
    asyncio.run(main(everything=True))


def test_a_refused_prompt_is_sent_once() -> None:
    async def main() -> None:
        async with rig(Script(well_behaved, json_reply({}, 403))) as it:
            kinds = [type(result) for _ in range(4) for result in await it.ask_often(1)]
            assert kinds == [list, *[PromptRefused] * 3]
            assert len(it.server.requests) == 2

    asyncio.run(main())


def test_a_stop_does_not_wait_for_the_next_try() -> None:
    async def main() -> None:
        async with rig(Script(LATER)) as it:
            calls = asyncio.gather(*(it.ask() for _ in range(5)), return_exceptions=True)
            await asyncio.sleep(0.5)
            it.guard.stop("enough")
            assert _stopped(await asyncio.wait_for(calls, MAX_RETRY_AFTER / 2)) == 5
            assert it.guard.reason == "enough"

    asyncio.run(main())


def test_the_next_try_is_not_waited_for_beyond_the_budget_of_seconds() -> None:
    async def main() -> None:
        async with rig(Script(LATER), budget=budget_config(seconds=1.0)) as it:
            assert _stopped(await asyncio.wait_for(it.ask_often(5), MAX_RETRY_AFTER / 2)) == 5
            assert it.guard.reason == "the time budget of 1 s is used up"

    asyncio.run(main())


def test_the_first_reason_stays() -> None:
    async def main() -> None:
        async with rig() as it:
            it.guard.stop("first")
            it.guard.stop("second")
            with pytest.raises(RunStopped, match="first"):
                await it.ask()
            assert it.server.requests == []

    asyncio.run(main())
