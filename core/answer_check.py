"""Final-answer checker: math-verify in a separate process with limits on time and memory.

An answer such as 9^{9^{9^9}} keeps Python in one integer power, where no signal handler runs. So the comparison is done
by a subprocess, which is killed when its time is over.
"""

import json
import select
import subprocess
import sys
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from core.config import STRICT, Positive, PositiveFloat, settings
from core.errors import LemmataError
from core.rubric import answer_part

WORKER = Path(__file__).with_name("answer_check_worker.py")
TAIL = 20_000  # characters that are read, from the end of an answer


@settings(frozen=True, config=STRICT)
class AnswerConfig:
    """Limits: ``seconds`` per answer, ``start_seconds`` for the subprocess to start, ``memory_mb`` of that process."""

    seconds: PositiveFloat = 5.0
    start_seconds: PositiveFloat = 60.0
    memory_mb: Positive = 2048


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """``score`` 1 for an answer equal to the reference, else 0 with the ``reason``."""

    score: float
    reason: str = ""


class AnswerChecker:
    """Compares answers with references in one subprocess, started at the first answer. Calls from threads queue.

    Use it as a context manager, or call `close`.
    """

    def __init__(self, config: AnswerConfig) -> None:
        """Raises LemmataError where math-verify is not installed."""
        if find_spec("math_verify") is None:
            raise LemmataError("checking final answers needs math-verify: pip install '.[rl]'")
        self.config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def check(self, text: str, reference: str) -> AnswerResult:
        """Compares the last answer in ``text`` with ``reference`` (LaTeX, or an expression).

        An answer that cannot be parsed, or not be compared in time, has score 0. Blocks for at most the configured
        seconds; within asyncio, call it by `asyncio.to_thread`.

        Raises:
            LemmataError: the reference cannot be parsed (in time), or the subprocess does not start.
        """
        answer = answer_part(text)
        if answer is None:
            return AnswerResult(0.0, "a <think> never closes")
        with self._lock:
            self._start()
            if (fault := self._request({"reference": reference})) != "ok":
                raise LemmataError(f"the reference answer {reference[:80]!r} cannot be used: {fault}")
            outcome = self._request({"answer": answer[-TAIL:]})
        return AnswerResult(1.0) if outcome == "equal" else AnswerResult(0.0, outcome)

    def close(self) -> None:
        """Ends the subprocess."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __enter__(self) -> "AnswerChecker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        if self._process is not None:
            return
        # -P: run by its path, without this folder on sys.path.
        command = [sys.executable, "-P", str(WORKER), str(self.config.memory_mb)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        if (reply := self._read(self.config.start_seconds)) != "ready":
            raise LemmataError(f"the subprocess that checks final answers does not start: {reply}")

    def _request(self, request: dict[str, str]) -> str:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            self.close()
            return "the subprocess that checks it ended"
        return self._read(self.config.seconds)

    def _read(self, seconds: float) -> str:
        """The next reply; without one the subprocess is ended, and the cause is returned."""
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        line = self._process.stdout.readline() if ready else b""
        if line.endswith(b"\n"):
            return json.loads(line)
        self.close()
        return f"no result within {seconds:g} seconds" if not ready else "the subprocess that checks it ended"
