"""Worker of a sandbox: runs code in one kernel by the Jupyter protocol, for a caller at its standard input and output.

A request is a line of JSON, ``{"code": TEXT, "seconds": NUMBER}``, an answer too: ``{"status", "text", "seconds"}``,
with status ok, error (a Python exception), timeout or died. After the last two the kernel is gone and the worker ends.
"""

import json
import os
import queue
import re
import resource
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from tools.inside import libc
from tools.inside.confined_kernel import LIMITS, MEBIBYTE

POLL = 0.1  # seconds between two looks at the kernel
START = 60.0  # seconds until a kernel must be ready
MAX_MESSAGE = 64 * MEBIBYTE  # of a message by the kernel; a longer one closes its connection
FLOOD = 50  # times the limit of the output, from which on a call has `FLOOD_SECONDS` to end
FLOOD_SECONDS = 2.0
# Sequences for a terminal, and control characters other than the newline and the tab.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def main() -> None:
    """Answers requests until the caller closes its end."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 1)
    harden()
    limits = json.loads(os.environ[LIMITS])
    kernel = PythonKernel(limits)
    os.dup2(quiet, 2)
    answers.write(b'{"status": "ready"}\n')
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answer = kernel.run(request["code"], request["seconds"])
        answers.write(json.dumps(answer).encode() + b"\n")
        if answer["status"] in ("timeout", "died"):
            break
    kernel.stop()


def harden() -> None:
    """Hides this process's memory from the kernel, which has the same user, and makes signals of it harmless."""
    libc.prctl(libc.PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_AS, (1024 * MEBIBYTE, 1024 * MEBIBYTE))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)


class BoundedOutput:
    """Text of a call: its beginning and its end, of at most ``limit`` characters together."""

    def __init__(self, limit: int) -> None:
        self.total = 0
        self._head_size, self._tail_size = limit - limit // 4, limit // 4
        self._head = self._tail = ""

    def add(self, text: str) -> None:
        """Append ``text``, without escapes for a terminal."""
        self.total += len(text)
        text = _ESCAPES.sub("", text[: 2 * self._head_size] + text[2 * self._head_size :][-2 * self._tail_size :])
        room = self._head_size - len(self._head)
        self._head += text[:room]
        self._tail = (self._tail + text[room:])[-self._tail_size :]

    @property
    def text(self) -> str:
        """The text, with a note in place of the part that is left out."""
        left_out = self.total - len(self._head) - len(self._tail)
        note = f"\n[... {left_out} characters left out ...]\n" if left_out > 0 and self._tail else ""
        return f"{self._head}{note}{self._tail}"


class PythonKernel:
    """One kernel and a client of it. Whatever it sends is text to pass on, never trusted."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limit = limits["output"]
        folder = Path.cwd() / ".kernels"
        (folder / "confined").mkdir(parents=True)
        start = (
            f"import sys; sys.path.insert(0, {sys.path[0]!r}); from tools.inside.confined_kernel import main; main()"
        )
        argv = [sys.executable, "-I", "-c", start, "-f", "{connection_file}"]
        specification = {"argv": argv, "display_name": "confined", "language": "python"}
        (folder / "confined" / "kernel.json").write_text(json.dumps(specification))
        self._manager = KernelManager(
            kernel_name="confined", transport="ipc", ip=str(Path.cwd() / ".socket"),
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder)]), cache_ports=False,
        )  # fmt: skip
        self._manager.context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        self._manager.start_kernel(stdout=1, stderr=2)
        self._client: BlockingKernelClient = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=START)

    def stop(self) -> None:
        """Kill the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def run(self, code: str, seconds: float) -> dict[str, Any]:
        """The answer to a request."""
        output, started, status = BoundedOutput(self._limit), time.monotonic(), "ok"
        try:
            for kind, text in self._messages(code, started + seconds, output):
                output.add(text)
                status = kind if kind in ("error", "timeout", "died") else status
        except Exception as error:  # noqa: BLE001  a hostile kernel may send anything
            status = "died"
            output.add(f"[the interpreter sent no readable answer: {type(error).__name__}]")
        return {"status": status, "text": output.text, "seconds": round(time.monotonic() - started, 3)}

    def _messages(self, code: str, deadline: float, output: BoundedOutput) -> Iterator[tuple[str, str]]:
        """Kinds and texts of what a call prints, until it ends, its time is up, or the kernel dies."""
        is_flood = False
        request = self._client.execute(code, store_history=False, allow_stdin=False)
        while True:
            if output.total > FLOOD * self._limit and not is_flood:
                is_flood, deadline = True, min(deadline, time.monotonic() + FLOOD_SECONDS)
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                yield ("died", "\n[stopped: the output does not end]") if is_flood else ("timeout", "")
                return
            try:
                message = self._client.get_iopub_msg(timeout=min(POLL, remaining))
            except queue.Empty:
                if not self._manager.is_alive():
                    yield "died", ""
                    return
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "status" and message["content"].get("execution_state") == "idle":
                return
            yield from _texts(message["msg_type"], message["content"])


def _texts(kind: str, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if kind == "stream":
        yield kind, str(content["text"])
    elif kind in ("execute_result", "display_data"):
        data = content["data"]
        images = [name for name in data if name.startswith("image/")]
        text = str(data.get("text/plain", ""))
        yield kind, f"{text}\n" + "".join(f"[{name} left out: text only]\n" for name in images)
    elif kind == "error":
        yield kind, "\n".join(map(str, content["traceback"])) or f"{content['ename']}: {content['evalue']}"


if __name__ == "__main__":
    main()
