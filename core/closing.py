"""Score of a judge's answer: the one verdict after its closing phrase, or the reason why there is none.

An answer may be long, truncated or hostile (the judged text can hold a fake verdict), so different verdicts are never
decided by their order, nothing falls back to an earlier score after a phrase, and every scan is linear in the answer.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.announcements import (
    Announcement,
    announcements,
    is_compared,
    is_conditional,
    is_denied,
    is_qualified,
    own_scores,
)
from core.quotation import folded, may_be_quotation
from core.score_text import Box, Scale, boxes, is_cut_off, nested_boxes, plain_width

TRUNCATED = "truncated at the token limit"
QUOTATION = "the verdict stands word for word in the judged text and may be a mere quotation of it"


UNSURE = "the sentence around the box denies the score, makes it depend on something, or is about something else"
# "Final score: 1. Wait, step 3 is wrong."
_RETRACTED = re.compile(
    r"(?:^|[.!?\n])[\s*_#>(]*+(?:(?:no|oh|hmm|but)[,.]?[ \t]+)?(?:wait|scratch that|correction|on second thought"
    r"|on reflection|actually,? (?:no|wait)|let me (?:re-?check|reconsider|re-?evaluate|correct)"
    r"|i (?:take that back|made a mistake|was wrong))(?![a-z])",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\s*[-+]?[0-9]{1,9}+(?:[./][0-9]{0,9}+)?\s*")


class Failure(NamedTuple):
    """The reason why no score could be read."""

    reason: str


class _Stated(NamedTuple):
    """A score with the sentences that a quotation of it would repeat."""

    score: float
    sentences: tuple[str, ...]
    end: int  # of the last text of it


@dataclass(frozen=True, slots=True)
class Closing:
    """The form of a closing: ``phrase`` is the prompt's own, ``own`` are patterns of the user, which come first."""

    scale: Scale
    phrase: re.Pattern[str]
    own: Sequence[re.Pattern[str]] = ()

    def read(self, answer: str, quoted: str) -> float | Failure:
        """The score of ``answer`` (without its thoughts); ``quoted`` is the text that was judged.

        A score above 0.5 that may be a quotation is a failure; lower ones count: else a proof could plant them to make
        every honest judge unparseable.
        """
        answer, quoted = plain_width(answer), plain_width(quoted)
        stated = self._stated(answer, quoted)
        if isinstance(stated, Failure):
            return stated
        if _RETRACTED.search(answer, stated.end):
            return Failure("after its verdict the answer takes it back")
        guarded = stated.score == 1.0 if self.scale.halves else stated.score > 0
        if guarded and self._is_quoted(stated, answer, quoted):
            return Failure(QUOTATION)
        return stated.score

    def _stated(self, answer: str, quoted: str) -> _Stated | Failure:
        if own := own_scores(answer, self.own):
            return self._of_own_pattern(own)
        phrase = _last_phrase(self.phrase, answer)
        if phrase is not None:
            return self._after_phrase(answer, *phrase)
        named = list(announcements(answer, self.scale))
        on_scale = [item for item in named if item.score is not None]
        if on_scale:
            return self._after_announcement(answer, named, quoted)
        off_scale = next((item for item in named if _is_share(item.text)), None)
        if off_scale is not None:
            return self._off_scale(off_scale.text)
        return self._last_box(answer)

    def _of_own_pattern(self, matches: Sequence[tuple[int, int, str]]) -> _Stated | Failure:
        text = matches[-1][2]
        scores = {score for match in matches if (score := self.scale.read(match[2])) is not None}
        if self.scale.read(text) is None:
            return self._off_scale(text)
        return _only(scores, (), matches[-1][1])

    def _after_phrase(self, answer: str, start: int, end: int) -> _Stated | Failure:
        """The score after the last phrase of the prompt, which ends at ``end``."""
        found = self._boxed(answer, end)
        if isinstance(found, Failure):
            return found
        named = [item for item in announcements(answer, self.scale, start) if _counts(item)]
        texts = self._texts(found) + [item.text for item in named]
        if not texts:
            return Failure("no \\boxed{} and no score after the last key phrase")
        if found and not named and self._is_unsure(answer, start, end, found[0]):
            return Failure(UNSURE)
        last = max([end, *(box.end for box in found), *(item.value_end for item in named)])
        before = answer[start : found[0].start] if found else answer[start:end]
        return self._agreed(texts, (answer[start:end], before), last)

    def _after_announcement(self, answer: str, named: Sequence[Announcement], quoted: str) -> _Stated | Failure:
        """The score of the last sentence that names one, of the highest rank there is; all others of it must agree."""
        rank = max(item.rank for item in named if item.score is not None)
        same = [item for item in named if item.rank == rank and _counts(item)]
        last = same[-1]
        found = self._boxed(answer, last.end)
        if isinstance(found, Failure):
            return found
        texts = self._texts(found)
        texts += [item.text for item in named if item.start >= last.start and _counts(item)]
        text = folded(quoted) if len(same) > 1 else ""
        texts += [item.text for item in same[:-1] if folded(answer[item.start : item.value_end]) not in text]
        end = max([last.value_end, *(box.end for box in found)])
        return self._agreed(texts, (answer[last.start : last.end],), end)

    def _last_box(self, answer: str) -> _Stated | Failure:
        """The score of the last box of an answer that names none, unless it is one of a list."""
        found = self._boxed(answer, 0)
        if isinstance(found, Failure):
            return found
        if not found:
            return Failure("no sentence names a score, and there is no \\boxed{}")
        last = found[-1]
        if _is_other(answer, last):
            return Failure(UNSURE)
        score = self.scale.read(last.content or "")
        if score is None:
            return self._off_scale(last.content or "")
        paragraph = answer.rfind("\n\n", 0, last.start)
        listed = {self.scale.read(box.content or "") for box in found if box.start > paragraph}
        everywhere = {self.scale.read(box.content or "") for box in found}
        if len(listed - {None}) > 1 or (self.scale.halves and len(everywhere - {None}) > 2):
            return Failure("the boxes list several scores, and no sentence names one of them")
        return _Stated(score, (), last.end)

    def _is_unsure(self, answer: str, start: int, end: int, box: Box) -> bool:
        """True where the words around ``box``, in the sentence of a phrase that ends at ``end``, deny or compare it."""
        same_sentence = "\n" not in answer[end : box.start].strip()
        qualified = is_qualified(answer, box.end) or is_compared(answer, start, end, box.start)
        return qualified or (same_sentence and is_denied(answer, box.start))

    def _boxed(self, answer: str, start: int) -> list[Box] | Failure:
        """The boxes from ``start`` on; any sign of a truncated one is a failure."""
        found = list(boxes(answer, start))
        if found and found[-1].content is None:
            return Failure("a \\boxed{ never closes")
        if is_cut_off(answer):
            return Failure("the answer was cut off at the start of a box")
        return found

    def _texts(self, found: Sequence[Box]) -> list[str]:
        """The contents of boxes that are scores or other numbers; the last one whatever it holds."""
        contents = [box.content or "" for box in found]
        numbers = [text for text in contents[:-1] if self.scale.read(text) is not None or _NUMBER.fullmatch(text)]
        return numbers + contents[-1:]

    def _agreed(self, texts: Sequence[str], sentences: tuple[str, ...], end: int) -> _Stated | Failure:
        """The score that all of ``texts`` write."""
        scores = [self.scale.read(text) for text in texts]
        if None in scores:
            return self._off_scale(texts[scores.index(None)])
        return _only({score for score in scores if score is not None}, sentences, end)

    def _off_scale(self, text: str) -> Failure:
        return Failure(f"the verdict is {text.strip()[:40]!r}, which is not one of {self.scale}")

    def _is_quoted(self, stated: _Stated, answer: str, quoted: str) -> bool:
        if stated.sentences:
            scores = (f"{stated.score:g}", f" score {stated.score:g}", f" points {stated.score:g}")
            sentences = tuple(sentence + score for sentence in dict.fromkeys(stated.sentences) for score in scores)
            return may_be_quotation(sentences, answer, quoted)
        held = sum(1 for score in self._unnamed(quoted, nested_boxes) if score == stated.score)
        written = sum(1 for score in self._unnamed(answer, boxes) if score == stated.score)
        return held > 0 and held >= written

    def _unnamed(self, text: str, found: Callable[[str], Iterator[Box]]) -> Iterator[float | None]:
        """The scores in ``text`` that no sentence has to name: those of the user's patterns, else in boxes."""
        if self.own and (own := own_scores(text, self.own)):
            yield from (self.scale.read(match[2]) for match in own)
        else:
            yield from (self.scale.read(box.content or "") for box in found(text))


