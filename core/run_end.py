"""Reason why a run ended before its last step: a file of the run folder, which a process that dies can't write.

So a training that was stopped can be told from one that died: where no process holds the lock and the run is not done,
the file is there or it died (``kill -9``, no memory left, a machine that went down).
"""

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from core.store import now

STOPPED = "stopped.json"


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The ``reason`` of an end in words, and its ``time`` (ISO 8601, UTC)."""

    reason: str
    time: str


@contextmanager
def recorded_end(folder: Path, received: Sequence[int]) -> Iterator[None]:
    """Keeps in ``folder`` why the block ended early: an error, or the first signal of ``received``.

    A resumed run begins without the file.
    """
    path = folder / STOPPED
    path.unlink(missing_ok=True)
    try:
        yield
    except BaseException as error:
        _write(path, f"{type(error).__name__}: {error}".rstrip(": "))
        raise
    if received:
        _write(path, f"stopped by {signal.Signals(received[0]).name}")


def read_end(folder: Path) -> RunEnd | None:
    """The recorded end of the run in ``folder``; None where there is none, or it cannot be read."""
    try:
        value = json.loads((folder / STOPPED).read_text(encoding="utf-8"))
        return RunEnd(str(value["reason"]), str(value["time"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, reason: str) -> None:
    with suppress(OSError):  # a full disk must not hide the error that ends the run
        path.write_text(json.dumps({"reason": reason[:1000], "time": now()}) + "\n", encoding="utf-8")
