"""Headings of a prover's answer as models write them: marked, numbered, bold, in LaTeX, alone on a line, in Chinese."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class SectionHeading(NamedTuple):
    """A heading from ``start`` to ``end``; ``level`` is 1 to 6 for `#` to `######`, above for weaker marks."""

    start: int
    end: int
    level: int
    title: str


_BOLD, _ALONE = 7, 8
_NUMBER = (
    r"(?:(?:(?:part|section)[ \t]+)?(?:[0-9]{1,2}|[ivx]{1,4}|[a-e]|[一二三])[.):、．][ \t]*+|[\u2460-\u2464][ \t]*+)?"
)
_STEP = (
    rf"(?:(?:step|phase|stage|part|section)[ \t]+[0-9a-z]{{1,2}}[ \t]*[.):\u2013\u2014-][ \t]*+"
    rf"|\([a-z0-9]{{1,2}}\)[ \t]*+|[0-9]{{1,2}}(?:\.[0-9]{{1,2}})*[ \t]+|{_NUMBER})"
)
_LISTED = r"(?:(?:[>*+-]|[0-9]{1,2}[.)])[ \t]+)?"
_OPEN, _CLOSE = r"(?:[\[{<=|*_]{1,3}[ \t]*+)?", r"(?:[ \t]*+[\]}>=|*_]{1,3})?"
_SCORE = r"(?=[ \t:：*_]{1,6}(?:\\boxed\{)?[0-9]{1,2}(?:[./][0-9]{1,2})?\}?[ \t\r.。*_]*+$)"
_SYMBOL = r"(?:[^\w\s*#\\]{1,3}+[ \t]*+)?"
_UNDERLINE = r"(?:\r?\n {0,3}(?:={3,}+|-{3,}+)[ \t\r]*+$)?"
_LATEX = r"\\(?:(?:sub){0,2}section\*?|paragraph\*?|textbf|underline)\{"


@dataclass(frozen=True, slots=True)
class Headings:
    """Search for the lines that are nothing but one of some titles as a heading.

    Each run of markers is one possessive class, so that a line of many spaces is scanned once.
    """

    marked: re.Pattern[str]
    alone: re.Pattern[str] | None

    @classmethod
    def of(cls, marked: str, alone: str | None = None, *, loose: bool = False) -> "Headings":
        """Headings with a title ``marked`` after a mark, or ``alone`` without any; both are regular expressions.

        ``loose``: also in a list, a quotation or brackets, as a step, and with a score behind it on the line.
        """
        listed, number = (_LISTED, _STEP) if loose else ("", _NUMBER)
        opened, closed, score = (_OPEN, _CLOSE, f"|{_SCORE}") if loose else ("", "", "")
        mark = rf"(?P<mark>#{{1,6}}|\*\*|__|{_LATEX})"
        end = rf"(?:[ \t\r:：.。*_#}}]*+${_UNDERLINE}{score})"
        line = rf"^ {{0,3}}{listed}{mark}[ \t*_]*+{_SYMBOL}{number}(?P<title>{marked}){end}"
        plain = rf"^ {{0,3}}{listed}{opened}{number}(?P<title>{alone}){closed}{end}" if alone else None
        flags = re.IGNORECASE | re.MULTILINE
        return cls(re.compile(line, flags), re.compile(plain, flags) if plain else None)

    def find(self, text: str, start: int = 0) -> Iterator[SectionHeading]:
        """Every heading from ``start`` on, in order."""
        found = [_heading(match) for match in self.marked.finditer(text, start)]
        if self.alone is not None:
            found += [_heading(match) for match in self.alone.finditer(text, start)]
        yield from sorted(found)


def _heading(match: re.Match[str]) -> SectionHeading:
    mark = match.groupdict().get("mark")
    level = _ALONE if mark is None else len(mark) if mark[0] == "#" else _BOLD
    return SectionHeading(match.start(), match.end(), level, re.sub(r"[\W_]+", "", match["title"]).casefold())


_WORK = r"(?:solution|proof|answer|attempt|work)"
_JUDGED = (
    r"(?:evaluation|assessment|review|critique|verification|check|grading|reflection|analysis|judge?ment|rating|score"
    r"|appraisal)"
)
_OWN = rf"(?:[ \t]+(?:of|for|on)[ \t]+(?:the|my|this)(?:[ \t]+own)?[ \t]+{_WORK})?"
_KIND = (
    r"(?:(?:final|my|own|critical|honest|brief|short|detailed|overall|careful|confidence)[ \t]+"
    r"(?:(?:and|&)[ \t]+)?){0,3}"
)
_AND = rf"(?:[ \t]*(?:and|&|/|\+)[ \t]*(?:my[ \t]+|final[ \t]+)?(?:{_JUDGED}|confidence|verdict))?"
_AFTER = r"(?:[ \t]*\([^()\n]{0,60}\))?(?:[ \t]*[^\w\s(*_:.#}\]>=]{1,3})?"
_SELF = rf"{_KIND}self[ \t\u00a0_\-\u2010-\u2013]?{_JUDGED}{_OWN}{_AND}{_AFTER}"
_ELSEWHERE = (
    r"selbst(?:bewertung|einschätzung|beurteilung|evaluation)|auto-?[ée]valuation|autoevaluaci[oó]n|autoavaliação"
    r"|autovalutazione|самооценка|自己評価"
)
_OWN_WORK = rf"{_JUDGED}[ \t]+of[ \t]+my[ \t]+(?:own[ \t]+)?{_WORK}"
_CHINESE_SELF = (
    r"(?:对(?:解答|证明|本解答|本证明)的)?(?:自我(?:评价|评估|评分|检查|评判|审查|反思)|自评估|自评)"
    r"(?:[与和及](?:打分|评分))?"
)
_EVALUATION = rf"(?:my[ \t]+)?evaluation(?:[ \t]+of[ \t]+(?:the|this)[ \t]+{_WORK})?|评价|评估"
_SOLUTION = (
    r"(?:(?:my|full|complete|detailed|final|formal|proposed)[ \t]+)?solution"
    r"(?:[ \t]+(?:and|with)[ \t]+proof|[ \t]*\(proof\)|[ \t]*/[ \t]*proof)?|proof[ \t]*/[ \t]*solution"
)
_CHINESE_SOLUTION = r"解答|解答过程|解题过程|解法|解|证明|证明过程|完整解答"

SOLUTION = Headings.of(rf"{_SOLUTION}|{_CHINESE_SOLUTION}", rf"solution|{_CHINESE_SOLUTION}")
SELF_EVALUATION = Headings.of(
    rf"{_SELF}|{_OWN_WORK}|{_CHINESE_SELF}|{_ELSEWHERE}", rf"{_SELF}|{_CHINESE_SELF}|{_ELSEWHERE}", loose=True
)
# Any short marked line about the prover's own work, where no heading of the forms above is there.
_BEFORE = r"(?:[^\W\d_]{1,15}[ \t]+){0,3}"
_VERB = r"shows?|gives?|is|are|was|implies|yields|holds|equals|proves|of[ \t]+[a-z](?![a-z])"
_BEHIND = rf"(?:[ \t]+(?!(?:{_VERB})(?![a-z]))[^\W_]{{1,15}}){{0,3}}"
OWN_WORK = Headings.of(rf"{_BEFORE}self[ \t\u00a0_\-\u2010-\u2013]?{_JUDGED}(?:\*\*)?{_BEHIND}{_AFTER}", loose=True)
UNNAMED_EVALUATION = Headings.of(rf"{_EVALUATION}|my[ \t]+(?:own[ \t]+)?{_JUDGED}|reflection|critique|confidence")
