"""kill -9 at any moment, torn and damaged files, two processes on one folder: the run ends as if nothing happened."""

import asyncio
import json
import random
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.command import serving
from tests.fake_server import FakeServer, Reply, well_behaved
from tests.processes import Job, assert_same, new_job, requests_of, server_process, stored, undisturbed

pytestmark = pytest.mark.slow

PROBLEMS = 6
KILLS = 20
IN_FLIGHT = 4
ONE_BY_ONE = "policy.samples_per_request=1"  # so that a lost record is the same when it is asked for alone


def test_a_run_killed_twenty_times_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    expected = undisturbed(tmp_path / "calm", PROBLEMS)
    job = new_job(tmp_path, PROBLEMS, f"policy.concurrency={IN_FLIGHT}")
    moments = random.Random(7)
    with server_process(tmp_path / "server.log", "--delay", "0.06") as server:
        kept: list[tuple[set[int], int]] = []
        for number in range(KILLS):
            with job.start(server.url) as running:
                if number % 4 == 3:  # so that the run gets on, however slow the machine is
                    held = len(kept[-1][0])
                    running.wait_until(lambda held=held: len(requests_of(stored(job.run))) > held)
                elif number % 4:
                    answered = len(server.seeds()) + moments.randrange(3)
                    running.wait_until(lambda least=answered: len(server.seeds()) >= least)
                    time.sleep(moments.uniform(0.0, 0.06))
                else:  # wherever it is between its start and its first calls
                    time.sleep(moments.uniform(0.0, 0.2))
                assert running.process.is_alive(), running.output
                running.kill()
            kept.append((set(requests_of(stored(job.run))), len(server.seeds())))
        assert_same(job.complete(server.url), expected)
        seeds = server.seeds()
    assert all(known.isdisjoint(seeds[asked:]) for known, asked in kept)
    assert len(seeds) <= len(requests_of(expected)) + KILLS * IN_FLIGHT
    sizes = [len(known) for known, _ in kept]
    assert sizes == sorted(sizes)
    assert 0 < sizes[-1] < len(requests_of(expected))
    assert len(set(sizes)) > 3  # the kills hit different moments of the run


# Files.


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def _cut_in_last_line(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: -len(_lines(path)[-1]) // 2])


def _cut_in_the_middle(path: Path) -> None:
    lines = _lines(path)
    middle = len(lines) // 2
    path.write_bytes(b"".join(lines[:middle]) + lines[middle][:40])


def _cut_before_the_newline(path: Path) -> None:
    path.write_bytes(b"".join(_lines(path)[:-3]).removesuffix(b"\n"))


def _zeros_at_the_end(path: Path) -> None:
    _cut_in_the_middle(path)
    with path.open("ab") as file:
        file.write(b"\0" * 5000)


def _nothing_but_zeros(path: Path) -> None:
    path.write_bytes(b"\0" * 5000)


def _cut_in_a_character(path: Path) -> None:
    path.write_bytes(path.read_bytes() + '{"kind":"proof","id":"é'.encode()[:-1])


TEARS: list[Callable[[Path], None]] = [
    *(_cut_in_last_line, _cut_in_the_middle, _cut_before_the_newline),
    *(_zeros_at_the_end, _nothing_but_zeros, _cut_in_a_character),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A finished run: one problem for each way to tear its log."""
    settings = (ONE_BY_ONE, "refine.rounds=2", "refine.proofs=2", "judge.analyses=3")
    job = new_job(tmp_path_factory.mktemp("finished"), len(TEARS), *settings)
    with server_process(job.run.with_name("server.log")) as server:
        job.complete(server.url)
    return job


def _copy(job: Job, folder: Path) -> Job:
    shutil.copytree(job.run, folder / "run")
    return replace(job, run=folder / "run")


def test_torn_logs_are_resumed(tmp_path: Path, finished: Job) -> None:
    job = _copy(finished, tmp_path)
    expected = stored(job.run)
    for tear, path in zip(TEARS, job.logs(), strict=True):
        tear(path)
    before = stored(job.run)
    assert len(before) < len(expected)
    assert_same(before, {name: expected[name] for name in before})
    with server_process(tmp_path / "server.log") as server:
        assert_same(job.complete(server.url), expected)
        lost = {name: record for name, record in expected.items() if name not in before}
        assert sorted(server.seeds()) == sorted(requests_of(lost))
    assert all(json.loads(line) for path in job.logs() for line in _lines(path))


@pytest.mark.parametrize("damage", [b"\0" * 7, b'{"kind":"pro', b"[1]"])
def test_damage_in_the_middle_is_told_with_its_place(tmp_path: Path, finished: Job, damage: bytes) -> None:
    job = _copy(finished, tmp_path)
    path = job.logs()[2]
    lines = _lines(path)
    path.write_bytes(b"".join([*lines[:4], damage + b"\n", *lines[5:]]))
    damaged = path.read_bytes()
    with server_process(tmp_path / "server.log") as server:
        ended = job.finish(server.url)
        assert server.seeds() == []
    assert ended.code == 1
    place = f"{path} is damaged at byte {sum(map(len, lines[:4]))}: "
    assert ended.message.startswith(f"lemmata: {place}"), ended.output
    assert path.read_bytes() == damaged


def test_a_deleted_line_is_made_again(tmp_path: Path, finished: Job) -> None:
    job = _copy(finished, tmp_path)
    expected = stored(job.run)
    for path in job.logs():
        lines = _lines(path)
        del lines[random.Random(path.name).randrange(1, len(lines) - 1)], lines[-1]
        path.write_bytes(b"".join(lines))
    with server_process(tmp_path / "server.log") as server:
        assert_same(job.complete(server.url), expected)
        assert len(server.seeds()) == len(TEARS)


# Processes.


def test_a_second_process_on_the_folder_is_refused(tmp_path: Path) -> None:
    go_on = threading.Event()

    async def wait(body: Mapping[str, Any], server: FakeServer) -> Reply:
        while not go_on.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(0.01)
        return await well_behaved(body, server)

    job = new_job(tmp_path, 2)
    with serving(wait) as served, job.start(served.url) as running:
        running.wait_for_start()
        second = job.finish(served.url)
        assert second.code == 1
        assert re.search(r"run folder .*run is being written by another process; wait for it", second.message)
        go_on.set()
        assert running.end().code == 0, running.output
        records = stored(job.run)
        assert sorted(body["seed"] for body in served.server.requests) == sorted(requests_of(records))
    assert sum(record["kind"] == "selection" for record in records.values()) == 2
