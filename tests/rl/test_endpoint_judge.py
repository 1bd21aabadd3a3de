"""Judges behind real HTTP servers: recorded answers, refusals, budgets, panels, and a training that is killed."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")  # the package of the tests below it needs torch

from core.errors import LemmataError
from core.log import read_log
from core.records import JudgeAnswer, Refusal
from rl.endpoint_judge import EndpointJudges
from rl.judge import JudgesConfig, Panel
from tests import preloaded
from tests.clocks import HANG
from tests.fake_server import Behavior, FakeServer, Reply, completion, json_reply, well_behaved
from tests.processes import ROOT, ServerProcess, server_process
from tests.rl.settings import judges_config
from tests.rl.test_judged_tasks import SAYS

PROMPTS = ["Judge the proof A.", "Judge the proof B.", "Judge the proof C."]


@contextmanager
def serving(behavior: Behavior) -> Iterator[tuple[FakeServer, str]]:
    """A server in a thread, and its address."""
    server, loop = FakeServer(behavior), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(HANG)
    try:
        yield server, f"http://127.0.0.1:{port}/v1"
    finally:
        asyncio.run_coroutine_threadsafe(ended(), loop).result(HANG)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(HANG)
        loop.close()


async def ended() -> None:
    """Ends the connections of the loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def config(url: str, endpoint: Mapping[str, Any] | None = None, **changes: Any) -> JudgesConfig:
    defaults = judges_config()
    retry = {**defaults.endpoint["retry"], "first_wait": 0.01, "attempts": 2, "patience": 1.0}
    settings = {**defaults.endpoint, "retry": retry, "base_url": url, **(endpoint or {})}
    return replace(defaults, endpoint=settings, endpoints={"a": {"model": "m"}, "b": {"model": "n"}}, **changes)


def asked(server: FakeServer) -> int:
    """The number of answers that a server was asked for."""
    return sum(body.get("n", 1) for body in server.requests)


def test_answers_are_recorded_and_never_asked_for_again(tmp_path: Path) -> None:
    with serving(well_behaved) as (server, url):
        judges = EndpointJudges(config(url), tmp_path, 0, seed=5)
        first = judges.of("endpoint:a").ask([*PROMPTS, PROMPTS[0]], 3)
        assert [len(group) for group in first] == [3, 3, 3, 3]
        assert first[0] == first[3]
        assert asked(server) == 9
        assert judges.of("endpoint:a").ask(PROMPTS, 3) == first[:3]
        judges.close()
        again = EndpointJudges(config(url), tmp_path, 0, seed=5)
        assert again.of("endpoint:a").ask(PROMPTS, 4)[1][:3] == first[1]
        assert asked(server) == 12
        # Another draw, judge or seed has answers of its own.
        assert again.of("endpoint:a").ask(PROMPTS[:1], 3, draw=1)[0] != first[0]
        assert again.of("endpoint:b").ask(PROMPTS[:1], 3)[0] != first[0]
        again.close()
    records = list(read_log(tmp_path / "judges" / "a-0.jsonl"))
    assert all(isinstance(record, JudgeAnswer) for record in records)
    assert len({record.id for record in records}) == len(records) == 15
    assert sum(record.usage is not None for record in records if isinstance(record, JudgeAnswer)) >= 4


async def refuses_b(body: Mapping[str, Any], server: FakeServer) -> Reply:
    if "proof B" in body["messages"][0]["content"]:
        return json_reply({"error": {"message": "this model's maximum context length is 10 tokens"}}, 400)
    return await well_behaved(body, server)


def test_a_refused_prompt_has_no_answer_and_is_not_asked_again(tmp_path: Path) -> None:
    with serving(refuses_b) as (server, url):
        judges = EndpointJudges(config(url), tmp_path, 0, seed=5)
        assert [len(group) for group in judges.of("a").ask(PROMPTS, 2)] == [2, 0, 2]
        before = len(server.requests)
        assert [len(group) for group in judges.of("a").ask(PROMPTS, 2)] == [2, 0, 2]
        assert len(server.requests) == before
        judges.close()
    assert sum(isinstance(record, Refusal) for record in read_log(tmp_path / "judges" / "a-0.jsonl")) == 2


async def cuts_off(body: Mapping[str, Any], server: FakeServer) -> Reply:
    return json_reply(completion(body, [SAYS % "1"] * body.get("n", 1), finish_reason="length"))


def test_a_cut_off_answer_has_no_score(tmp_path: Path) -> None:
    with serving(cuts_off) as (_, url):
        judges = EndpointJudges(config(url), tmp_path, 0, seed=5)
        ((answer,),) = judges.of("a").ask(PROMPTS[:1], 1)
        judges.close()
    assert answer.truncated
    assert answer.score("") is None


