"""Worker of a sandbox: one fresh kernel after the other, each forked from this process, which holds the libraries.

The caller sends a line of JSON and waits for a line of JSON before it sends the next one:

| request | answer | when |
|---|---|---|
| | ``{"status": "ready"}`` | the libraries are imported |
| ``{"do": "begin"}`` | ``{"status": "ready"}`` | a fresh kernel is there |
| ``{"do": "run", "code": TEXT, "seconds": NUMBER}`` | ``{"status", "text", "seconds"}`` | the code has run |
| ``{"do": "end"}`` | ``{"status": "ended"}`` | the kernel is gone and the temporary folder empty |

A run has the status ok, error (a Python exception), timeout or died. After the last two the worker and its sandbox
end. This process reads nothing that a kernel sends: its child, the session, does, and lives as long as its kernel.
"""

import importlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from tools.inside import LIMITS, libc
from tools.inside.kernel_client import PythonKernel

LIBRARIES = ("sympy", "numpy", "mpmath", "networkx")  # of every kernel, imported once
LOST = ("timeout", "died")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE)


def main() -> None:
    """Answers requests until the caller closes its end, or a kernel is lost."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 1)
    for library in LIBRARIES:
        importlib.import_module(library)
    libc.prctl(libc.PR_SET_DUMPABLE, 0)  # its memory is hidden from kernels, which have the same user
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    limits = json.loads(os.environ.pop(LIMITS))
    kept = own_folders(Path.cwd())
    send(answers, {"status": "ready"})
    while request := receive():
        if request["do"] != "begin":
            raise ValueError("no kernel has begun")
        session = os.fork()
        if session == 0:
            serve(limits, answers)
        _, status = os.waitpid(session, 0)
        if status != 0:
            sys.exit("the session of a kernel has ended")
        empty(Path.cwd(), kept)
        send(answers, {"status": "ended"})


def serve(limits: dict[str, int], answers: BinaryIO) -> NoReturn:
    """Serves one kernel, until the caller ends it (exit status 0) or it is lost (1)."""
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
    status = 1
    try:
        kernel = PythonKernel(limits)
        os.dup2(1, 2)  # what a kernel sends may be worth a warning, and no one reads them
        send(answers, {"status": "ready"})
        while (request := receive()) and request["do"] == "run":
            answer = kernel.run(request["code"], request["seconds"])
            send(answers, answer)
            if answer["status"] in LOST:
                break
        else:
            status = 0
        kernel.stop()
    except Exception as error:  # noqa: BLE001  whatever it is, the sandbox ends with a reason
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        status = 1
    finally:
        os._exit(status)


def receive() -> dict[str, Any]:
    """The next request; empty at the end. Nothing beyond its line is read: the next reader is another process."""
    return json.loads(sys.stdin.buffer.readline() or b"{}")


def send(answers: BinaryIO, answer: dict[str, Any]) -> None:
    """Send an answer."""
    answers.write(json.dumps(answer).encode() + b"\n")


def own_folders(folder: Path) -> frozenset[Path]:
    """The sandbox's own folders below ``folder``: mount points, as of an environment there, and the way to them."""
    found = set()
    for parent, folders, _ in os.walk(folder):
        for name in tuple(folders):
            path = Path(parent, name)
            found.add(path)
            if path.is_mount():
                folders.remove(name)
    return frozenset(found)


def empty(folder: Path, kept: frozenset[Path]) -> None:
    """Delete everything in ``folder`` but ``kept``, whatever its permissions. Raises OSError or RecursionError."""
    if folder.stat().st_uid == os.getuid():
        folder.chmod(0o700)
    for entry in list(folder.iterdir()):
        if entry in kept:
            if not entry.is_mount():
                empty(entry, kept)
        elif entry.is_dir() and not entry.is_symlink():
            delete(entry)
        else:
            entry.unlink()


def delete(folder: Path) -> None:
    """Delete a folder, whatever the permissions in it."""
    folder.chmod(0o700)
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
