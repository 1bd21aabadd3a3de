"""A recorded run, replayed without a server, is the same run."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import LemmataError
from core.records import Analysis, Generated, Refusal
from core.store import Run
from policy.interface import Policy, PromptRefused, Sampling, user_prompt
from policy.meters import Meters
from policy.recorder import Recorder
from policy.replay import Replay, ReplayConfig
from refine.config import RefineConfig
from tests.presets import JUDGE, LIGHT
from tests.scripted import Answer, Asked, Scripted, comparables, drawn, jittered, loop_of, many_problems

EVERY_ONE = replace(JUDGE, review="all")


def run_of(folder: Path, policy: Policy, seed: int = 0, config: RefineConfig = LIGHT) -> Run:
    """Two problems through the loop into a run folder."""
    with Run.start(folder, "refine", {}) as run:
        for problem in many_problems(2):
            with closing(run.log(problem)) as log:
                asyncio.run(loop_of(policy, config, seed, EVERY_ONE).run(Recorder(problem, log, seed, Meters())))
    return run


def replay(run: Run) -> Replay:
    return Replay("policy", ReplayConfig(str(run.folder), concurrency=64))


def test_replay_makes_the_same_records(tmp_path: Path) -> None:
    recorded = run_of(tmp_path / "one", Scripted(jittered(1)))
    replayed = run_of(tmp_path / "two", replay(recorded))
    assert comparables(list(replayed.records())) == comparables(list(recorded.records()))
    assert sum(isinstance(record, Generated) for record in recorded.records()) > 50


def test_requests_of_several_samples_are_replayed_one_by_one(tmp_path: Path) -> None:
    recorded = run_of(tmp_path / "one", Scripted(samples_per_request=4))
    replayed = run_of(tmp_path / "two", replay(recorded))
    assert comparables(list(replayed.records()), "request") == comparables(list(recorded.records()), "request")


def some_refused(every: int) -> Answer:
    async def answer(asked: Asked) -> list[str]:
        if asked.role == "verifier" and (asked.seed or 0) % every == 0:
            raise PromptRefused("content filter")
        return await drawn(asked)

    return answer


def test_refusals_are_replayed(tmp_path: Path) -> None:
    recorded = run_of(tmp_path / "one", Scripted(some_refused(3)))
    replayed = run_of(tmp_path / "two", replay(recorded))
    records = list(recorded.records())
    assert sum(isinstance(record, Refusal) for record in records) > 3
    assert comparables(list(replayed.records())) == comparables(records)


def test_other_selection_rules_need_no_server(tmp_path: Path) -> None:
    recorded = run_of(tmp_path / "one", Scripted())
    replayed = run_of(tmp_path / "two", replay(recorded), config=replace(LIGHT, select="lower_bound"))
    assert [r.id for r in replayed.records()] == [r.id for r in recorded.records()]


@pytest.mark.parametrize("change", ["seed", "more"])
def test_what_was_not_recorded_is_not_made_up(tmp_path: Path, change: str) -> None:
    recorded = run_of(tmp_path / "one", Scripted())
    config = replace(LIGHT, proofs=5) if change == "more" else LIGHT
    with pytest.raises(
        LemmataError, match=r"holds no answer to a prompt of this run.*same problems, prompts, settings"
    ):
        run_of(tmp_path / "two", replay(recorded), seed=int(change == "seed"), config=config)


def test_a_missing_answer(tmp_path: Path) -> None:
    recorded = run_of(tmp_path / "one", Scripted())
    path = recorded.log_paths()[0]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for number, line in enumerate(lines) if number != len(lines) // 2))
    with pytest.raises(LemmataError, match="holds no answer"):
        run_of(tmp_path / "two", replay(recorded))
    analyses = [record for record in recorded.records() if isinstance(record, Analysis)]
    policy = replay(recorded)
    for seed in (None, analyses[0].seed):
        with pytest.raises(LemmataError, match="holds no answer"):
            asyncio.run(policy.sample([user_prompt("another prompt")], Sampling(seed=seed)))


def test_replay_of_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(LemmataError, match="is not a run folder"):
        Replay("policy", ReplayConfig(str(tmp_path), concurrency=64))


def test_it_can_be_closed(tmp_path: Path) -> None:
    asyncio.run(replay(run_of(tmp_path, Scripted())).close())
