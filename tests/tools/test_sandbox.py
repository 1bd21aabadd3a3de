"""Containment: hostile programs get nothing, and the sandbox goes on or ends as a whole."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.errors import LemmataError
from tests.tools import hostile, sandboxes
from tools import sandbox
from tools.interpreter import Interpreter, Output
from tools.sandbox import launch_of

pytestmark = pytest.mark.slow
SECRET = "LEMMATA_SECRET"


class Shared:
    """One interpreter for programs that must leave it alive, started again where one does not."""

    def __init__(self, kind: str) -> None:
        sandboxes.require(kind)
        self.kind = kind
        self.loop = asyncio.new_event_loop()
        self.running: Interpreter | None = None

    def run(self, code: str) -> Output:
        """The output of ``code``."""
        return self.loop.run_until_complete(self._run(code))

    async def _run(self, code: str) -> Output:
        if self.running is None or self.running.closed:
            config = sandboxes.small(sandbox=self.kind)
            self.running = await sandboxes.begun(config)
        return await self.running.run(code, 30)

    def close(self) -> None:
        """End the interpreter."""
        if self.running is not None:
            self.loop.run_until_complete(self.running.close())
        self.loop.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    with running_shared("auto") as shared:
        yield shared


@contextmanager
def running_shared(kind: str) -> Iterator[Shared]:
    """A shared interpreter, beside a socket and a secret that it must not reach."""
    with socket.socket(socket.AF_UNIX) as listener, pytest.MonkeyPatch.context() as patch:
        if kind == "auto":
            listener.bind("\0lemmata-test-socket")
            listener.listen()
        patch.setenv(SECRET, "a secret")
        shared = Shared(kind)
        yield shared
        shared.close()


@pytest.mark.parametrize("program", hostile.CONTAINED, ids=lambda program: program.name)
def test_a_hostile_program_gets_nothing_and_the_interpreter_goes_on(shared: Shared, program: hostile.Program) -> None:
    check_contained(shared, program)


@pytest.mark.parametrize("kind", ["bubblewrap", "namespaces"])
def test_each_kind_of_sandbox_contains_them(kind: str) -> None:
    sandboxes.require(kind)
    if launch_of(sandboxes.small()).kind == kind:
        pytest.skip(f"{kind} is the sandbox of the tests above")
    with running_shared(kind) as shared:
        for program in (one for one in hostile.CONTAINED if not (one.unbounded and kind == "bubblewrap")):
            check_contained(shared, program)


def check_contained(shared: Shared, program: hostile.Program) -> None:
    """Run a program and see that it got nothing, and that the interpreter goes on."""
    shared.run("kept = 6")
    output = shared.run(program.code)
    assert hostile.WORD not in output.text, program.name
    assert output.status in ("ok", "error"), output
    assert len(output.text) < 2500
    assert "\x1b" not in output.text
    after = shared.run("print(kept * 7)")
    assert (after.status, after.text) == ("ok", "42\n")


def test_the_word_is_seen_where_a_program_succeeds(shared: Shared) -> None:
    assert hostile.WORD in shared.run(f"own = 1\n{hostile.ESCAPE}").text


def test_outside_a_sandbox_the_plain_programs_succeed() -> None:
    """The control: they fail in the sandbox because of it, not by themselves."""
    names = [program.name for program in hostile.CONTAINED if program.plain]
    done = subprocess.run(
        [sys.executable, hostile.__file__, json.dumps(names)], capture_output=True, text=True, check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    results = json.loads(done.stdout.splitlines()[-1])
    assert sorted(results) == sorted(names)
    assert [name for name in names if not results[name]] == []


@pytest.mark.parametrize("program", hostile.ENDING, ids=lambda program: program.name)
def test_a_program_that_does_not_end_is_ended_with_its_sandbox(program: hostile.Program) -> None:
    sandboxes.require()

    async def run() -> tuple[Output, int]:
        async with sandboxes.interpreter() as running:
            return await running.run(program.code, 1.0), running.pid

    output, group = asyncio.run(run())
    assert output.lost
    assert len(output.text) < 2500
    assert sandboxes.members(group) == []


def test_the_limit_of_processor_time_ends_a_kernel_that_keeps_within_the_time_of_each_call() -> None:
    sandboxes.require()

    async def run() -> list[str]:
        async with sandboxes.interpreter(cpu_seconds=3) as running:
            statuses = []
            while not running.closed and len(statuses) < 30:
                code = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
                statuses.append((await running.run(code, 60)).status)
            return statuses

    statuses = asyncio.run(run())
    assert statuses[-1] == "died"
    assert set(statuses[:-1]) <= {"ok"}


def test_the_sandbox_dies_with_the_process_that_started_it() -> None:
    sandboxes.require()
    code = (
        "import asyncio\nfrom tests.tools import sandboxes\n"
        "async def run():\n    async with sandboxes.interpreter() as running:\n"
        "        print(running.pid, flush=True)\n        await running.run('while True: pass', 600)\n"
        "asyncio.run(run())"
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        group = int(process.stdout.readline())
        assert sandboxes.members(group)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while sandboxes.members(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sandboxes.members(group) == []


def test_nothing_runs_where_no_sandbox_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_fault", lambda *_: "user namespaces are switched off")
    with pytest.raises(LemmataError, match=r"user namespaces are switched off.*sandbox=none"):
        launch_of(sandboxes.small())
    assert launch_of(sandboxes.small(sandbox="none")).kind == "none"


def test_without_a_sandbox_the_limits_and_the_filter_hold() -> None:
    programs = ["import os; os.fork()", "import socket; socket.socket()", "x = bytearray(4 * 2**30)", "print(6 * 7)"]

    async def run() -> list[Output]:
        async with sandboxes.interpreter(sandbox="none") as running:
            return [await running.run(code, 60) for code in programs]

    *refused, last = asyncio.run(run())
    assert [output.status for output in refused] == ["error"] * 3
    assert (last.status, last.text) == ("ok", "42\n")


def test_an_environment_without_the_kernel_is_refused_by_name(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "empty"], check=True)
    with pytest.raises(LemmataError, match="lacks ipykernel"):
        launch_of(sandboxes.small(python=str(tmp_path / "empty" / "bin" / "python")))
    with pytest.raises(LemmataError, match="does not start"):
        launch_of(sandboxes.small(python=str(tmp_path / "none")))


@pytest.mark.parametrize("kind", ["bubblewrap", "namespaces"])
def test_an_environment_in_the_temporary_folder_is_seen_and_nothing_beside_it(
    tmp_path: Path, kind: sandbox.SandboxKind
) -> None:
    """The folder of tests lies in /tmp, where the sandbox has a folder of its own."""
    sandboxes.require(kind)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (tmp_path / "secret").write_text("a secret")
    python = str(venv / "bin" / "python")
    environment = sandbox.Environment(python, (str(venv), sys.base_prefix, str(Path(sys.executable).resolve().parent)))
    code = f"import os, sys; print(os.listdir({str(tmp_path)!r}), sys.prefix)"
    command = sandbox.wrapped(kind, environment, [python, "-I", "-c", code], 16, {})
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", env={})
    assert done.stdout == f"['venv'] {venv}\n"


def test_the_interpreter_computes_and_keeps_its_variables() -> None:
    sandboxes.require()

    async def run() -> list[Output]:
        async with sandboxes.interpreter() as running:
            codes = ["import sympy, numpy, mpmath, networkx\nx = sympy.Symbol('x')", "sympy.factor(x**4 - 1)", "1 / 0"]
            return [await running.run(code, 60) for code in codes]

    first, second, third = asyncio.run(run())
    assert (first.status, first.text) == ("ok", "")
    assert second.text == "(x - 1)*(x + 1)*(x**2 + 1)\n"
    assert third.status == "error"
    assert third.text.endswith("ZeroDivisionError: division by zero")
