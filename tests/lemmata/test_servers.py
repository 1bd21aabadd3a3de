"""Whole runs against servers with rate limits, outages and moderation: what finishes, and with how many requests.

Times are scaled: one second of a limit or an outage, and of the settings that answer to it, lasts ``1 / SCALE`` here.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.records import Proof, Refusal, Selection, Usage
from lemmata.api import arefine_many
from lemmata.results import Results, load_run
from tests.clocks import HANG
from tests.fake_server import Behavior, FakeServer, Reply, json_reply, role_of, streaming
from tests.scripted import many_problems

SCALE = 50
OUTAGE_SCALE = 200
RETRY = {"policy.retry.first_wait": 1 / SCALE, "policy.retry.max_backoff": 60 / SCALE}
SLOW_DOWN = {"error": {"message": "slow down"}}


class Limiter:
    """Accepts 5 requests in any second, and answers the others with HTTP 429."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.accepted = 0
        self.rejected = 0
        self._recent: deque[float] = deque()

    async def __call__(self, body: Mapping[str, Any], server: FakeServer) -> Reply:
        now = asyncio.get_running_loop().time() * SCALE
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= 5:
            self.rejected += 1
            return json_reply(SLOW_DOWN, 429, self.headers)
        self._recent.append(now)
        self.accepted += 1
        return await streaming(body, server)


async def _run(
    behavior: Behavior, folder: Path, settings: Mapping[str, Any], problems: int = 10
) -> tuple[Results, FakeServer]:
    server = FakeServer(behavior)
    url = f"http://127.0.0.1:{await server.start()}/v1"
    try:
        wanted = many_problems(problems)
        run = arefine_many(wanted, policy=url, model="m", config={**RETRY, **settings}, run=folder)
        return await asyncio.wait_for(run, HANG), server
    finally:
        await server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("headers", [{"retry-after": str(1 / SCALE)}, {}], ids=["Retry-After", "no Retry-After"])
def test_a_rate_limit_costs_few_requests_and_no_problem(headers: Mapping[str, str], tmp_path: Path) -> None:
    limiter = Limiter(headers)
    results, server = asyncio.run(_run(limiter, tmp_path / "run", {}))
    assert len(results) == 10
    assert len(server.requests) == limiter.accepted + limiter.rejected
    assert limiter.rejected > 0
    assert len(server.requests) <= 1.2 * limiter.accepted


@pytest.mark.slow
@pytest.mark.parametrize("reply", [None, json_reply({"error": {"message": "down"}}, 503)], ids=["dropped", "503"])
def test_an_outage_of_five_minutes_ends_no_run(reply: Reply, tmp_path: Path) -> None:
    begin, failed, answered = 0.0, 0, 0

    async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
        nonlocal begin, failed, answered
        now = asyncio.get_running_loop().time() * OUTAGE_SCALE
        if answered >= 20 and not begin:
            begin = now
        if begin and now < begin + 300:
            failed += 1
            return reply
        answered += 1
        return await streaming(body, server)

    scaled = {"policy.retry.first_wait": 1 / OUTAGE_SCALE, "policy.retry.max_backoff": 60 / OUTAGE_SCALE}
    results, server = asyncio.run(_run(behave, tmp_path / "run", scaled))
    assert len(results) == 10
    assert len(server.requests) == answered + failed
    # Calls in flight when it began, and probes after 1, 2, 4, ... 60 s.
    assert 5 <= failed <= 64 + 20
    records = list(load_run(tmp_path / "run").records())
    assert not any(isinstance(record, Refusal) for record in records)


def test_a_prompt_that_moderation_refuses_stops_nobody(tmp_path: Path) -> None:
    problems = many_problems(10)
    lifted = False

    async def moderate(body: Mapping[str, Any], server: FakeServer) -> Reply:
        prompt = body["messages"][0]["content"]
        if problems[3].statement in prompt and role_of(prompt) == "prover" and not lifted:
            return json_reply({"error": {"message": "flagged by moderation", "code": 403}}, 403)
        return await streaming(body, server)

    folder = tmp_path / "run"
    with pytest.warns(UserWarning, match="1 problem without a result: p3: set aside: HTTP 403"):
        results, _ = asyncio.run(_run(moderate, folder, {}))
    assert [result.problem.name for result in results] == [one.name for one in problems if one is not problems[3]]
    assert results.set_aside == ("p3: set aside: HTTP 403: flagged by moderation",)
    records = list(load_run(folder).records())
    finished = {record.problem_id for record in records if isinstance(record, Selection)}
    assert finished == {problem.id for problem in problems} - {problems[3].id}
    assert [record.error for record in records if isinstance(record, Refusal)] == [
        "HTTP 403: flagged by moderation"
    ] * 4

    # Without retry=refused it is not asked for again; with it, the problem is finished, and no other call is repeated.
    server = _again(moderate, folder, {})
    assert server.requests == []
    lifted = True
    server = _again(moderate, folder, {"retry": "refused"})
    assert {role_of(body["messages"][0]["content"]) for body in server.requests} > {"prover"}
    assert all(problems[3].statement in json.dumps(body) for body in server.requests)
    records = list(load_run(folder).records())
    assert not any(isinstance(record, Refusal) for record in records)
    assert len([record for record in records if isinstance(record, Selection)]) == 10


def _again(behavior: Behavior, folder: Path, settings: Mapping[str, Any]) -> FakeServer:
    servers: list[FakeServer] = []

    async def main() -> None:
        server = FakeServer(behavior)
        servers.append(server)
        url = f"http://127.0.0.1:{await server.start()}/v1"
        run = arefine_many(many_problems(10), policy=url, model="m", config={**RETRY, **settings}, run=folder)
        await asyncio.wait_for(run, HANG)

    if settings:
        asyncio.run(main())
    else:
        with pytest.warns(UserWarning, match="set aside"):
            asyncio.run(main())
    return servers[0]


def test_the_tokens_of_answers_that_are_none_are_booked_over_resumptions(tmp_path: Path) -> None:
    """``choices: []`` with usage: bounded attempts, each of them paid for, in records and in the budget."""
    used = {"prompt_tokens": 5, "completion_tokens": 7}
    sent = 0

    async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
        nonlocal sent
        prompt = body["messages"][0]["content"]
        if "Prove 0." in prompt and role_of(prompt) == "prover":
            sent += 1
            return json_reply({"choices": [], "usage": used})
        return await streaming(body, server)

    folder = tmp_path / "run"
    settings = {"policy.retry.attempts": 3, "refine.rounds": 1}
    for _ in range(2):
        with pytest.warns(UserWarning, match="1 problem without a result"):
            results, _ = asyncio.run(_run(behave, folder, settings, problems=2))
        (line,) = results.set_aside
        assert re.match(r"p0: set aside: 3 attempts failed, .*no choices", line)
        assert len(results) == 1
    assert sent == 3
    refused = [record for record in load_run(folder).records() if isinstance(record, Refusal)]
    assert len(refused) == 4
    assert sum((record.usage for record in refused if record.usage), start=Usage()) == Usage(15, 0, 21)
    assert not any(
        isinstance(record, Proof) and record.problem_id == refused[0].problem_id
        for record in load_run(folder).records()
    )
