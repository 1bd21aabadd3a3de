"""Changes between two proofs paragraph by paragraph, with the complaints that name what was changed. Pure functions."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from explorer.quotes import JudgeText, quotations

ALIKE = 0.45  # share of common words from which two paragraphs are versions of one
MAX_ALIGNED = 60  # paragraphs of one changed part that are compared with each other
MAX_EXCERPTS = 8  # of one complaint for one change
_TOGGLES = re.compile(r"\$\$|\\\[|\\\]|\\begin\{[^}]*\}|\\end\{[^}]*\}|```|~~~")
_WORD = re.compile(r"\w+|\\\w+|[^\w\s]")
_LINE = re.compile(r"\bline\s+(\d{1,4})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Paragraph of a text, from character ``start`` to ``end``."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ParagraphChange:
    """Part of a comparison: paragraphs of both texts. ``same``: they are equal but for spaces."""

    same: bool
    old: tuple[Paragraph, ...]
    new: tuple[Paragraph, ...]


@dataclass(frozen=True, slots=True)
class ParagraphComplaint:
    """Passages of an analysis, ``excerpts``, about one change."""

    analysis: str
    score: float | None
    excerpts: tuple[str, ...]


def paragraphs(text: str) -> list[Paragraph]:
    """Paragraphs of a text: between empty lines outside of displays and code; lines where it has no empty ones."""
    found = _pieces(text, lambda line: not line.strip())
    return found if len(found) > 1 else _pieces(text, lambda _: True)


def _pieces(text: str, ends: Callable[[str], bool]) -> list[Paragraph]:
    """Pieces that end after a line for which ``ends`` is true, outside of displays, environments and code."""
    found: list[Paragraph] = []
    start = position = depth = 0
    dollars = fence = False
    for line in text.splitlines(keepends=True):
        for mark in _TOGGLES.finditer(line):
            token = mark[0]
            if token in ("```", "~~~"):
                fence = not fence
            elif not fence and token == "$$":
                dollars = not dollars
            elif not fence:
                depth += 1 if token.startswith(("\\[", "\\begin")) else -1
        position += len(line)
        depth = max(depth, 0)
        if ends(line) and not (depth or dollars or fence):
            found += _paragraph(text, start, position)
            start = position
    return [*found, *_paragraph(text, start, len(text))]


def _paragraph(text: str, start: int, end: int) -> list[Paragraph]:
    piece = text[start:end]
    if not piece.strip():
        return []
    return [Paragraph(piece.strip("\n"), start + len(piece) - len(piece.lstrip("\n")), end)]


def changes(old: str, new: str) -> list[ParagraphChange]:
    """Changes from one text to another in order, with what stayed the same in between."""
    left, right = paragraphs(old), paragraphs(new)
    matcher = difflib.SequenceMatcher(None, [_plain(one) for one in left], [_plain(one) for one in right], False)
    found: list[ParagraphChange] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            found.append(ParagraphChange(True, tuple(left[a:b]), tuple(right[c:d])))
        else:
            found += _aligned(left[a:b], right[c:d])
    return found


def _plain(one: Paragraph) -> str:
    return " ".join(one.text.split())


def _aligned(old: Sequence[Paragraph], new: Sequence[Paragraph]) -> Iterator[ParagraphChange]:
    """Splits a changed part into versions of one paragraph, paragraphs that were removed, and ones that were added."""
    if not old or not new or max(len(old), len(new)) > MAX_ALIGNED:
        yield ParagraphChange(False, tuple(old), tuple(new))
        return
    a = b = 0
    for i, j in [*_matched(old, new), (len(old), len(new))]:
        if old[a:i] or new[b:j]:
            yield ParagraphChange(False, tuple(old[a:i]), tuple(new[b:j]))
        if i < len(old):
            yield ParagraphChange(False, (old[i],), (new[j],))
        a, b = i + 1, j + 1


def _matched(old: Sequence[Paragraph], new: Sequence[Paragraph]) -> list[tuple[int, int]]:
    """Pairs of similar paragraphs in increasing order, of the largest total similarity."""
    words = [[set(_WORD.findall(one.text)) for one in side] for side in (old, new)]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            alike = _alike(words[0][i], words[1][j])
            taken = alike + best[i + 1][j + 1] if alike >= ALIKE else 0.0
            best[i][j] = max(taken, best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(old) and j < len(new):
        alike = _alike(words[0][i], words[1][j])
        if alike >= ALIKE and best[i][j] == alike + best[i + 1][j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def _alike(left: set[str], right: set[str]) -> float:
    return 2 * len(left & right) / max(1, len(left) + len(right))


def complaints(
    found: Sequence[ParagraphChange], old: str, critiques: Iterable[JudgeText]
) -> tuple[dict[int, list[ParagraphComplaint]], list[str]]:
    """Complaints by the number of the change that they are about, and the ids of critiques that name no change.

    A paragraph of a critique is about a change where it quotes the old passage or names its line.
    """
    lines = _line_starts(old)
    by_change: dict[int, list[ParagraphComplaint]] = {}
    silent = []
    for critique in critiques:
        excerpts: dict[int, list[str]] = {}
        for part in paragraphs(critique.text):
            for number in _changes_of(part.text, found, old, lines):
                excerpts.setdefault(number, []).append(part.text)
        for number, texts in excerpts.items():
            complaint = ParagraphComplaint(critique.id, critique.score, tuple(texts[:MAX_EXCERPTS]))
            by_change.setdefault(number, []).append(complaint)
        if not excerpts:
            silent.append(critique.id)
    return by_change, silent


def _line_starts(text: str) -> list[int]:
    """Positions at which the lines of a text begin that are not empty: as critiques count them."""
    starts, position = [], 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            starts.append(position)
        position += len(line)
    return starts


def _changes_of(part: str, found: Sequence[ParagraphChange], old: str, lines: Sequence[int]) -> list[int]:
    """Numbers of the changes that a paragraph of a critique is about."""
    spans = [(passage.start, passage.end) for passage in quotations(old, part)]
    named = [int(number) for number in _LINE.findall(part)]
    spans += [(lines[number - 1], lines[number - 1] + 1) for number in named if 0 < number <= len(lines)]
    return [
        number
        for number, change in enumerate(found)
        if not change.same and any(start < one.end and one.start < end for one in change.old for start, end in spans)
    ]
