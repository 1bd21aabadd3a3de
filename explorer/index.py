"""Index of a problem's log: one small row per record, without texts, with the record's offset in the file.

A log is append-only, so a refresh reads only what was appended. A page reads in full only the records that it shows.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from core.errors import LemmataError
from core.labels import labels_path
from core.log import read_record
from core.records import KINDS, Record
from evaluation.graded_proofs import groups_of
from refine.acceptance import AcceptanceConfig
from verifier.aggregate import text_digest

T = TypeVar("T")
LINES_PER_CHECK = 200  # lines read between two checks of the deadline
NO_PROOF = ("empty proof", "a <think> never closes")


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record without its texts. ``about``: id of the proof or analysis that it judges; ``size``: characters of text.

    ``score``: self-score of a proof, verdict of an analysis, review or label, mean of a selection; ``fault``: reason
    why there is none. ``value``: the other short fields by name. ``of_person``: it is in the file of labels.
    ``index``: number of the sample; ``digest``: names the words of an analysis, so that copies are known.
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
    of_person: bool = False
    index: int = 0
    digest: str = ""


KEPT = {
    "problem": ("name", "source"),
    "proof": ("finish_reason", "model", "template"),
    "label": (
        *("grader", "author", "points", "max_points", "reason", "analysis_id", "proof_id"),
        *("passage", "passage_start", "passage_end"),
    ),
    "report": ("author", "reason"),
    "withdrawal": ("author",),
    "selection": ("proof_id", "accepted", "rule", "reason", "rounds", "verdicts"),
    "refusal": ("role", "error"),
}


def row_of(value: Mapping[str, Any], offset: int, length: int, *, of_person: bool = False) -> RecordRow:
    """Builds the row of a record's JSON value. Raises LemmataError for a value that is not a record of this schema.

    A record with an ``answer_id`` is part of a trace, of whatever kind it is.
    """
    kind = value.get("kind", "")
    if (kind not in KINDS and "answer_id" not in value) or not isinstance(value.get("id"), str):
        raise LemmataError(f"unknown record kind {kind!r}")
    usage = value.get("usage") or {}
    return RecordRow(
        kind=kind,
        id=value["id"],
        offset=offset,
        length=length,
        about=value.get("analysis_id") or value.get("proof_id") or value.get("withdrawn_id") or "",
        parents=tuple(value.get("parents") or ()),
        round=value.get("round") or 0,
        score=value.get({"proof": "self_score", "selection": "mean_score"}.get(kind, "score")),
        fault="; ".join(value.get("faults") or ()) or value.get("fault") or "",
        size=len(value.get("text") or ""),
        tokens=usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0),
        cost=usage.get("cost", 0.0),
        created=value.get("created") or "",
        value=_kept(kind, value),
        of_person=of_person,
        index=value.get("index") or 0,
        digest=text_digest(value.get("text") or "", value.get("reasoning")) if kind == "analysis" else "",
    )


def _kept(kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Short fields of a record; of a problem also its category, level and part."""
    kept = {name: value[name] for name in KEPT.get(kind, ()) if value.get(name) is not None}
    if kind == "problem" and (groups := groups_of(str(value.get("name", "")), value.get("extra") or {})):
        kept["groups"] = groups
    if isinstance(value.get("answer_id"), str):
        kept["answer_id"] = value["answer_id"]
    return kept


@dataclass(frozen=True, slots=True)
class RunRule:
    """Rule by which a run accepts a proof; None where it judges nothing. ``searched``: it ends with a selection."""

    acceptance: AcceptanceConfig | None = None
    searched: bool = False


NO_RULE = RunRule()
REPLACED = ("refusal", "selection")  # kinds whose records a later line replaces: retry=refused


