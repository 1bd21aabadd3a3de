"""Servers and commands as processes of their own, and what they leave in a run folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from core.log import read_log
from core.records import to_json
from tests import preloaded
from tests.clocks import HANG

ROOT = Path(__file__).parents[1]
TIMES = ("created", "seconds")
NO_KEY = {"OPENAI_API_KEY": None}
Records = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class ServerProcess:
    """A fake server that runs."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def seeds(self) -> list[int]:
        """The seed of every answered request, in order."""
        return [int(line) for line in self.log.read_text().split("\n")[:-1]] if self.log.exists() else []

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


@contextmanager
def server_process(log: Path, *options: str) -> Iterator[ServerProcess]:
    """``python -m tests.fake_server`` with ``options`` while the block runs."""
    command = [sys.executable, "-m", "tests.fake_server", "--log", str(log), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield ServerProcess(process, f"http://127.0.0.1:{int(process.stdout.readline())}/v1", log)
        finally:
            process.kill()


@dataclass(frozen=True)
class Ended:
    """Exit code and standard error of a command."""

    code: int
    output: str

    @property
    def message(self) -> str:
        """The last line, which must be plain words."""
        assert "Traceback" not in self.output, self.output
        assert "never retrieved" not in self.output, self.output
        return self.output.strip().rpartition("\n")[2]


@dataclass(frozen=True)
class Job:
    """``lemmata refine`` of problems into a run folder, with its settings; the server may be another each time."""

    run: Path
    problems: Path
    settings: tuple[str, ...] = ()

    def arguments(self, url: str, *more: str) -> list[str]:
        """Arguments of ``lemmata`` on the command line."""
        return [
            *("refine", f"problems={self.problems}", f"run={self.run}"),
            *("policy=endpoint", f"policy.base_url={url}", "policy.model=m", "policy.retry.first_wait=0.02"),
            *self.settings,
            *more,
        ]

    @contextmanager
    def start(self, url: str, *more: str) -> Iterator["Running"]:
        """The command while the block runs; what is left of it then is killed."""
        output = self.problems.with_suffix(".stderr")
        output.write_text("")
        process = preloaded.start(
            output, preloaded.command, ROOT, NO_KEY, *self.arguments(url, *more), stdout=Path(os.devnull)
        )
        running = Running(process, output)
        try:
            yield running
        finally:
            running.kill()

    def finish(self, url: str, *more: str) -> Ended:
        """Run the command to its end."""
        with self.start(url, *more) as running:
            return running.end()

    def complete(self, url: str, *more: str) -> Records:
        """Run the command, which must succeed; the records of the run."""
        ended = self.finish(url, *more)
        assert ended.code == 0, ended.output
        return stored(self.run)

    def logs(self) -> list[Path]:
        """The log of each problem, in the order of the problems' ids."""
        return sorted((self.run / "problems").glob("*.jsonl"))


@dataclass(frozen=True)
class Running:
    """A command that was started."""

    process: BaseProcess
    _stderr: Path

    @property
    def output(self) -> str:
        """Its output so far."""
        return self._stderr.read_text()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return as soon as ``condition`` holds, which must be while the command still runs."""
        deadline = time.monotonic() + HANG
        while not condition():
            assert self.process.is_alive(), self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.005)

    def wait_for_start(self) -> None:
        """Return once it has opened its run folder."""
        self.wait_until(lambda: "run folder:" in self.output)

    def interrupt(self) -> None:
        """Ctrl-C."""
        assert self.process.pid
        os.kill(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.join()

    def end(self) -> Ended:
        """Wait for its end."""
        return Ended(preloaded.exit_code(self.process, self._stderr), self.output)


def new_job(folder: Path, problems: int, *settings: str, run: Path | None = None) -> Job:
    """A job over so many problems, which are the same for every test."""
    path = folder / "problems.jsonl"
    lines = [{"problem": f"Prove that {n} + {n} = {2 * n}.", "name": f"p{n}"} for n in range(problems)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Job(run or folder / "run", path, settings)


def undisturbed(folder: Path, problems: int, *settings: str) -> Records:
    """The records of a job that nothing disturbs."""
    with server_process(folder / "server.log") as server:
        return new_job(folder, problems, *settings).complete(server.url)


def stored(run: Path) -> Records:
    """The records of a run by id, without what depends on time; no id stands there twice."""
    values = [to_json(record) for path in (run / "problems").glob("*.jsonl") for record in read_log(path)]
    records = {value["id"]: {key: item for key, item in value.items() if key not in TIMES} for value in values}
    assert len(records) == len(values)
    return records


def requests_of(records: Records) -> list[int]:
    """The seed of every request that the records came from."""
    return [record["seed"] for record in records.values() if record.get("request") == record["id"]]


def assert_same(records: Records, expected: Records) -> None:
    """The same records, whatever their order; the first that differs is shown."""
    assert set(records) == set(expected)
    different = [(records[name], expected[name]) for name in records if records[name] != expected[name]]
    assert different[:1] == []
