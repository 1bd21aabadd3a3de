"""Interpreter: one sandbox with one kernel, which keeps its variables from call to call."""

import asyncio
import json
import os
import signal
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tools.config import InterpreterConfig
from tools.sandbox import SandboxLaunch

START = 90.0  # seconds until a worker must be ready
GRACE = 5.0  # seconds beyond its limit after which a call is ended from outside
LOST = ("timeout", "died")  # statuses after which the variables are gone


@dataclass(frozen=True, slots=True)
class Output:
    """Result of a call: ``status`` ok, error (a Python exception), timeout or died; ``seconds`` that it ran."""

    status: str
    text: str
    seconds: float

    @property
    def lost(self) -> bool:
        """True where the interpreter ended, and its variables with it."""
        return self.status in LOST


class InterpreterFault(Exception):
    """The sandbox does not start, or its worker does not answer."""


class Interpreter:
    """A running sandbox. ``close`` kills it with everything in it; so does the end of this process."""

    def __init__(self, process: asyncio.subprocess.Process, folder: tempfile.TemporaryDirectory[str]) -> None:
        self._process = process
        self._folder = folder
        self.closed = False

    @property
    def pid(self) -> int:
        """Process number of the sandbox, outside."""
        return self._process.pid

    @classmethod
    async def start(cls, launch: SandboxLaunch, config: InterpreterConfig) -> "Interpreter":
        """Start a sandbox and wait until its kernel is ready.

        Raises:
            InterpreterFault: it does not start.
        """
        folder = tempfile.TemporaryDirectory(prefix="lemmata-")
        process = await asyncio.create_subprocess_exec(
            *launch.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, cwd=folder.name, env=dict(launch.environment), start_new_session=True,
            limit=16 * config.output + 2**16,
        )  # fmt: skip
        interpreter = cls(process, folder)
        try:
            async with asyncio.timeout(START):
                ready = await interpreter._line()
            if ready.get("status") != "ready":
                raise InterpreterFault(await interpreter._reason())
        except BaseException as error:
            await interpreter.close()
            if isinstance(error, TimeoutError):
                raise InterpreterFault(f"the sandbox was not ready within {START:g} s") from error
            raise
        return interpreter

    async def run(self, code: str, seconds: float) -> Output:
        """Run ``code``. After a status of ``LOST`` the interpreter is closed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"code": code, "seconds": seconds}).encode() + b"\n")
            await self._process.stdin.drain()
            async with asyncio.timeout(seconds + GRACE):
                value = await self._line()
            output = Output(str(value["status"]), str(value["text"]), float(value["seconds"]))
        except TimeoutError:
            output = Output("timeout", "", seconds)
        except (OSError, ValueError, KeyError, TypeError):
            output = Output("died", "", 0.0)
        except BaseException:
            await self.close()
            raise
        if output.lost:
            await self.close()
        return output

    async def _line(self) -> dict[str, Any]:
        """The next answer. Raises ValueError where the worker has ended or sent something else."""
        assert self._process.stdout is not None
        value = json.loads(await self._process.stdout.readline() or b"{}")
        if not isinstance(value, dict):
            raise ValueError("no answer")
        return value

    async def _reason(self) -> str:
        assert self._process.stderr is not None
        text = (await self._process.stderr.read(4000)).decode(errors="replace")
        return f"the sandbox does not start: {' '.join(text.split())[-600:] or 'no message'}"

    async def close(self) -> None:
        """Kill the sandbox with every process in it."""
        if self.closed:
            return
        self.closed = True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._folder.cleanup()