def test_a_budget_ends_the_asking_also_of_a_resumed_run(tmp_path: Path) -> None:
    with serving(well_behaved) as (server, url):
        budget = replace(judges_config().budget, tokens=1)
        judges = EndpointJudges(config(url, budget=budget), tmp_path, 0, seed=5)
        judges.of("a").ask(PROMPTS[:1], 1)  # calls before the limit is reached are kept
        with pytest.raises(LemmataError, match="the token budget of 1 is used up"):
            judges.of("a").ask(PROMPTS[1:], 1)
        judges.close()
        spent = len(server.requests)
        resumed = EndpointJudges(config(url, budget=budget), tmp_path, 0, seed=5)
        with pytest.raises(LemmataError, match="used up"):
            resumed.of("a").ask(PROMPTS, 1)
        assert len(server.requests) <= spent + 1  # the probe of a budget, at most
        resumed.close()


def test_several_judges_answer_the_same_prompts(tmp_path: Path) -> None:
    with serving(well_behaved) as (server, url):
        judges = EndpointJudges(config(url), tmp_path, 0, seed=5)
        panel = Panel([judges.of("endpoint:a"), judges.of("endpoint:b")])
        answers = panel.ask(PROMPTS, 2)
        assert answers[0] == judges.of("a").ask(PROMPTS[:1], 2)[0] + judges.of("b").ask(PROMPTS[:1], 2)[0]
        assert Counter(body["model"] for body in server.requests) == {"m": 3, "n": 3}
        judges.close()


@pytest.mark.parametrize(("name", "change", "match"), [
    ("endpoint:c", {}, r"no endpoint 'c'; known: a, b"),
    ("endpoint:a", {"base_url": ""}, r"data\.judges\.endpoints\.a\.base_url is not set"),
    ("endpoint:a", {"poet": 1}, "poet"),
])  # fmt: skip
def test_wrong_settings_are_named(name: str, change: dict[str, Any], match: str, tmp_path: Path) -> None:
    judges = EndpointJudges(config("http://127.0.0.1:9/v1", change), tmp_path, 0, seed=5)
    with pytest.raises(LemmataError, match=match):
        judges.of(name)


def train(folder: Path, server: ServerProcess) -> BaseProcess:
    """A process with a short training of the shipped model as prover, judged over HTTP."""
    arguments = [
        *("train", "role=prover", "stage=rl", f"run={folder}", "threads=1"),
        *("model=pkg://model/shipped", "data.families=[inequalities]", "data.levels=[1]", "stages.rl.steps=3"),
        *("stages.rl.groups=2", "stages.rl.samples=2", "stages.rl.max_resamples=0", "validation.items=1"),
        *("checkpoint.every=1", "data.judges.verifier=endpoint:a", "data.judges.meta_verifier=[endpoint:a,endpoint:b]"),
        *(f"data.judges.endpoints.{name}.base_url={server.url}" for name in "ab"),
        *(f"data.judges.endpoints.{name}.model={name}" for name in "ab"),
        *("data.judges.analyses=3", "data.judges.reviews=2", "data.judges.endpoint.samples_per_request=1"),
    ]
    return preloaded.start(output(folder), preloaded.command, ROOT, {}, *arguments)


def output(folder: Path) -> Path:
    """File of the output of the training in ``folder``."""
    return folder.with_suffix(".output")


def finish(folder: Path, server: ServerProcess) -> None:
    """Trains in ``folder`` to the end."""
    assert preloaded.exit_code(train(folder, server), output(folder)) == 0, output(folder).read_text()


def recorded(folder: Path) -> list[JudgeAnswer]:
    """The judges' answers in a run folder."""
    logs = sorted((folder / "judges").glob("*.jsonl"))
    return [record for log in logs for record in read_log(log) if isinstance(record, JudgeAnswer)]


def rollouts(folder: Path) -> list[list[dict[str, Any]]]:
    """The rewarded trajectories of a run by rollout."""
    paths = sorted((folder / "rollouts").glob("*.jsonl"))
    return [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]


@pytest.mark.slow
def test_a_killed_training_pays_for_no_answer_twice_and_ends_alike(tmp_path: Path) -> None:
    with server_process(tmp_path / "served", "--delay", "0.05") as server:
        for answers in (2, 9):
            process = train(tmp_path / "run", server)
            deadline = time.monotonic() + HANG
            while len(server.seeds()) < answers and process.is_alive() and time.monotonic() < deadline:
                time.sleep(0.01)
            process.kill()
            process.join()
            paid = {record.seed for record in recorded(tmp_path / "run")}
            before = len(server.seeds())
            assert before >= answers
        finish(tmp_path / "run", server)
        assert not paid & set(server.seeds()[before:])
        in_flight = Counter(server.seeds()) - Counter(record.seed for record in recorded(tmp_path / "run"))
        assert sum(in_flight.values()) <= 2 * 24  # at most what each kill dropped
        finish(tmp_path / "whole", server)
    assert rollouts(tmp_path / "run") == rollouts(tmp_path / "whole")
    assert len(rollouts(tmp_path / "run")) == 3
    # Each answer is judged once: 3 analyses, and 2 reviews by each of two judges.
    assert len(recorded(tmp_path / "whole")) <= 3 * 4 * 7
    assert any(row["parts"].get("self_meta") is not None for row in rollouts(tmp_path / "run")[0])
