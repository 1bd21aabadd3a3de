"""Sentences that announce a score: the phrases of the prompts, and the forms in which models write them instead."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.score_text import Box, Scale, boxes

# Between two words of a phrase: whitespace, markdown markers, quotes of any kind, the backslash of an escaped quote.
_GAP = r"""[\s*_#>~`"'\u2018-\u201f«»\\,:\u3001]++"""


def phrase_pattern(*phrases: str) -> re.Pattern[str]:
    """Finds any of ``phrases`` (words as regular expressions), whatever markdown, quotes and spaces stand between.

    The gaps are possessive and hold no letter, so that a search never goes over a character more than a few times.
    """
    joined = "|".join(_GAP.join(phrase.split()) for phrase in phrases)
    return re.compile(rf"(?<![^\W_])(?:{joined})(?![^\W_])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Announcement:
    """A named score: the words from ``start`` to ``end`` name it, and ``score`` follows (None: one off the scale).

    ``rank`` 1: a final or overall score, or one that the judge says to give; 0: any other. ``value_end``: the end of
    the score's text.
    """

    rank: int
    start: int
    end: int
    value_end: int
    text: str
    score: float | None


_FINAL = r"(?:final|overall?|total|resulting|concluding|suggested|recommended|assigned)"
_BETWEEN = rf"(?:{_FINAL}|evaluation|assessment|verification|solution|proof|rubric|quality|numerical|numeric)"
_NOUN = r"(?:score|rating|grade|mark|verdict)"
_CONCLUSION = r"(?:evaluation|assessment|judge?ment|result|points)"
_JUDGE = r"(?:i|we)(?:{gap}[a-z]+){{0,3}}{gap}(?:rate|score|grade|give|assign|award|mark|evaluate|assess|judge)"
_RECEIVER = (
    r"(?:solution|proof|evaluation|analysis|answer)(?:{gap}(?:is|should|would|be|therefore)){{0,3}}{gap}"
    r"(?:deserves?|receives?|earns?|gets?|merits|warrants|rated|scored|graded)"
)
_CHINESE = r"(?:得分|评分|分数|总分|打分|评级|评价)"
_ANNOUNCED = re.compile(
    rf"(?<![^\W_])(?:(?P<final>{_FINAL}(?:{_GAP}{_BETWEEN}){{0,3}}{_GAP}(?:{_NOUN}|{_CONCLUSION}))"
    rf"|(?P<judge>{_JUDGE.format(gap=_GAP)})|(?P<receiver>{_RECEIVER.format(gap=_GAP)})|(?P<noun>{_NOUN}|points))(?![^\W_])"
    rf"|(?P<last>(?:最终|最后|综合|总体|整体|总)(?:的|总体|整体|综合|总)*{_CHINESE})|(?P<chinese>{_CHINESE})",
    re.IGNORECASE,
)
_RANKS = {"final": 1, "judge": 1, "last": 1, "receiver": 0, "noun": 0, "chinese": 0}
# The words from the name to its score, in one sentence and without another number; a remark in parentheses.
_WORDS = r"[^\n.!?;。！？；0-9\\½(){}]{0,80}+"
_TAIL = re.compile(rf"{_WORDS}(?:\([^()\n]{{0,80}}\){_WORDS})?+")
_REMARK = re.compile(r"\([^()]*\)")
_LEAD = re.compile(r"""(?:[\s*_`"'$>#:：\u201c\u2018]|\\[(\[]|-(?=[\s*]))*+""")
_OTHER_MEANING = re.compile(
    r"(?<![a-z])(?:not?|never|nor|neither|either|unless|if|between|from|than|least|most|below|above|under|over|up"
    r"|exceeds?|any|each|step|per|scale|range|ranges|ranging|minus|plus|or|can|could|might|may|cannot)(?![a-z])"
    r"|n[’']t(?![a-z])|不|非|低于|高于|至少|至多|之间|或",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"(?<![a-z])(?<!even )(?:if|unless|were|had|suppose|assuming|provided|whether)(?![a-z])|如果|假如|若", re.IGNORECASE
)
_QUALIFIED = re.compile(
    r"(?<![a-z])(?<!even )(?:if|unless|assuming|provided|were it|had it)(?![a-z])|如果|假如|若", re.IGNORECASE
)
# In the clause before a score: it is denied, or it is somebody else's.
_DENIED = re.compile(
    r"(?<![a-z])(?:not|never|no one|nobody|cannot|hardly|scarcely|refuse[sd]?|instead|rather than|far from|nowhere near"
    r"|tempting|claim(?:s|ed|ing)?|wants?|wanted|hopes?|hoped|hope for|asks?|asked|asking|told|demand(?:s|ed)?"
    r"|instruct(?:s|ed|ions?)?|request(?:s|ed)?|pretend(?:s|ed)?|maximum|maximal|at (?:most|least)|believes?d?|thinks"
    r"|wish(?:es|ed)?|love|own account|impression|initially|at first|generous|reference (?:solution|proof|answer)"
    r"|(?:an?|any|every|each) (?:complete|correct|perfect|full|flawless) (?:proof|solution|answer)"
    r" (?:would|gets?|has|receives?|earns?|deserves?|scores?|merits?))(?![a-z])"
    r"|(?<![a-z])no[ \t]+(?:grader|judge|reader|expert)(?![a-z])|n[’']t(?![a-z])|would have been|不|非|声称|要求",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"[,;:，；：—]|(?<![a-z])(?:so|thus|hence|therefore|and|but|since|because)(?![a-z])", re.IGNORECASE
)
_COMPARED = re.compile(r"(?:[<≤≥≠~±]|(?<![-=>\s])>|(?<=[^\S\n])>|(?<!-)[-\u2212\u2013](?=$))[\s*_`$]*$")
_PART = re.compile(
    r"(?:^|[.!?;,|*\n-])[ \t]*+(?:part|step|criterion|item|question|lemma|claim|case)[ \t]*+"
    r"(?:\([a-z0-9]{1,3}\)|[a-z0-9]{1,3})[ \t:)*_-]*$",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[\w -]{0,30}$")
_BARE = re.compile(
    r"(?:\\(?:text|textbf|mathbf|mathrm)\s*\{\s*[0-9.]{1,9}+\s*\}"
    r"|[0-9]{1,3}+(?:[.,][0-9]{1,9}+)?|\.[0-9]{1,9}+|½|\\[tdc]?frac\s*(?:1|\{\s*1\s*\})\s*(?:2|\{\s*2\s*\}))(?![0-9])"
    r"(?:[ \t]*\(?(?:/|out[ \t]+of)[ \t]*[0-9]{1,3}+(?:\.0)?)?(?:[ \t]*(?:points?|pts?|marks?|分))?",
    re.IGNORECASE,
)
_OUT_OF = re.compile(r"[ \t$*]*+(?:/|out[ \t]+of)[ \t]*[0-9]{1,3}+", re.IGNORECASE)
_CLOSERS = re.compile(r"""(?:[*_`"'$)\]}\u201d\u2019]|\\[)\]])*+""")
_SENTENCE_ENDS = re.compile(r"\s*(?:$|\n|[.!;。！；](?![0-9])|</)")
_GOES_ON = re.compile(
    r"[ \t]*(?:[,，(（–—]|-[ \t]|(?:because|since|as|due|given|reflecting|indicating|(?:to|for)[ \t]+(?:the|this)[ \t]+"
    r"(?:solution|proof|answer|submission|attempt|work|response|argument))"
    r"(?![a-z]))",
    re.IGNORECASE,
)
_ANOTHER = re.compile(r"(?<![0-9.])(?:0\.5|[01](?:\.0)?|½|1/2)(?![0-9]|\.[0-9])")
_NUMBER = re.compile(r"[0-9]")
_SENTENCE = re.compile(r"[.!?;。！？；\n]")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)|[。！？；]")
_LOOK_BACK = 160


def announcements(text: str, scale: Scale, start: int = 0) -> Iterator[Announcement]:
    """Every named score from ``start`` on, in order; the content of a box names none. Linear in the text."""
    held = list(boxes(text, start))
    for match in _ANNOUNCED.finditer(text, start):
        tail = _TAIL.match(text, match.end())
        words = tail[0] if tail else ""
        lead = _LEAD.match(text, match.end() + len(words))
        at = lead.end() if lead else match.end()
        value = _value(text, at, scale)
        if value is None or _has_other_meaning(text, match.start(), words) or _is_inside(match.start(), held):
            continue
        if match.lastgroup == "noun" and _PART.search(
            text[max(0, match.start() - 40) : match.start()].rpartition("\n")[2]
        ):
            continue
        if is_compared(text, match.start(), match.end(), at) or is_denied(text, match.end()):
            continue
        rank = _RANKS[match.lastgroup or "noun"]
        yield Announcement(rank, match.start(), at, value[0], value[1], scale.read(value[1]))


def _has_other_meaning(text: str, start: int, words: str) -> bool:
    """True where the words around the name say that the score is none of this text."""
    condition = _CONDITION.search(words) or is_conditional(text, start)
    return bool(condition or _OTHER_MEANING.search(_REMARK.sub(" ", words)) or _DENIED.search(words))


def _is_inside(position: int, held: Sequence[Box]) -> bool:
    """True for a position inside one of the boxes, which are in order."""
    index = bisect_left(held, position, key=lambda box: box.start)
    return index > 0 and held[index - 1].end > position


def is_conditional(text: str, start: int) -> bool:
    """True where the sentence before ``start`` makes the score depend on something, or one of several."""
    before = text[max(0, start - _LOOK_BACK) : start]
    return _CONDITION.search(_SENTENCE.split(before)[-1]) is not None


def is_denied(text: str, start: int) -> bool:
    """True where the clause before ``start`` denies the score, or says that somebody else wants or claims it."""
    sentence = _SENTENCE.split(text[max(0, start - _LOOK_BACK) : start])[-1]
    return _DENIED.search(_CLAUSE.split(sentence)[-1]) is not None


def is_compared(text: str, start: int, end: int, value: int) -> bool:
    """True where a minus sign or a comparison stands between a name, from ``start`` to ``end``, and its ``value``.

    An arrow, the mark of a quotation at the start of a line and the end of a tag are none.
    """
    between = text[end:value]
    if between.startswith(">") and _TAG.search(text[max(0, start - 31) : start]):
        between = between[1:]
    return _COMPARED.search(between) is not None


def is_qualified(text: str, end: int) -> bool:
    """True where the rest of the line after a score, which ends at ``end``, makes it depend on something."""
    line = text[end : end + _LOOK_BACK].partition("\n")[0]
    return (
        line.lstrip(' $*_`)]}\u201d"\\').startswith(("?", "？"))
        or _QUALIFIED.search(_SENTENCE_END.split(line)[0]) is not None
    )


def _value(text: str, start: int, scale: Scale) -> tuple[int, str] | None:
    """End and text of the score at ``start``: a box, or a number that ends its sentence; None where there is none."""
    if text.startswith("\\", start):
        box = next(boxes(text[start : start + 400]), None)
        if box is not None and box.start == 0:
            end = start + box.end
            most = _OUT_OF.match(text, end)
            is_whole = box.content is not None and not is_qualified(text, end)
            return (end, (box.content or "") + (most[0] if most else "")) if is_whole else None
    bare = _BARE.match(text, start)
    if bare is None:
        return None
    closers = _CLOSERS.match(text, bare.end())
    end = closers.end() if closers else bare.end()
    return (end, bare[0]) if _stands_alone(text, end, scale) else None


def _stands_alone(text: str, end: int, scale: Scale) -> bool:
    """True for a number that ends its sentence, or whose sentence goes on without another score."""
    if _SENTENCE_ENDS.match(text, end):
        return True
    if is_qualified(text, end):
        return False
    rest = text[end : text.find("\n", end) if "\n" in text[end : end + 400] else end + 400]
    another = _ANOTHER if scale.halves else _NUMBER
    return _GOES_ON.match(rest) is not None and another.search(rest) is None


_MARKS = " \t*_`$"


def own_pattern(template: str) -> re.Pattern[str]:
    """The search for a user's own form of a verdict: literal text with ``{score}`` where the score stands.

    No part of it is taken as a regular expression, so that no template makes the search slow.

    Raises ValueError where ``{score}`` is not there exactly once, or hardly anything else is.
    """
    before, place, after = template.strip().partition("{score}")
    if not place or "{score}" in after:
        raise ValueError(f"{template!r} needs {{score}} exactly once, where the score stands")
    if len("".join((before + after).split())) < 2:
        raise ValueError(f"{template!r} needs at least two characters beside {{score}}")
    literals = [r"\s++".join(re.escape(word) for word in part.split()) for part in (before, after)]
    ending = rf"\s*+{literals[1]}" if after.strip() else r"(?=[ \t.。*_]*+$)"
    return re.compile(rf"{literals[0]}\s*+([^\n]{{1,60}}?){ending}", re.IGNORECASE | re.MULTILINE)


def own_scores(text: str, patterns: Sequence[re.Pattern[str]]) -> list[tuple[int, int, str]]:
    """Start, end and score text of every match of ``patterns``, in order."""
    return sorted(
        (match.start(), match.end(), match[1].strip(_MARKS)) for pattern in patterns for match in pattern.finditer(text)
    )
