"""Interpreter: one sandbox with one kernel at a time, which keeps its variables from call to call.

``begin`` gives a fresh kernel, forked from a worker that holds the libraries, and ``end`` kills it and empties the
temporary folder: so one sandbox serves one conversation after the other, and nothing of an earlier one is in it.
"""

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
    """A running sandbox, without a kernel at first.

    ``close`` kills it with everything in it; so does the end of this process.
    """

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
        """Start a sandbox and wait until its worker is ready.

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
            await interpreter._expect("ready")
        except BaseException:
            await interpreter.close()
            raise
        return interpreter

    async def begin(self) -> None:
        """Start a fresh kernel. Raises InterpreterFault, with the sandbox closed."""
        await self._do("begin", "ready")

    async def end(self) -> None:
        """Kill the kernel and empty its folder. Raises InterpreterFault, with the sandbox closed."""
        await self._do("end", "ended")

    async def _do(self, action: str, status: str) -> None:
        try:
            await self._send({"do": action})
            await self._expect(status)
        except BaseException as error:
            await self.close()
            if isinstance(error, OSError):
                raise InterpreterFault(f"the sandbox has ended: {error}") from error
            raise

    async def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        await self._process.stdin.drain()

    async def _expect(self, status: str) -> None:
        try:
            async with asyncio.timeout(START):
                answer = await self._line()
                if answer.get("status") != status:
                    raise InterpreterFault(await self._reason())
        except TimeoutError as error:
            raise InterpreterFault(f"the sandbox was not {status} within {START:g} s") from error
        except ValueError as error:
            raise InterpreterFault(f"the sandbox sent no readable answer: {error}") from error

    async def run(self, code: str, seconds: float) -> Output:
        """Run ``code`` in the kernel. After a status of ``LOST`` the sandbox is closed."""
        try:
            await self._send({"do": "run", "code": code, "seconds": seconds})
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
        return f"the sandbox has ended: {' '.join(text.split())[-600:] or 'no message'}"

    async def close(self) -> None:
        """Kill the sandbox with every process in it."""
        if self.closed:
            return
        self.closed = True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._folder.cleanup()
