"""Scores as models write them: boxes, wrappers, fractions and points, and the scale that they are read on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_BOX = re.compile(r"\\boxed(?![A-Za-z])\s*+(\{?)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_CUT_OFF = tuple("\\boxed"[:length] for length in range(1, 7))
_FULL_WIDTH = {0xFF01 + offset: 0x21 + offset for offset in range(94)} | {0x3000: 0x20}

_STYLES = (
    r"text|text(?:bf|it|rm|sf|sl|tt|normal|up|md)|math(?:bf|it|rm|sf|tt|normal)|boldsymbol|bm|mbox|operatorname|boxed"
    r"|emph|underline|displaystyle|textstyle|bf|rm|it|sf|tt|tiny|small|normalsize|[lL]arge|LARGE|[hH]uge"
)
_WRAPPED = re.compile(
    rf"\\(?:{_STYLES})\s*\{{(?P<command>.*)\}}|\\(?:{_STYLES})(?![A-Za-z{{])\s*(?P<switch>.+)|\{{(?P<braces>.*)\}}"
    r"|\$(?P<math>.*)\$|\\\((?P<inline>.*)\\\)|\*\*(?P<bold>.*)\*\*|`(?P<code>.*)`|\"(?P<quotes>.*)\"",
    re.DOTALL,
)
_SPACING = re.compile(r"\\[,;:! ]|\\q?quad(?![A-Za-z])|~")
_NAME = r"(?:(?:final|overall|total)\s+){0,2}+(?:score|rating|grade|points?)\s*"
_LABEL = re.compile(rf"{_NAME}[:=]\s*|\\(?:text|textbf|mathrm)\s*\{{\s*{_NAME}[:=]?\s*\}}\s*[:=]?\s*", re.IGNORECASE)
_UNIT = re.compile(
    r"\s*(?:\\(?:text|mathrm|textrm|mbox)\s*\{\s*(?:points?|pts?\.?|marks?)\s*\}|points?|pts?|marks?|分)\s*",
    re.IGNORECASE,
)
_OUT_OF = re.compile(
    r"(?P<score>[^/]+?)\s*(?:/|\\?/|\bout\s+of\b|\bof\b)\s*(?P<most>[0-9]{1,3})(?:\.0*)?", re.IGNORECASE
)
LONGEST = 120  # characters of a box that may still be a score; bounds the work on nested wrappers

# Plain ASCII digits on purpose: `\d` and float() would take other scripts' digits, exponents and signs.
_HALF = re.compile(r"0?\.50*|0,50*|1\s*/\s*2|½|\\[tdc]?frac\s*(?:1|\{\s*1\s*\})\s*(?:2|\{\s*2\s*\})")
_WHOLE = re.compile(r"([1-9][0-9]{0,2}|0)(?:\.0*|,0+)?|\.0+")


class Box(NamedTuple):
    """The ``content`` of a box, from ``start`` to ``end`` of the text; None where the box never closes."""

    start: int
    end: int
    content: str | None


@dataclass(frozen=True, slots=True)
class Scale:
    """Scores from 0 to ``most``: whole numbers, and with ``halves`` also 0.5."""

    most: int
    halves: bool

    def __str__(self) -> str:
        return "0, 0.5, 1" if self.halves else f"a whole number from 0 to {self.most}"

    def read(self, text: str) -> float | None:
        """The score that ``text`` writes, None for anything else."""
        return _score(text, self.most, self.halves) if len(text) <= LONGEST else None


@lru_cache(maxsize=4096)  # an answer may repeat one box a hundred thousand times
def _score(text: str, most: int, halves: bool) -> float | None:
    text = unwrapped(text)
    parts = None if halves and _HALF.fullmatch(text) else _OUT_OF.fullmatch(text)
    if parts:
        text = parts["score"].strip() if int(parts["most"]) == most else ""
    if halves and _HALF.fullmatch(text):
        return 0.5
    whole = _WHOLE.fullmatch(text)
    score = float(whole[1] or 0) if whole else None
    return score if score is not None and score <= most else None


def plain_width(text: str) -> str:
    """``text`` with full-width letters, digits and signs in ASCII; every position stays."""
    return text.translate(_FULL_WIDTH)


def unwrapped(text: str) -> str:
    """A score's text without the label, unit and markup of text, mathematics and bold print around it."""
    while True:
        before, text = text, _SPACING.sub(" ", text).strip()
        if wrapped := _WRAPPED.fullmatch(text):
            text = wrapped[wrapped.lastgroup or 0]
        elif label := _LABEL.match(text):
            text = text[label.end() :]
        elif (unit := _trailing_unit(text)) is not None:
            text = text[:unit]
        if text == before:
            return text


def _trailing_unit(text: str) -> int | None:
    """The start of the unit at the end of ``text``."""
    return next((match.start() for match in _UNIT.finditer(text) if match.end() == len(text) and match.start()), None)


def boxes(text: str, start: int = 0) -> Iterator[Box]:
    """The outermost boxes from ``start`` on; also a number right after a ``\\boxed`` without braces.

    One that never closes is the last. The search is linear in the text.
    """
    position = start
    while match := _BOX.search(text, position):
        if not match[1]:
            bare = _UNBRACED.match(text, match.end())
            position = bare.end() if bare else match.end()
            yield Box(match.start(), position, bare[0] if bare else "")
            continue
        end = closing_brace(text, match.end())
        if end is None:
            yield Box(match.start(), len(text), None)
            return
        yield Box(match.start(), end + 1, text[match.end() : end])
        position = end + 1


def nested_boxes(text: str) -> Iterator[Box]:
    """All boxes that may hold a score, also those inside another or after one that never closes. Linear."""
    for match in _BOX.finditer(text):
        box = next(boxes(text[match.start() : match.end() + LONGEST]), None)
        if box is not None and box.content is not None:
            yield box


_UNBRACED = re.compile(r"[0-9.]{1,9}+(?:\s*/\s*[0-9]{1,3})?|½|\\[tdc]?frac\s*(?:1|\{\s*1\s*\})\s*(?:2|\{\s*2\s*\})")


def is_cut_off(text: str) -> bool:
    """True where the text ends at the start of a box."""
    return text.rstrip().endswith(_CUT_OFF)


def closing_brace(text: str, start: int) -> int | None:
    """Index of the brace that closes the one just before ``start``; escaped braces do not count."""
    depth = 1
    for match in _BRACE.finditer(text, start):
        if match[0] == "{":
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth == 0:
                return match.start()
    return None
