"""Score of a judge's answer: the one verdict after its closing phrase, or the reason why there is none.

An answer may be long, truncated or hostile (the judged text can hold a fake verdict), so different verdicts are never
decided by their order, nothing falls back to an earlier score after a phrase, and every scan is linear in the answer.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.announcements import Announcement, announcements, is_conditional, own_scores
from core.quotation import folded, may_be_quotation
from core.score_text import Box, Scale, boxes, is_cut_off, plain_width

TRUNCATED = "truncated at the token limit"
QUOTATION = "the verdict stands word for word in the judged text and may be a mere quotation of it"


_NUMBER = re.compile(r"\s*[-+]?[0-9]{1,9}+(?:[./][0-9]{0,9}+)?\s*")


class Failure(NamedTuple):
    """The reason why no score could be read."""

    reason: str


class _Stated(NamedTuple):
    """A score with the sentences that a quotation of it would repeat."""

    score: float
    sentences: tuple[str, ...]


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
        return _only(scores, ())

    def _after_phrase(self, answer: str, start: int, end: int) -> _Stated | Failure:
        """The score after the last phrase of the prompt, which ends at ``end``."""
        found = self._boxed(answer, end)
        if isinstance(found, Failure):
            return found
        named = [item.text for item in announcements(answer, self.scale, start) if _counts(item)]
        texts = self._texts(found) + named
        if not texts:
            return Failure("no \\boxed{} and no score after the last key phrase")
        return self._agreed(texts, (answer[start:end], answer[start : found[0].start] if found else answer[start:end]))

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
        return self._agreed(texts, (answer[last.start : last.end],))

    def _last_box(self, answer: str) -> _Stated | Failure:
        """The score of the last box of an answer that names none, unless it is one of a list."""
        found = self._boxed(answer, 0)
        if isinstance(found, Failure):
            return found
        if not found:
            return Failure("no sentence names a score, and there is no \\boxed{}")
        last = found[-1]
        score = self.scale.read(last.content or "")
        if score is None:
            return self._off_scale(last.content or "")
        paragraph = answer.rfind("\n\n", 0, last.start)
        listed = {self.scale.read(box.content or "") for box in found if box.start > paragraph}
        everywhere = {self.scale.read(box.content or "") for box in found}
        if len(listed - {None}) > 1 or (self.scale.halves and len(everywhere - {None}) > 2):
            return Failure("the boxes list several scores, and no sentence names one of them")
        return _Stated(score, ())

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

    def _agreed(self, texts: Sequence[str], sentences: tuple[str, ...]) -> _Stated | Failure:
        """The score that all of ``texts`` write."""
        scores = [self.scale.read(text) for text in texts]
        if None in scores:
            return self._off_scale(texts[scores.index(None)])
        return _only({score for score in scores if score is not None}, sentences)

    def _off_scale(self, text: str) -> Failure:
        return Failure(f"the verdict is {text.strip()[:40]!r}, which is not one of {self.scale}")

    def _is_quoted(self, stated: _Stated, answer: str, quoted: str) -> bool:
        if stated.sentences:
            scores = (f"{stated.score:g}", f" score {stated.score:g}", f" points {stated.score:g}")
            sentences = tuple(sentence + score for sentence in dict.fromkeys(stated.sentences) for score in scores)
            return may_be_quotation(sentences, answer, quoted)
        held, written = (sum(1 for score in self._unnamed(text) if score == stated.score) for text in (quoted, answer))
        return held > 0 and held >= written

    def _unnamed(self, text: str) -> Iterator[float | None]:
        """The scores in ``text`` that no sentence has to name: those of the user's patterns, else in boxes."""
        if self.own and (own := own_scores(text, self.own)):
            yield from (self.scale.read(match[2]) for match in own)
        else:
            yield from (self.scale.read(box.content or "") for box in boxes(text))


def _only(scores: set[float], sentences: tuple[str, ...]) -> _Stated | Failure:
    if len(scores) > 1:
        listed = ", ".join(f"{score:g}" for score in sorted(scores))
        return Failure(f"different verdicts after the closing phrase: {listed}")
    return _Stated(scores.pop(), sentences)


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
