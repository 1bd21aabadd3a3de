"""Preference of a judge between two proofs: the choice after its closing phrase, or the reason why there is none."""

import re
from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

from core.announcements import is_conditional, phrase_pattern
from core.closing import QUOTATION
from core.quotation import may_be_quotation
from core.rubric import ParseFailure, answer_part
from core.score_text import LONGEST, boxes, is_cut_off, plain_width, unwrapped

# The score of a comparison: 1 where the first proof (A) is better, 0 where the second one (B) is.
CHOICES: Mapping[str, float] = {"A": 1.0, "B": 0.0, "equal": 0.5}
_PROOF = r"(?:proof|solution|attempt|answer|candidate)"
_EQUAL = r"(?:equal(?:ly good)?|neither|both|(?:a )?tie|same)"
_CLOSING = phrase_pattern(
    rf"(?:the )?better {_PROOF}(?: is)?",
    r"(?:final )?(?:verdict|choice|decision|preference|winner)(?: is)?",
    r"(?:i|we) (?:prefer|choose|select|pick)",
)
_MARKS = r"(?:[\s*_`\"'$>#:：(\[\u201c\u2018]|\\[(\[]){0,12}+"
_NAMED = re.compile(rf"{_MARKS}(?:(?i:{_PROOF}){_MARKS})?([AB]|(?i:{_EQUAL}))(?![A-Za-z0-9])")
_OTHERS = re.compile(
    r"[^A-Za-z0-9\n]{0,6}(?:or|and|vs)?[^A-Za-z0-9\n]{1,6}(?:[Pp]roof[^A-Za-z0-9\n]{1,3})?[AB](?![A-Za-z0-9'’])"
)
_IS_BETTER = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?i:{_PROOF})\s+)?[*_`\"']{{0,3}}([AB])[*_`\"']{{0,3}}\s+is\s+(?:(?!not\b|no\b)[a-z]+\s+){{0,3}}?"
    r"(?:better|stronger|superior)(?![A-Za-z])"
)


class _Choice(NamedTuple):
    """A choice of the answer with its place."""

    start: int
    end: int
    score: float


def read_choice(text: str) -> float | None:
    """The score that a short text chooses (`CHOICES`): ``A``, ``Proof B``, ``\\text{equal}``; None for others."""
    if len(text) > LONGEST:
        return None
    word = unwrapped(text).strip(" \t\n.。*_`")
    word = re.sub(rf"^(?i:(?:better\s+)?{_PROOF})\s*[:=]?\s*", "", word)
    if re.fullmatch(_EQUAL, word, re.IGNORECASE):
        return CHOICES["equal"]
    return CHOICES.get(word.upper()) if len(word) == 1 else None


def parse_preference(text: str, *, quoted: str = "") -> float | ParseFailure:
    """The preference of a judge's answer: 1 for proof A, 0 for proof B, 0.5 where neither is better.

    The choice after the last closing phrase counts; without one, the sentences that call a proof the better one; else
    the last box. Different choices there are a failure. A choice that stands word for word in ``quoted``, the two
    proofs, may be a mere quotation, and is one unless the answer states it once more.
    """
    answer = answer_part(text)
    if answer is None:
        return ParseFailure("a <think> never closes: the answer was cut off in its thoughts")
    answer, quoted = plain_width(answer), plain_width(quoted)
    if is_cut_off(answer):
        return ParseFailure("the answer was cut off at the start of a box")
    boxed = _boxed(answer)
    found = _closing(answer, boxed) or _called_better(answer, 0)
    if not found:
        return _last_box(boxed, quoted)
    if len({one.score for one in found}) > 1:
        return ParseFailure("different choices after the closing phrase")
    if any(may_be_quotation((answer[one.start : one.end],), answer, quoted) for one in found[:1]):
        return ParseFailure(QUOTATION)
    return found[0].score


def _closing(answer: str, boxed: list[_Choice]) -> list[_Choice]:
    """The choices after the last closing phrase that a choice follows; the first one begins with the phrase."""
    for phrase in reversed(list(_CLOSING.finditer(answer))):
        if is_conditional(answer, phrase.start()):
            continue
        named = _NAMED.match(answer, phrase.end())
        found = boxed[bisect_left(boxed, phrase.end(), key=lambda one: one.start) :]
        if named is not None:
            score = read_choice(named[1])
            assert score is not None
            found = [_Choice(phrase.start(), named.end(), score), *found, *_another(answer, named.end(), score)]
        elif found:
            found[0] = found[0]._replace(start=phrase.start())
        if found:
            return found + _called_better(answer, phrase.end())
    return []


def _another(answer: str, end: int, score: float) -> list[_Choice]:
    """The opposite of a choice that another one follows: "A or B", "neither, but B"."""
    line = answer[end : end + 200].partition("\n")[0]
    other = (
        re.search(r"(?<![A-Za-z0-9])[AB](?![A-Za-z0-9'’])", line) if score == CHOICES["equal"] else _OTHERS.match(line)
    )
    return [_Choice(end, end, 0.5 if score != CHOICES["equal"] else 1.0)] if other else []


def _called_better(answer: str, start: int) -> list[_Choice]:
    return [
        _Choice(match.start(), match.end(), CHOICES[match[1]])
        for match in _IS_BETTER.finditer(answer, start)
        if not is_conditional(answer, match.start())
    ]


def _boxed(text: str) -> list[_Choice]:
    """The boxes that hold a choice."""
    found = ((box, read_choice(box.content or "")) for box in boxes(text))
    return [_Choice(box.start, box.end, score) for box, score in found if score is not None]


def _last_box(boxed: list[_Choice], quoted: str) -> float | ParseFailure:
    """The choice of the boxes of an answer without a closing sentence."""
    scores = [one.score for one in boxed]
    if not scores:
        return ParseFailure("no sentence names the better proof")
    if len(set(scores)) > 1:
        return ParseFailure("the boxes name several choices, and no sentence names one of them")
    held = sum(one.score == scores[0] for one in _boxed(quoted))
    return ParseFailure(QUOTATION) if held and held >= len(scores) else scores[0]
