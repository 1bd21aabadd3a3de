"""An evaluation of two models on a server that misbehaves, killed and resumed: the figures of an undisturbed one.

Truncation, moderation, filters and answers without a verdict follow from prompt and seed, so that both runs have them.
Rate limits, outages, dropped and malformed responses come at random moments, and only to the disturbed run.
"""

import hashlib
import json
import multiprocessing
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.records import Refusal, Selection
from core.store import Run
from lemmata.cli import main
from tests.clocks import HANG
from tests.command import CommandLine, Served, serving
from tests.fake_server import (
    FAULTS,
    FakeServer,
    Reply,
    Streamed,
    answer_text,
    completion,
    json_reply,
    role_of,
    streamed,
)
from tests.processes import assert_same, stored
from tests.shared import shared_if_there

pytest_plugins = ["tests.lemmata.conftest"]
pytestmark = pytest.mark.slow

PROBLEMS, KILLS = 60, 10
PARTS = [f"r/{entrant}/attempt-000" for entrant in ("policy", "weak")]
OUTAGE = json_reply({"error": {"message": "down"}}, 503)
BUSY = json_reply({"error": {"message": "slow down"}}, 429)
CUT_JSON = (200, {"content-type": "application/json"}, b'{"choices": [{"index": 0, "mess')


def _draw(*parts: object) -> float:
    """A number from 0 to 1 that follows from ``parts``."""
    return int(hashlib.sha256(repr(parts).encode()).hexdigest()[:8], 16) / 2**32


def _lasting(body: Mapping[str, Any]) -> Reply:
    """The answer that follows from the request: whole, cut off, filtered, without a verdict, or refused."""
    prompt = "".join(message["content"] for message in body["messages"])
    role, key = role_of(prompt), (body["model"], prompt, body.get("seed"))
    if role == "prover" and _draw("refused", body["model"], prompt) < 0.06:
        return json_reply({"error": {"message": "flagged by moderation", "code": 403}}, 403)
    texts = [answer_text(role, repr((*key, index))) for index in range(body.get("n", 1))]
    value = completion(body, texts)
    for index, choice in enumerate(value["choices"]):
        chance = _draw("choice", key, index)
        if chance < 0.08:
            choice["finish_reason"] = "length" if chance < 0.05 else "content_filter"
            choice["message"]["content"] = choice["message"]["content"][:20]
        elif chance < 0.15:
            choice["message"]["content"] = f"I could not decide this ({key[2]}-{index})."
    return streamed(value) if body.get("stream") else json_reply(value)


class Storm:
    """Passing faults at random requests, and an outage of some requests now and then."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._down = 0
        self.answered = 0

    async def __call__(self, body: Mapping[str, Any], server: FakeServer) -> Reply:
        self._down = self._down - 1 if self._down else 15 if self._random.random() < 0.01 else 0
        if self._down:
            return OUTAGE
        if self._random.random() < 0.15:
            return self._random.choice([*FAULTS, BUSY, CUT_JSON])
        reply = _lasting(body)
        if isinstance(reply, Streamed) and self._random.random() < 0.05:
            return Streamed([*reply.pieces[: len(reply.pieces) // 2], None])
        self.answered += 1
        return reply


async def calm(body: Mapping[str, Any], server: FakeServer) -> Reply:
    """The lasting answers alone."""
    return _lasting(body)


def _problems(folder: Path) -> list[str]:
    """The 60 problems of IMO-ProofBench where they are there, else as many of our own."""
    real = shared_if_there("data/imobench/proofbench_v2.csv")
    if real is not None:
        return [f"problems={real}", "columns=imo_proofbench"]
    path = folder.parent / "night.jsonl"
    rows = [{"name": f"p{n}", "statement": f"Prove that {n} + {n} = {2 * n}."} for n in range(PROBLEMS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [f"problems={path}"]


def _arguments(served: Served, folder: Path) -> list[str]:
    return [
        *("evaluate", *_problems(folder), "run=r", *served.policy("strong"), "+policies.weak.model=small"),
        *("entrants=[policy,weak]", "refine.proofs=1", "refine.rounds=1", "judge.analyses=2", "judge.reviews=0"),
        *("judge.acceptance.min_verdicts=1", "verifier.policy=policy", "grading.samples=1", "control.problems=0"),
        *(
            "policy.retry.first_wait=0.01",
            "policy.retry.max_backoff=0.05",
            "policy.concurrency=16",
            "policy.samples_per_request=1",
        ),
    ]


def _start(arguments: list[str]) -> Any:
    """The command in a process of its own, forked so that nothing is loaded again."""

    def run() -> None:
        sys.argv = ["lemmata", *arguments]
        main()

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    return process


def _kill_after(process: Any, storm: Storm, answers: int) -> None:
    """kill -9 once so many more requests are answered."""
    wanted, deadline = storm.answered + answers, time.monotonic() + HANG
    while storm.answered < wanted:
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.kill()
    process.join()


def _figures(lemmata: CommandLine) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    """The report without the folders, times and commits that it ends with, and its two tables."""
    lemmata.ok("evaluate", "report", "run=r", "out=report", "plots=false")
    tables = [pq.read_table(f"report/{name}.parquet").to_pylist() for name in ("proofs", "grades")]
    return Path("report/report.md").read_text().partition("## Runs")[0], tables[0], tables[1]


def test_ten_kills_and_a_storm_change_no_figure(
    lemmata: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in ("calm", "storm")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.chdir(folders[0])
    with serving(calm) as served:
        assert lemmata(*_arguments(served, folders[0])).code == 2  # what moderation refuses stays unfinished
    expected, undisturbed = _figures(lemmata), [stored(Path(part)) for part in PARTS]

    monkeypatch.chdir(folders[1])
    storm, moments = Storm(3), random.Random(5)
    with serving(storm) as served:
        arguments = _arguments(served, folders[1])
        for _ in range(KILLS):
            _kill_after(_start(arguments), storm, moments.randrange(5, 50))
        held = sum(len(stored(Path(part))) for part in PARTS)
        assert 0 < held < sum(map(len, undisturbed))
        assert lemmata(*arguments).code == 2
        faults = len(served.server.requests) - storm.answered
    assert faults > KILLS
    for part, records in zip(PARTS, undisturbed, strict=True):
        assert_same(stored(Path(part)), records)
    assert _figures(lemmata) == expected
    report = expected[0]
    assert "are not finished" in report
    records = [record for part in PARTS for record in Run.read(part).records()]
    finished = sum(isinstance(record, Selection) for record in records)
    refused = {record.problem_id for record in records if isinstance(record, Refusal)}
    assert PROBLEMS < finished < 2 * PROBLEMS
    assert refused