class _Tail:
    """The end of a file that grows: yields the lines that were appended since the last reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0  # bytes that were read
        self.torn = ""
        self.stamp: tuple[int, int] | None = None

    @property
    def is_stale(self) -> bool:
        """True where the file has changed since it was read."""
        return stamp_of(self.path) != self.stamp

    def lines(self, deadline: float) -> Iterator[tuple[bytes, int]]:
        """Yields complete lines with their offsets until the deadline (of time.monotonic)."""
        stamp = stamp_of(self.path)
        self.torn = ""
        with self.path.open("rb") as file:
            file.seek(self.end)
            for number, line in enumerate(file):
                if number % LINES_PER_CHECK == LINES_PER_CHECK - 1 and time.monotonic() > deadline:
                    return
                if not line.endswith(b"\n"):
                    self.torn = (
                        f"{self.path.name}: the last line is incomplete ({len(line)} bytes): it is being written, or "
                        "the run was interrupted. Running the same command again repeats that call."
                    )
                    break
                yield line, self.end
                self.end += len(line)
        self.stamp = stamp


class LogIndex:
    """Rows of one log in the order of writing, then those of its labels.

    ``notes``: messages about lines that could not be read. ``rule``: that by which the run accepts a proof.
    """

    def __init__(self, path: Path, rule: RunRule = NO_RULE) -> None:
        self.path = path
        self.rule = rule
        self._reset()

    @property
    def problem_id(self) -> str:
        """Id of the problem, which is the name of the file."""
        return self.path.stem

    @property
    def messages(self) -> list[str]:
        """Messages about lines that could not be read."""
        return [*self.notes, self._log.torn] if self._log.torn else list(self.notes)

    @property
    def is_stale(self) -> bool:
        """True where the log or its labels have changed since they were read."""
        return self._log.is_stale or self._labels.is_stale

    @property
    def share(self) -> float:
        """Share of the log that is indexed."""
        stamp = stamp_of(self.path)
        return min(1.0, self._log.end / stamp[1]) if self._log.is_stale and stamp and stamp[1] else 1.0

    def refresh(self, deadline: float = math.inf) -> None:
        """Reads what was appended since the last refresh; starts over where a file has become shorter.

        Stops at ``deadline`` (of time.monotonic); the next call continues there.
        """
        if not self.is_stale:
            return
        stamp, labels = stamp_of(self.path), stamp_of(self._labels.path)
        if stamp is None:
            self._reset()
            self.notes = [f"{self.path.name} is missing: the log of this problem was moved or deleted."]
            return
        if stamp[1] < self._log.end or (labels[1] if labels else 0) < self._labels.end:
            self._reset()
        for line, offset in self._log.lines(deadline):
            self._add(line, offset, of_person=False)
        if labels and not self._log.is_stale:
            for line, offset in self._labels.lines(deadline):
                self._add(line, offset, of_person=True)

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
        """True where the files may contain a record whose id starts with ``beginning``; the records are not parsed."""
        needle = f'"id":"{beginning}'.encode()
        return any(needle in path.read_bytes() for path in (self.path, self._labels.path) if path.is_file())

    def read(self, row: RecordRow) -> Record:
        """Reads a record in full. Raises LemmataError where the file was replaced or deleted after it was indexed."""
        path = self._labels.path if row.of_person else self.path
        try:
            return read_record(path, row.offset, row.length)
        except (OSError, ValueError) as error:
            raise LemmataError(f"{path.name} has changed since it was indexed ({error}); reload the page") from error

    def value(self, row: RecordRow) -> dict[str, Any]:
        """JSON value of a record as it is in the file. Raises LemmataError as `read`."""
        path = self._labels.path if row.of_person else self.path
        try:
            with path.open("rb") as file:
                file.seek(row.offset)
                value = json.loads(file.read(row.length))
        except (OSError, ValueError) as error:
            raise LemmataError(f"{path.name} has changed since it was indexed ({error}); reload the page") from error
        return value

    def _reset(self) -> None:
        self.rows: list[RecordRow] = []
        self.by_id: dict[str, RecordRow] = {}
        self.notes: list[str] = []
        self._log, self._labels = _Tail(self.path), _Tail(labels_path(self.path))
        self.exact: dict[str, float | None] = {}  # scores by the lab's checker, of the proofs that were checked
        self._computed: dict[str, tuple[int, Any]] = {}

    def _add(self, line: bytes, offset: int, *, of_person: bool) -> None:
        try:
            row = row_of(json.loads(line), offset, len(line), of_person=of_person)
        except (ValueError, AttributeError, TypeError, LemmataError) as error:
            self.notes.append(f"{self.path.name} is damaged at byte {offset}: {error}. The line is not shown.")
            return
        known = self.by_id.get(row.id)
        if known is not None and known.kind in REPLACED:
            self.rows.remove(known)
        elif known is not None:
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
    """Analyses, reviews and labels in effect by the id of the record that they judge."""
    return index.computed("children", _children)


def withdrawn(index: LogIndex) -> frozenset[str]:
    """Ids of the labels and reports that their authors withdrew."""
    return index.computed("withdrawn", lambda log: frozenset(row.about for row in log.of_kind("withdrawal")))


def _children(index: LogIndex) -> Mapping[str, list[RecordRow]]:
    found: dict[str, list[RecordRow]] = {}
    gone = withdrawn(index)
    for row in index.rows:
        if row.kind in ("analysis", "review", "label") and row.id not in gone:
            found.setdefault(row.about, []).append(row)
    return found
