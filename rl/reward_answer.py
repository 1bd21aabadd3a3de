"""Rule-based reward of a final answer: math-verify in a process of its own, which hostile mathematics cannot stall.

An answer such as 9^{9^{9^9}} keeps one integer power busy for ever, where no signal of Python's gets in. So the work is
done by another process, within its own memory, and it is killed when its time is over.
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

from core.config import STRICT, Positive, settings
from core.errors import LemmataError
from core.rubric import answer_part
from rl.presets import Above

WORKER = Path(__file__).with_name("reward_answer_worker.py")
TAIL = 20_000  # characters of an answer that are looked at, from its end


@settings(frozen=True, config=STRICT)
class AnswerConfig:
    """``seconds`` that an answer may take, ``start_seconds`` the process to get ready, ``memory_mb`` all it may use."""

    seconds: Above = 5.0
    start_seconds: Above = 60.0
    memory_mb: Positive = 2048


@dataclass(frozen=True, slots=True)
class AnswerReward:
    """``score`` 1 for an answer equal to the reference, else 0; ``reason`` says why it is 0."""

    score: float
    reason: str = ""


class AnswerChecker:
    """Compares answers with references. One process, started at the first answer; calls from several threads queue.

    Use it as a context manager, or call `close`.
    """

    def __init__(self, config: AnswerConfig) -> None:
        """Raises LemmataError where math-verify is not installed."""
        if find_spec("math_verify") is None:
            raise LemmataError("rewards for final answers need math-verify: pip install '.[rl]'")
        self.config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def check(self, text: str, reference: str) -> AnswerReward:
        """Whether the last answer in ``text`` equals ``reference`` (LaTeX, or an expression).

        What cannot be read, or not be compared in time, is the answer's own fault: 0. Blocks for at most the configured
        seconds; within asyncio, call it by `asyncio.to_thread`.

        Raises:
            LemmataError: the reference cannot be read (in time), or the process does not start.
        """
        answer = answer_part(text)
        if answer is None:
            return AnswerReward(0.0, "a <think> never closes")
        with self._lock:
            self._start()
            if (fault := self._ask({"reference": reference}, self.config.seconds)) != "ok":
                raise LemmataError(f"the reference answer {reference[:80]!r} cannot be used: {fault}")
            said = self._ask({"answer": answer[-TAIL:]}, self.config.seconds)
        return AnswerReward(1.0) if said == "equal" else AnswerReward(0.0, said)

    def close(self) -> None:
        """End the process."""
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
        # -P: by its path, without this folder among the libraries' names.
        command = [sys.executable, "-P", str(WORKER), str(self.config.memory_mb)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        if (said := self._read(self.config.start_seconds)) != "ready":
            raise LemmataError(f"the process that checks final answers does not start: {said}")

    def _ask(self, request: dict[str, str], seconds: float) -> str:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            self.close()
            return "the process that checks it ended"
        return self._read(seconds)

    def _read(self, seconds: float) -> str:
        """The process's next line; whatever else happens ends it, and is said."""
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        line = self._process.stdout.readline() if ready else b""
        if line.endswith(b"\n"):
            return json.loads(line)
        self.close()
        return f"no result within {seconds:g} seconds" if not ready else "the process that checks it ended"
