"""Quotations: the passages of a proof that its analyses quote, and how many judges stopped there. Pure functions."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from explorer.passages import Passage, find_passage, letters

MIN_LETTERS = 12  # of a quotation: shorter ones are found by chance
MAX_QUOTES = 12  # of one analysis
_QUOTES = re.compile(
    r"“([^”]{8,600})”|\"([^\"]{8,600})\"|„([^“]{8,600})“|«([^»]{8,600})»|「([^」]{4,600})」|`([^`\n]{8,600})`"
    r"|^ {0,3}> ?([^\n]{8,600})|\\\[(.{8,600}?)\\\]|\\\((.{12,600}?)\\\)|\$\$(.{8,600}?)\$\$|\$([^$\n]{12,600})\$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class JudgeText:
    """An analysis: its id, its verdict and its text."""

    id: str
    score: float | None
    text: str


@dataclass(frozen=True, slots=True)
class QuotedPassage:
    """Passage of a proof. ``analyses``: ids of those that quote it; ``stops``: how many of them report an issue."""

    passage: Passage
    analyses: tuple[str, ...]
    stops: int


def quotations(proof: str, analysis: str) -> list[Passage]:
    """Passages of a proof that an analysis quotes, in quotation marks, as a quotation or as a formula."""
    found: dict[tuple[int, int], Passage] = {}
    for match in _QUOTES.finditer(analysis):
        words = next(group for group in match.groups() if group)
        if len(letters(words)[0]) >= MIN_LETTERS and (passage := find_passage(proof, words)):
            found.setdefault((passage.start, passage.end), passage)
        if len(found) >= MAX_QUOTES:
            break
    return list(found.values())


def quoted_passages(proof: str, analyses: Iterable[JudgeText]) -> list[QuotedPassage]:
    """Passages that analyses quote, in the order of the proof; those that overlap are one."""
    marks = sorted(
        ((passage.start, passage.end, judge) for judge in analyses for passage in quotations(proof, judge.text)),
        key=lambda mark: mark[:2],
    )
    groups: list[tuple[int, int, list[JudgeText]]] = []
    for start, end, judge in marks:
        if groups and start < groups[-1][1]:
            groups[-1] = (groups[-1][0], max(end, groups[-1][1]), [*groups[-1][2], judge])
        else:
            groups.append((start, end, [judge]))
    return [_quoted(proof, *group) for group in groups]


def _quoted(proof: str, start: int, end: int, judges: Sequence[JudgeText]) -> QuotedPassage:
    distinct = {judge.id: judge for judge in judges}
    stops = sum(judge.score is not None and judge.score < 1.0 for judge in distinct.values())
    return QuotedPassage(Passage(proof[start:end], start, end), tuple(distinct), stops)