_ABOUT = re.compile(
    r"(?<![a-z])(?:correct answer|right answer|expected answer|value|computes?|computed|obtains?|obtained|finds?|found"
    r"|equals?|evaluates to)(?![a-z])",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"(?<![a-z])(?:answer|result)(?![a-z])", re.IGNORECASE)
_MORE_WORDS = re.compile(r"[\s*_`$)\]}]*+(?:,\s*|\()?[a-z]", re.IGNORECASE)


def _is_other(answer: str, box: Box) -> bool:
    """True for a box that no sentence names, and that its own sentence denies or says to be something else."""
    start = box.start
    denied = is_denied(answer, start) or is_conditional(answer, start) or is_compared(answer, start, start - 1, start)
    return denied or is_qualified(answer, box.end) or _is_about_the_answer(answer, box)


def _is_about_the_answer(answer: str, box: Box) -> bool:
    """True where the line of a box is about what the judged text computes: "the answer \\boxed{1} is right"."""
    line = answer[max(answer.rfind("\n", 0, box.start) + 1, box.start - 160) : box.start]
    if _ABOUT.search(line):
        return True
    rest = answer[box.end : box.end + 80].partition("\n")[0]
    return _ANSWER.search(line) is not None and _MORE_WORDS.match(rest) is not None


def _only(scores: set[float], sentences: tuple[str, ...], end: int) -> _Stated | Failure:
    if len(scores) > 1:
        listed = ", ".join(f"{score:g}" for score in sorted(scores))
        return Failure(f"different verdicts after the closing phrase: {listed}")
    return _Stated(scores.pop(), sentences, end)


def _counts(item: Announcement) -> bool:
    """True for a named score on the scale, and for one off it that can only be meant as a score."""
    return item.score is not None or _is_share(item.text)


def _is_share(text: str) -> bool:
    """True for a number off the scale that is between 0 and 1, or one of so many points."""
    return "/" in text or "out" in text or text.lstrip("0").startswith(".")


def _last_phrase(pattern: re.Pattern[str], text: str) -> tuple[int, int] | None:
    """Start and end of the last match that no condition precedes ("if the gap were filled, ...")."""
    last = None
    for match in pattern.finditer(text):
        if not is_conditional(text, match.start()):
            last = match.span()
    return last
