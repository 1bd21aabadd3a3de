"""Search in the texts of a run: statements, proofs, analyses, reviews. Only lines that may match are parsed."""

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.records import Problem
from explorer.index import LogIndex

FIELDS = {
    "problem": ("statement", "reference", "guidelines", "answer", "name"),
    "proof": ("text", "reasoning"),
    "analysis": ("text", "reasoning"),
    "review": ("text", "reasoning"),
}
AROUND = 90  # characters of a text on both sides of a hit
CHUNK = 64  # lines parsed between two checks of the time


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that contains the words. ``before``, ``found``, ``after``: the first place; ``count``: all places."""

    problem_id: str
    kind: str
    id: str
    about: str
    before: str
    found: str
    after: str
    count: int


def statement_of(log: LogIndex) -> str:
    """Statement of a problem; empty where its line is damaged. Kept in memory."""
    return log.computed("statement", _statement)


def _statement(log: LogIndex) -> str:
    rows = log.of_kind("problem")
    record = log.read(rows[0]) if rows else None
    return record.statement if isinstance(record, Problem) else ""


def search(
    logs: Sequence[LogIndex], words: str, kinds: Collection[str], *, limit: int, seconds: float
) -> tuple[list[Hit], int]:
    """Records whose texts contain ``words`` (in any case), and the number of logs that were searched.

    Ends at ``limit`` hits, or between two logs after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    found: list[Hit] = []
    for place, log in enumerate(logs):
        if len(found) >= limit or time.monotonic() > deadline:
            return found[:limit], place
        found += _in_log(log, words.casefold(), kinds)
    return found[:limit], len(logs)


def _in_log(log: LogIndex, words: str, kinds: Collection[str]) -> Iterator[Hit]:
    try:
        text = log.path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    needle = json.dumps(words, ensure_ascii=False)[1:-1]
    if needle not in text.casefold():
        return
    for line in text.splitlines():
        if needle in line.casefold() and (hit := _hit(log, line, words, kinds)):
            yield hit


def _hit(log: LogIndex, line: str, words: str, kinds: Collection[str]) -> Hit | None:
    try:
        value: Mapping[str, Any] = json.loads(line)
        kind, name = value["kind"], value["id"]
    except (ValueError, KeyError, TypeError):
        return None  # a damaged line; the pages of its problem say so
    if kind not in kinds or name not in log.by_id:
        return None
    texts = [str(value[field]) for field in FIELDS[kind] if value.get(field)]
    text = next((one for one in texts if words in one.casefold()), None)
    if text is None:
        return None
    count = sum(one.casefold().count(words) for one in texts)
    at = text.casefold().find(words)
    end = at + len(words)
    about = log.by_id[name].about
    return Hit(
        log.problem_id, kind, name, about, text[max(0, at - AROUND) : at], text[at:end], text[end : end + AROUND], count
    )
