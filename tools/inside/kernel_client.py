"""Client of one kernel by the Jupyter protocol: the kernel's process, and the text that its calls print."""

import os
import queue
import re
import resource
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

from tools.inside.confined_kernel import MEBIBYTE, become_kernel

POLL = 0.1  # seconds between two looks at the kernel
START = 60.0  # seconds until a kernel must be ready
MEMORY = 1024 * MEBIBYTE  # of this process, whatever a kernel sends
MAX_MESSAGE = 64 * MEBIBYTE  # of a message by the kernel; a longer one closes its connection
FLOOD = 50  # times the limit of the output, from which on a call has `FLOOD_SECONDS` to end
FLOOD_SECONDS = 2.0
# Sequences for a terminal, and control characters other than the newline and the tab.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


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
        name = str(Path.cwd() / ".kernel.json")
        # A relative path of the sockets, for one of more than 107 characters has no socket.
        write_connection_file(name, transport="ipc", ip=".socket", key=os.urandom(16).hex().encode())
        self._process = os.fork()
        if self._process == 0:
            become_kernel(limits, name)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
        context = zmq.Context()
        context.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        self._client = BlockingKernelClient(context=context, connection_file=name)
        self._client.load_connection_file()
        self._client.start_channels(stdin=False, hb=False, control=False)  # a heartbeat fails on a busy machine
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        """Ask until an answer arrives by the channel of outputs, which joins late. Raises RuntimeError."""
        deadline = time.monotonic() + START
        while self._is_alive and time.monotonic() < deadline:
            request = self._client.kernel_info()
            try:
                while not _is_idle(self._client.get_iopub_msg(timeout=1.0), request):
                    pass
            except queue.Empty:
                continue
            return
        raise RuntimeError(f"the kernel was not ready within {START:g} s" if self._is_alive else "the kernel died")

    @property
    def _is_alive(self) -> bool:
        if self._process:
            ended, _ = os.waitpid(self._process, os.WNOHANG)
            self._process = 0 if ended else self._process
        return bool(self._process)

    def stop(self) -> None:
        """Kill the kernel, and wait for its end."""
        if self._is_alive:
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)

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
                if not self._is_alive:
                    yield "died", ""
                    return
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            if _is_idle(message, request):
                return
            yield from _texts(message["msg_type"], message["content"])


def _is_idle(message: Mapping[str, Any], request: str) -> bool:
    """True for the message that ends the work on a request."""
    is_status = message["parent_header"].get("msg_id") == request and message["msg_type"] == "status"
    return is_status and message["content"].get("execution_state") == "idle"


def _texts(kind: str, content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if kind == "stream":
        yield kind, str(content["text"])
    elif kind in ("execute_result", "display_data"):
        data = content["data"]
        images = [name for name in data if name.startswith("image/")]
        text = str(data.get("text/plain", ""))
        yield kind, f"{text}\n" + "".join(f"[{name} left out: text only]\n" for name in images)
    elif kind == "error":
        yield kind, "\n".join(map(str, content["traceback"])).strip() or f"{content['ename']}: {content['evalue']}"
