"""Index of a problem's log: one small row per record, without texts, with the record's offset in the file.

A log is append-only, so a refresh reads only what was appended. A page reads in full only the records that it shows.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from core.errors import LemmataError
from core.log import read_record
from core.records import KINDS, Record

T = TypeVar("T")
LINES_PER_CHECK = 200  # lines read between two checks of the deadline
NO_PROOF = ("empty proof", "a <think> never closes")


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record without its texts. ``about``: id of the proof or analysis that it judges; ``size``: characters of text.

    ``score``: self-score of a proof, verdict of an analysis, review or label, mean of a selection; ``fault``: reason
    why there is none. ``value``: the other short fields by name.
    """

    kind: str
    id: str
    offset: int
    length: int
    about: str = ""
    parents: tuple[str, ...] = ()
    round: int = 0
    score: float | None = None
    fault: str = ""
    size: int = 0
    tokens: int = 0
    cost: float = 0.0
    created: str = ""
    value: Mapping[str, Any] = field(default_factory=dict)


KEPT = {
    "problem": ("name", "source"),
    "proof": ("finish_reason", "model", "template"),
    "label": ("grader", "author", "points", "max_points", "reason", "analysis_id"),
    "selection": ("proof_id", "accepted", "rule", "reason", "rounds", "verdicts"),
    "refusal": ("role", "error"),
}


def row_of(value: Mapping[str, Any], offset: int, length: int) -> RecordRow:
    """Builds the row of a record's JSON value. Raises LemmataError for a value that is not a record of this schema."""
    kind = value.get("kind", "")
    if kind not in KINDS or not isinstance(value.get("id"), str):
        raise LemmataError(f"unknown record kind {kind!r}")
    usage = value.get("usage") or {}
    return RecordRow(
        kind=kind,
        id=value["id"],
        offset=offset,
        length=length,
        about=value.get("analysis_id") or value.get("proof_id") or "",
        parents=tuple(value.get("parents") or ()),
        round=value.get("round") or 0,
        score=value.get({"proof": "self_score", "selection": "mean_score"}.get(kind, "score")),
        fault="; ".join(value.get("faults") or ()) or value.get("fault") or "",
        size=len(value.get("text") or ""),
        tokens=usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0),
        cost=usage.get("cost", 0.0),
        created=value.get("created") or "",
        value={name: value[name] for name in KEPT.get(kind, ()) if value.get(name) is not None},
    )


class LogIndex:
    """Rows of one log in the order of writing. ``notes``: messages about lines that could not be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[RecordRow] = []
        self.by_id: dict[str, RecordRow] = {}
        self.notes: list[str] = []
        self.torn = ""
        self._end = 0
        self._stamp: tuple[int, int] | None = None
        self._computed: dict[str, tuple[int, Any]] = {}

    @property
    def problem_id(self) -> str:
        """Id of the problem, which is the name of the file."""
        return self.path.stem

    @property
    def messages(self) -> list[str]:
        """Messages about lines that could not be read."""
        return [*self.notes, self.torn] if self.torn else list(self.notes)

    @property
    def is_stale(self) -> bool:
        """True where the file has changed since it was read."""
        return stamp_of(self.path) != self._stamp

    @property
    def share(self) -> float:
        """Share of the file that is indexed."""
        stamp = stamp_of(self.path)
        return min(1.0, self._end / stamp[1]) if self.is_stale and stamp and stamp[1] else 1.0

    def refresh(self, deadline: float = math.inf) -> None:
        """Reads what was appended since the last refresh; starts over where the file has become shorter.

        Stops at ``deadline`` (of time.monotonic); the next call continues there.
        """
        stamp = stamp_of(self.path)
        if stamp == self._stamp:
            return
        if stamp is None:
            self._reset()
            self.notes = [f"{self.path.name} is missing: the log of this problem was moved or deleted."]
        elif stamp[1] < self._end:
            self._reset()
        if stamp is None or self._read(deadline):
            self._stamp = stamp

    def of_kind(self, kind: str) -> list[RecordRow]:
        """Rows of one kind of record."""
        return [row for row in self.rows if row.kind == kind]

    def computed(self, name: str, make: Callable[["LogIndex"], T]) -> T:
        """Result of ``make``, cached by ``name`` until the number of rows changes."""
        known = self._computed.get(name)
        if known is None or known[0] != len(self.rows):
            known = self._computed[name] = (len(self.rows), make(self))
        return known[1]

    def may_contain(self, beginning: str) -> bool:
        """True where the file may contain a record whose id starts with ``beginning``; the records are not parsed."""
        try:
            return f'"id":"{beginning}'.encode() in self.path.read_bytes()
        except OSError:
            return False

    def read(self, row: RecordRow) -> Record:
        """Reads a record in full. Raises LemmataError where the file was replaced or deleted after it was indexed."""
        try:
            return read_record(self.path, row.offset, row.length)
        except (OSError, ValueError) as error:
            raise LemmataError(
                f"{self.path.name} has changed since it was indexed ({error}); reload the page"
            ) from error

    def _reset(self) -> None:
        self.rows, self.by_id, self.notes, self.torn, self._end = [], {}, [], "", 0
        self._computed = {}

    def _read(self, deadline: float) -> bool:
        """Indexes up to the deadline; returns True where the end of the file was reached."""
        self.torn = ""
        with self.path.open("rb") as file:
            file.seek(self._end)
            for number, line in enumerate(file):
                if number % LINES_PER_CHECK == LINES_PER_CHECK - 1 and time.monotonic() > deadline:
                    return False
                if not line.endswith(b"\n"):
                    self.torn = (
                        f"{self.path.name}: the last line is incomplete ({len(line)} bytes): it is being written, or "
                        "the run was interrupted. Running the same command again repeats that call."
                    )
                    return True
                self._add(line)
                self._end += len(line)
        return True

    def _add(self, line: bytes) -> None:
        try:
            row = row_of(json.loads(line), self._end, len(line))
        except (ValueError, AttributeError, TypeError, LemmataError) as error:
            self.notes.append(f"{self.path.name} is damaged at byte {self._end}: {error}. The line is not shown.")
            return
        if row.id in self.by_id:
            self.notes.append(f"{self.path.name}: {row.kind} {row.id} occurs twice; the later line is not shown.")
            return
        self.rows.append(row)
        self.by_id[row.id] = row


def stamp_of(path: Path) -> tuple[int, int] | None:
    """Modification time (nanoseconds) and size (bytes) of a file; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def children(index: LogIndex) -> Mapping[str, list[RecordRow]]:
    """Analyses, reviews and labels by the id of the record that they judge."""
    return index.computed("children", _children)


def _children(index: LogIndex) -> Mapping[str, list[RecordRow]]:
    found: dict[str, list[RecordRow]] = {}
    for row in index.rows:
        if row.kind in ("analysis", "review", "label"):
            found.setdefault(row.about, []).append(row)
    return found
