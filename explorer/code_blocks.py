"""Blocks of a text: fenced code apart from the rest, and no code by indentation."""

import re
from collections.abc import Iterator

from explorer.inert_text import separated

_FENCE = re.compile(r"[ >]*(?:(?:[-*+]|\d{1,9}[.)]) +)*(`{3,}|~{3,})")


def split_code(text: str) -> Iterator[tuple[bool, str]]:
    """Yields fenced code as (True, Markdown) and the rest as (False, text)."""
    lines, start, position = text.split("\n"), 0, 0
    while position < len(lines):
        end = _fence_end(lines, position)
        if end is None:
            position += 1
            continue
        if position > start:
            yield False, "\n".join(lines[start:position]) + "\n"
        yield True, _code_block(lines[position : end + 1]) + ("\n" if end + 1 < len(lines) else "")
        start = position = end + 1
    if start < len(lines):
        yield False, "\n".join(lines[start:])


def _fence_end(lines: list[str], start: int) -> int | None:
    """Number of the line that closes a fence opened on line ``start``; None where none opens or closes."""
    opened = _FENCE.match(lines[start])
    if opened is None or "`" in lines[start][opened.end() :]:
        return None
    close = re.compile(rf"[ >]*{re.escape(opened[1][0])}{{{len(opened[1])},}} *$")
    return next((number for number in range(start + 1, len(lines)) if close.match(lines[number])), None)


def _code_block(lines: list[str]) -> str:
    opened = _FENCE.match(lines[0])
    assert opened is not None
    return "\n".join([lines[0][: opened.end()], *(separated(line) for line in lines[1:-1]), lines[-1].rstrip()])


_MARKER = re.compile(r" *(?:[-*+]|\d{1,9}[.)]) +")


def without_stray_indents(text: str) -> str:
    """Limits the indent of lines outside of lists to three blanks: models do not mean code by indenting."""
    room, blank, lines = 0, True, []
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        if line.strip():
            if not indent and blank and not _MARKER.match(line):
                room = 0
            line = line[max(0, indent - room - 3) :]  # noqa: PLW2901
            while_marked = _MARKER.match(line)
            room = while_marked.end() if while_marked else room
        blank = not line.strip()
        lines.append(line)
    return "\n".join(lines)
