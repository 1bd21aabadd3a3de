"""What a problem's log holds, without its texts: one small row a record, with the place of the record in the file.

A log is append-only, so an index reads only what came since the last time. A page reads in full just the records that
it shows.
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
LINES_AT_ONCE = 200  # between two looks at the clock
NO_PROOF = ("empty proof", "a <think> never closes")


@dataclass(frozen=True, slots=True)
class Row:
    """A record without its texts. ``about``: the proof or analysis that it judges; ``size``: characters of its text.

    ``score`` is the self-score of a proof, the verdict of an analysis, review or label, the mean of a selection.
    ``fault`` says in words why there is none. ``value`` holds the other short fields by name.
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


def row_of(value: Mapping[str, Any], offset: int, length: int) -> Row:
    """The row of a record's JSON value. Raises LemmataError for what is no record of this schema."""
    kind = value.get("kind", "")
    if kind not in KINDS or not isinstance(value.get("id"), str):
        raise LemmataError(f"unknown record kind {kind!r}")
    usage = value.get("usage") or {}
    return Row(
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
    """The rows of one log in the order they were written; ``notes`` says in words what of it could not be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self.by_id: dict[str, Row] = {}
        self.notes: list[str] = []
        self.torn = ""
        self._end = 0
        self._seen: tuple[int, int] | None = None
        self._computed: dict[str, tuple[int, Any]] = {}

    @property
    def problem_id(self) -> str:
        """The id of the problem, which is the file's name."""
        return self.path.stem

    @property
    def messages(self) -> list[str]:
        """What of the log could not be read."""
        return [*self.notes, self.torn] if self.torn else list(self.notes)

    @property
    def stale(self) -> bool:
        """Whether the file has changed since it was read."""
        return stamp_of(self.path) != self._seen

    @property
    def share(self) -> float:
        """How much of the file is indexed."""
        stamp = stamp_of(self.path)
        return min(1.0, self._end / stamp[1]) if self.stale and stamp and stamp[1] else 1.0

    def refresh(self, deadline: float = math.inf) -> None:
        """Read what was appended since the last time; all of it anew where the file has become shorter.

        At ``deadline`` (of time.monotonic) it stops; the next call goes on from there.
        """
        stamp = stamp_of(self.path)
        if stamp == self._seen:
            return
        if stamp is None:
            self._reset()
            self.notes = [f"{self.path.name} is missing: the log of this problem was moved or deleted."]
        elif stamp[1] < self._end:
            self._reset()
        if stamp is None or self._read(deadline):
            self._seen = stamp

    def of_kind(self, kind: str) -> list[Row]:
        """The rows of one kind."""
        return [row for row in self.rows if row.kind == kind]

    def computed(self, name: str, make: Callable[["LogIndex"], T]) -> T:
        """What ``make`` computes from the rows; computed again only where rows came or went."""
        known = self._computed.get(name)
        if known is None or known[0] != len(self.rows):
            known = self._computed[name] = (len(self.rows), make(self))
        return known[1]

    def holds(self, beginning: str) -> bool:
        """Whether a record with an id that begins so may be in the file; found without reading the records."""
        try:
            return f'"id":"{beginning}'.encode() in self.path.read_bytes()
        except OSError:
            return False

    def read(self, row: Row) -> Record:
        """The record in full. Raises LemmataError where the file has changed under it, or is no longer there."""
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
        """Whether the end was reached in time."""
        self.torn = ""
        with self.path.open("rb") as file:
            file.seek(self._end)
            for number, line in enumerate(file):
                if number % LINES_AT_ONCE == LINES_AT_ONCE - 1 and time.monotonic() > deadline:
                    return False
                if not line.endswith(b"\n"):
                    self.torn = (
                        f"{self.path.name}: the last line is torn ({len(line)} bytes). It is being written, or the run "
                        "was cut off there: that call is still owed, and the same command makes it again."
                    )
                    return True
                self._take(line)
                self._end += len(line)
        return True

    def _take(self, line: bytes) -> None:
        try:
            row = row_of(json.loads(line), self._end, len(line))
        except (ValueError, AttributeError, TypeError, LemmataError) as error:
            self.notes.append(f"{self.path.name} is damaged at byte {self._end}: {error}. That line is left out here.")
            return
        if row.id in self.by_id:
            self.notes.append(f"{self.path.name}: {row.kind} {row.id} stands twice; the later line is left out here.")
            return
        self.rows.append(row)
        self.by_id[row.id] = row


def stamp_of(path: Path) -> tuple[int, int] | None:
    """What changes with a file: nanoseconds of its last change, and bytes. None where it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def children(index: LogIndex) -> Mapping[str, list[Row]]:
    """Analyses, reviews and labels by the record that they judge."""
    return index.computed("children", _children)


def _children(index: LogIndex) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in index.rows:
        if row.kind in ("analysis", "review", "label"):
            found.setdefault(row.about, []).append(row)
    return found
