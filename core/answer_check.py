"""Final-answer checker: math-verify in a separate process with limits on CPU time and memory.

An answer such as 9^{9^{9^9}} keeps Python in one integer power, where no signal handler runs. So the comparison is done
by a subprocess, which the kernel ends when its CPU time is used up: a busy machine changes no result.
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

from core.answer_text import final_answer
from core.config import STRICT, Positive, PositiveFloat, settings
from core.errors import LemmataError
from core.rubric import answer_part

WORKER = Path(__file__).with_name("answer_check_worker.py")
MAX_ANSWER = 20_000  # characters of a final answer that are sent to the subprocess
STUCK = 20  # times its seconds, after which a subprocess that gets no CPU time is ended; at least start_seconds


@settings(frozen=True, config=STRICT)
class AnswerConfig:
    """Limits: CPU ``seconds`` per answer, ``start_seconds`` for the subprocess to start, ``memory_mb`` of it."""

    seconds: PositiveFloat = 5.0
    start_seconds: PositiveFloat = 60.0
    memory_mb: Positive = 2048


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """``score`` 1 for an answer equal to the reference, else 0 with the ``reason``.

    ``decided``: False for an answer that could not be read or compared, which may be right in other words.
    """

    score: float
    reason: str = ""
    decided: bool = True


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
        """Compares the final answer of ``text`` (its last box, as `final_answer` finds it) with ``reference``.

        An answer that cannot be read, or not be compared in time, has score 0. Blocks while the subprocess works;
        within asyncio, call it by `asyncio.to_thread`.

        Raises:
            LemmataError: the reference is not gradable (words, a condition, or a formula that cannot be parsed in
                time), or the subprocess does not start.
        """
        solution = answer_part(text)
        answer = None if solution is None else final_answer(solution)
        with self._lock:
            self._start()
            if (fault := self._request({"reference": reference.strip()})) != "ok":
                raise LemmataError(f"the reference answer {reference[:80]!r} is not gradable: {fault}")
            if not answer:
                fault = "a <think> never closes" if solution is None else "the last box never closes"
                return AnswerResult(0.0, fault if answer is None else "no answer", decided=False)
            outcome = self._request({"answer": answer[:MAX_ANSWER]})
        if outcome == "equal":
            return AnswerResult(1.0)
        return AnswerResult(0.0, f"{outcome}: {answer[:80]}", decided=outcome == "not equal")

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
        command = [sys.executable, "-P", str(WORKER), str(self.config.memory_mb), str(self.config.seconds)]
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
        return self._read(max(self.config.start_seconds, STUCK * self.config.seconds))

    def _read(self, seconds: float) -> str:
        """The next reply; without one the subprocess is ended, and the cause is returned."""
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        line = self._process.stdout.readline() if ready else b""
        if line.endswith(b"\n"):
            return json.loads(line)
        self.close()
        if not ready:
            return f"no result within {seconds:g} seconds"
        return f"no result within {self.config.seconds:g} seconds of CPU time or {self.config.memory_mb} MiB"
