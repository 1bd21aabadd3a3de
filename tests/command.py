"""The command line in this process, against fake servers that run in a thread."""

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lemmata.cli import main
from tests.clocks import HANG
from tests.fake_server import Behavior, FakeServer, role_of, well_behaved


@dataclass(frozen=True)
class CommandOutput:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def everything(self) -> str:
        """Both streams."""
        return self.out + self.err


@dataclass
class CommandLine:
    """Runs ``lemmata`` commands as the console script does, in a folder of the test's own."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> CommandOutput:
        """Exit code and output of one command."""
        before = sys.argv
        sys.argv = ["lemmata", *arguments]
        self.capture.readouterr()
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code
        finally:
            sys.argv = before
        output = self.capture.readouterr()
        return CommandOutput(code if isinstance(code, int) else 0, output.out, output.err)

    def ok(self, *arguments: str) -> CommandOutput:
        """Exit code and output of a command that must succeed."""
        output = self(*arguments)
        assert output.code == 0, output.everything
        return output

    def fails(self, *arguments: str, code: int = 1) -> str:
        """The message of a command that must fail, without a traceback."""
        output = self(*arguments)
        assert output.code == code, output.everything
        assert "Traceback" not in output.everything
        return output.err


@dataclass(frozen=True)
class Served:
    """A fake server that runs, and its address."""

    server: FakeServer
    url: str

    def policy(self, model: str = "model-x") -> list[str]:
        """The settings that make it the policy of a command."""
        return ["policy=endpoint", f"policy.base_url={self.url}", f"policy.model={model}"]

    @property
    def roles(self) -> Counter[str]:
        """Number of requests by role."""
        return Counter(role_of(prompt) for prompt in self.prompts)

    @property
    def prompts(self) -> list[str]:
        """The prompts of all requests."""
        return ["".join(message["content"] for message in body["messages"]) for body in self.server.requests]


@contextmanager
def serving(behavior: Behavior = well_behaved) -> Iterator[Served]:
    """A fake server in a thread, while the block runs."""
    server = FakeServer(behavior)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(server.start(), loop).result(HANG)
    try:
        yield Served(server, f"http://127.0.0.1:{port}/v1")
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(HANG)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(HANG)
        loop.close()


async def _stop(server: FakeServer) -> None:
    await server.stop()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
