"""The append-only JSONL file of one problem: every record about it, found again by id without being kept in memory."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import LemmataError
from core.records import Record, from_json, to_json

_ID = re.compile(rb'\{"kind":"\w+","id":"([^"\\]+)"')  # the beginning of a line, as `encode` writes it


class ProblemLog:
    """Writes and finds the records of one problem. One writer at a time (the run's lock sees to that).

    A record is one line, and the records of one call go to the file in one ``write``: a killed process leaves all of
    them or none. A last line torn by a power loss is removed on opening, and its call is made again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise LemmataError(f"cannot open {path}: {error}. The same command resumes.") from error
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0
        for line, offset in complete_lines(path):
            self._places[_parse(line, path, offset)["id"]] = (offset, len(line))
            self._end = offset + len(line)
        os.ftruncate(self._file, self._end)

    def __contains__(self, record_id: str) -> bool:
        return record_id in self._places

    def ids(self) -> list[str]:
        """The ids of all records."""
        return list(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def get(self, record_id: str) -> Record:
        """The record of that id. Raises KeyError when there is none."""
        offset, length = self._places[record_id]
        return from_json(json.loads(os.pread(self._file, length, offset)))

    def append(self, records: Sequence[Record]) -> None:
        """Write records that belong together. Raises LemmataError, with the file as it was, when the disk is full."""
        lines = [encode(record) for record in records]
        block = b"".join(lines)
        try:
            written = os.write(self._file, block)
            if written != len(block):
                raise OSError(f"only {written} of {len(block)} bytes could be written")
        except OSError as error:
            os.ftruncate(self._file, self._end)
            raise LemmataError(
                f"cannot write {self.path}: {error}. Free some space and run the same command again: it resumes."
            ) from error
        for record, line in zip(records, lines, strict=True):
            self._places[record.id] = (self._end, len(line))
            self._end += len(line)

    def close(self) -> None:
        """Release the file."""
        os.close(self._file)


def encode(record: Record) -> bytes:
    """One JSON line of a record."""
    return json.dumps(to_json(record), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def complete_lines(path: Path) -> Iterator[tuple[bytes, int]]:
    """The whole lines of a log with their byte offsets; a torn last line (no newline, or no JSON) is left out."""
    offset = 0
    with path.open("rb") as file:
        line = file.readline()
        while line:
            following = file.readline()
            if following or _is_whole(line):
                yield line, offset
            offset += len(line)
            line = following


def read_log(path: Path) -> Iterator[Record]:
    """The records of a log in the order they were written; safe beside a running writer.

    Of several records with one id (a sample that was set aside and is asked for again) the last one counts.
    """
    return (record for record, _, _ in record_places(path))


def record_places(path: Path) -> Iterator[tuple[Record, int, int]]:
    """The records of `read_log` with their byte offset and length, for ``read_record``."""
    latest = {match[1]: offset for line, offset in complete_lines(path) if (match := _ID.match(line))}
    for line, offset in complete_lines(path):
        if (match := _ID.match(line)) and latest.get(match[1], offset) > offset:
            continue
        value = _parse(line, path, offset)
        try:
            yield from_json(value), offset, len(line)
        except LemmataError as error:
            raise LemmataError(f"{path}, byte {offset}: {error}") from error


def read_record(path: Path, offset: int, length: int) -> Record:
    """The record at a place that ``record_places`` gave."""
    with path.open("rb") as file:
        file.seek(offset)
        return from_json(json.loads(file.read(length)))


def _is_whole(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _parse(line: bytes, path: Path, offset: int) -> dict:
    try:
        value = json.loads(line)
        if not isinstance(value, dict) or not isinstance(value.get("id"), str):
            raise ValueError("not a record")
    except ValueError as error:
        raise LemmataError(
            f"{path} is damaged at byte {offset}: {error}. Delete that line (and the one of kind selection, if there "
            "is one) and run the same command again: what it held is made again, everything else is kept."
        ) from error
    return value
