"""Every row of the table of server behaviors against a real HTTP server, through the throttle of a run."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from core.errors import LemmataError
from core.finish import cut_off
from policy.interface import Completion, PromptRefused, RunStopped, Sampling, user_prompt
from tests.clocks import HANG
from tests.fake_server import FakeServer, Reply, well_behaved
from tests.policy.behavior_row import Outcome, Row
from tests.policy.behaviors import ROWS
from tests.policy.rig import FAST, PROMPT, Rig, rig

WARM = user_prompt("Something else.")
ERRORS = {Outcome.ASIDE: PromptRefused, Outcome.STOPPED: LemmataError, Outcome.WAITED: RunStopped}


def _server(row: Row) -> Any:
    replies = iter(row.replies)

    async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
        if body and body["messages"][0]["content"] == WARM.messages[0].content:
            return await well_behaved(body, server)
        reply = next(replies, row.last)
        return await reply(body, server) if callable(reply) else reply

    return behave


async def _ask(it: Rig, row: Row) -> list[Completion]:
    sampling = Sampling(n=row.n, max_tokens=row.max_tokens, seed=7)
    [answers] = await it.throttle.sample([PROMPT], sampling)
    return answers


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_loop_treats_the_behavior_as_the_table_says(row: Row) -> None:
    async def main() -> None:
        retry = FAST if row.outcome is Outcome.WAITED else replace(FAST, patience=HANG)
        async with rig(_server(row), **{"retry": retry, **row.settings}) as it:
            if row.warm:
                await it.throttle.sample([WARM], Sampling(n=row.n, max_tokens=row.max_tokens, seed=7))
            before, used = len(it.server.requests), it.guard.spent
            if error := ERRORS.get(row.outcome):
                with pytest.raises(error) as caught:
                    await _ask(it, row)
                assert type(caught.value) is error or row.outcome is Outcome.ASIDE
                assert re.search(row.message, str(caught.value)), str(caught.value)
                assert len(str(caught.value)) < 700
                assert "\n" not in str(caught.value)
                str(caught.value).encode()  # a lone surrogate of the server must not break a log
                stops = row.outcome is not Outcome.ASIDE
                assert (it.guard.reason is not None) == stops
                lost = it.guard.spent.total_tokens - used.total_tokens
            else:
                answers = await _ask(it, row)
                answer = answers[0]
                assert row.check(answer), answer
                assert (cut_off(answer.finish_reason) is not None) == (row.outcome is Outcome.CUT)
                lost = answer.lost.total_tokens if answer.lost else 0
                total = lost + sum(one.usage.total_tokens for one in answers if one.usage)
                assert it.guard.spent.total_tokens - used.total_tokens == total
                assert it.meters.usage == it.guard.spent
                assert (it.meters.retries > 0) == (row.outcome in (Outcome.REPEATED, Outcome.PAUSED))
            if row.requests >= 0:
                assert len(it.server.requests) - before == row.requests
            assert row.tokens is None or lost == row.tokens
            assert it.meters.in_flight == it.meters.waiting == 0

    asyncio.run(main())


def test_the_table_is_long_enough_and_names_each_behavior_once() -> None:
    assert len(ROWS) >= 60
    assert len({row.name for row in ROWS}) == len(ROWS)
