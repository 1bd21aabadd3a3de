r"""Emphasis of Markdown: which stars are markup and which are products.

``2*3*4`` and ``(n-1)*(n+1)*n`` keep their stars. ``**bold**`` is bold beside Chinese, too, where CommonMark sees the
punctuation inside and takes the closing stars for opening ones: an invisible joiner stands between.
"""

import re
from dataclasses import dataclass
from unicodedata import category

from explorer.inert_text import JOINER

_ALNUM = re.compile(r"[A-Za-z0-9]")
_LIST = r"(?:(?:[-*+]|\d{1,9}[.)]) +)"
_FENCE = rf"^[ >]*{_LIST}*(?P<mark>`{{3,}}|~{{3,}})[^\n]*\n(?:.*?\n)??[ >]*(?P=mark)[^\n]*(?=\n|\Z)"
_DISPLAY = rf"^[ >]*{_LIST}*\$\$\n.*?\n[ >]*\$\$$"
_CODE = r"(?P<ticks>(?<!`)`+(?!`)).*?(?<!`)(?P=ticks)(?!`)"
_MARKER = rf"^[ >]*{_LIST}+|^[ >]*#+ |^[ >]*\*(?: *\*)+ *$|\n[ >]*(?=\n)"
_PIECES = re.compile(
    rf"(?P<block>{_FENCE}|{_DISPLAY}|{_MARKER})|(?P<inside>{_CODE}|\\.|\$(?!\$)[^$]+?\$)|(?P<stars>\*+)",
    re.MULTILINE | re.DOTALL,
)
_OPERANDS = (")", "]", "}", "$", "'", "!")  # a star behind one of these is a product


@dataclass(slots=True)
class _Run:
    """Stars at ``start``; ``markup``: what they are written as."""

    start: int
    length: int
    opens: bool
    closes: bool
    markup: str


def resolve_emphasis(markdown: str) -> str:
    """Escapes stars that are no emphasis, and makes those that are safe beside any character."""
    runs: list[_Run] = []
    waiting: list[_Run] = []
    for piece in _PIECES.finditer(markdown):
        if piece["stars"]:
            run = _run(markdown, piece.start(), piece.end())
            runs.append(run)
            _pair(markdown, run, waiting)
        elif piece["block"] is not None:
            waiting.clear()  # emphasis ends with its block
    parts, position = [], 0
    for run in runs:
        parts += [markdown[position : run.start], run.markup]
        position = run.start + run.length
    return "".join([*parts, markdown[position:]])


def _run(text: str, start: int, end: int) -> _Run:
    before, after, length = text[start - 1 : start], text[end : end + 1], end - start
    outside_left = not _ALNUM.match(before) and before not in (
        [")", "]", "}", "$", "'", "!"] if length == 1 else ["\\"]
    )
    outside_right = not _ALNUM.match(after) and not (length == 1 and after == "$")
    opens = length <= 3 and bool(after.strip()) and outside_left
    closes = length <= 3 and bool(before.strip()) and outside_right
    return _Run(start, length, opens, closes, r"\*" * length)


def _pair(text: str, run: _Run, waiting: list[_Run]) -> None:
    """Pairs stars that close with those that opened; the ones between are no markup."""
    if run.closes:
        place = next((at for at in range(len(waiting) - 1, -1, -1) if waiting[at].length == run.length), None)
        both = run.length == 3 and sorted(one.length for one in waiting[-2:]) == [1, 2]
        if both or place is not None:
            opened = waiting[-2:] if both else [waiting[place or 0]]
            for one in opened:
                one.markup = _opening(text, one)
            run.markup = _closing(text, run)
            del waiting[len(waiting) - 2 if both else place :]
            return
    if run.opens:
        waiting.append(run)


def _is_punctuation(char: str) -> bool:
    return bool(char) and category(char)[0] in "PS"


def _opening(text: str, run: _Run) -> str:
    before, after = text[run.start - 1 : run.start], text[run.start + run.length]
    apart = not before.strip() or _is_punctuation(before)
    return "*" * run.length + (JOINER if _is_punctuation(after) and not apart else "")


def _closing(text: str, run: _Run) -> str:
    before, after = text[run.start - 1], text[run.start + run.length : run.start + run.length + 1]
    apart = not after.strip() or _is_punctuation(after)
    return (JOINER if _is_punctuation(before) and not apart else "") + "*" * run.length
