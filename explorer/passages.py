"""Passages: finds a quotation or a selection of a rendered text in its source.

A page shows another text than the source: Markdown is rendered, TeX is rewritten for KaTeX, spaces differ. Both are
compared by their letters and digits alone, without commands. `explorer/ui/static/passages.js` does the same in the
browser, where it finds a passage of the source on the page.
"""

import re
from dataclasses import dataclass

SEED = 12  # letters at the beginning and at the end by which a passage is found that differs in between
# What is skipped: commands, with the argument of those whose argument is rewritten, and the numbers of lists.
_LETTER = re.compile(
    r"\\(?:begin|end|label|tag\*?|operatorname\*?|ref|eqref)\s*\{[^{}]*\}|\\quad\(\\text\{[^{}]*\}\)|\\[A-Za-z]+"
    r"|^[ >]*\d{1,9}[.)] |([^\W_])",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Passage:
    """Part of a text, from character ``start`` to ``end``."""

    text: str
    start: int
    end: int


def letters(text: str) -> tuple[str, list[int]]:
    """Letters and digits of a text in lower case, and the position of each."""
    found = [(match[1].lower()[0], match.start()) for match in _LETTER.finditer(text) if match[1]]
    return "".join(letter for letter, _ in found), [position for _, position in found]


def find_passage(source: str, quote: str, near: float = 0.0) -> Passage | None:
    """Passage of ``source`` that ``quote`` repeats; of several the one nearest to the share ``near`` of the source.

    Returns None where the source does not contain it.
    """
    wanted, _ = letters(quote)
    known, positions = letters(source)
    if not wanted:
        return None
    place = _nearest(known, wanted, near * len(known)) or _by_ends(known, wanted, near * len(known))
    if place is None:
        return None
    start, end = positions[place[0]], positions[place[1] - 1] + 1
    start, end = _with_delimiters(source, start, end)
    return Passage(source[start:end], start, end)


def _nearest(known: str, wanted: str, near: float) -> tuple[int, int] | None:
    starts, position = [], known.find(wanted)
    while position >= 0:
        starts.append(position)
        position = known.find(wanted, position + 1)
    start = min(starts, key=lambda found: abs(found - near), default=None)
    return None if start is None else (start, start + len(wanted))


def _by_ends(known: str, wanted: str, near: float) -> tuple[int, int] | None:
    """Place of a passage whose beginning and end are known, for a text that was rewritten in between."""
    if len(wanted) < 2 * SEED:
        return None
    first, last = _nearest(known, wanted[:SEED], near), _nearest(known, wanted[-SEED:], near + len(wanted))
    if first is None or last is None or not 0 < last[1] - first[0] < 2 * len(wanted):
        return None
    return first[0], last[1]


_FORMULA = re.compile(r"\\\(.*?\\\)|\\\[.*?\\\]|\$\$.*?\$\$|\$[^$\n]*\$", re.DOTALL)


def _with_delimiters(source: str, start: int, end: int) -> tuple[int, int]:
    """Widens a passage to whole formulas, and by the punctuation at its ends, so that it can be read by itself."""
    for formula in _FORMULA.finditer(source):
        if formula.start() < start < formula.end():
            start = formula.start()
        if formula.start() < end < formula.end():
            end = formula.end()
    while start and source[start - 1] in '*_(["“':
        start -= 1
    while end < len(source) and source[end] in '*_)]"”.,;:!?':
        end += 1
    return start, end
