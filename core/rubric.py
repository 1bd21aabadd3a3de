"""Reading a verdict: the score in the last box after the last key phrase, or the reason why there is none.

The last verdict binds. An answer may be long, truncated or hostile (a proof can hold a fake verdict), so nothing here
falls back to an earlier score, and every scan is linear in the answer.
"""

import re
from dataclasses import dataclass

SCORES = (0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score of the rubric, one of ``SCORES``."""

    score: float


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """No verdict could be read; ``reason`` says why, in words for a person."""

    reason: str


TRUNCATED = "truncated at the token limit"
QUOTATION = "the verdict stands word for word in the judged text and may be a mere quotation of it"


@dataclass(frozen=True, slots=True)
class Boxed:
    """The ``content`` of a verdict's box, with its ``sentence`` from the key phrase on and the ``answer`` around it."""

    content: str
    sentence: str
    answer: str

    def may_quote(self, quoted: str) -> bool:
        """True if the verdict may be a mere quotation of the judged text."""
        return _may_be_quotation(self.sentence, self.answer, quoted)


# Between two words of a phrase: whitespace, markdown markers, quotes of any kind, the backslash of an escaped quote.
_GAP = r"""[\s*_#>~`"'\u2018-\u201f«»\\,:]++"""


def phrase_pattern(*phrases: str) -> re.Pattern[str]:
    """Finds any of ``phrases`` (words as regular expressions), whatever markdown, quotes and spaces stand between.

    The gaps are possessive and hold no letter, so that a search never goes over a character more than a few times.
    """
    joined = "|".join(_GAP.join(phrase.split()) for phrase in phrases)
    return re.compile(rf"(?<![^\W_])(?:{joined})(?![^\W_])", re.IGNORECASE)


_KEY_PHRASE = phrase_pattern(
    "based on my evaluation the final overall? score should be",
    "based on my analysis i will rate the solution evaluation as",
)
_BOX = re.compile(r"\\boxed(?![A-Za-z])\s*+(\{?)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_CUT_OFF = tuple("\\boxed"[:length] for length in range(1, 6))

# Plain ASCII digits on purpose: `\d` and float() would take other scripts' digits, exponents and signs.
_HALF = r"0?\.50*|1\s*/\s*2|\\[td]?frac\s*(?:1|\{\s*1\s*\})\s*(?:2|\{\s*2\s*\})"
_CONTENTS = tuple(
    (re.compile(pattern), score) for pattern, score in ((r"0(?:\.0*)?|\.0+", 0.0), (_HALF, 0.5), (r"1(?:\.0*)?", 1.0))
)
_WRAPPED = re.compile(r"\\(?:text|textbf|mathbf|mathrm|boxed)\s*\{(.*)\}|\$(.*)\$|\*\*(.*)\*\*", re.DOTALL)
_MAX_WRAPPERS = 8  # bounds the work on a megabyte of nested wrappers


def score_reward(score: float, label: float) -> float:
    """R_score(s', s) = 1 - |s' - s| for a predicted score s' and a label s, both in [0, 1] (DeepSeekMath-V2)."""
    return 1.0 - abs(score - label)


def answer_part(text: str) -> str | None:
    """The answer after the last ``</think>``, the only part that counts; None where a ``<think>`` never closes."""
    answer = text.rpartition("</think>")[2]
    return None if "<think>" in answer else answer


def parse_verdict(text: str, *, quoted: str = "", truncated: bool = False) -> Verdict | ParseFailure:
    """The verdict of a verifier's analysis, a prover's self-evaluation or a meta-verifier's review.

    ``truncated``: the answer ended at the token limit; then its last verdict may be a quotation, and it has none.
    ``quoted`` is the text that was judged. Where a verdict of 1 is a sentence of that text, and the answer does not say
    it once more than the text does, it may be a mere quotation and not a verdict. Lower verdicts always count: else
    a proof could plant them to make every honest judge unparseable. So planting can only hurt the one who plants.
    """
    if truncated:
        return ParseFailure(TRUNCATED)
    boxed = last_boxed(text, _KEY_PHRASE)
    if isinstance(boxed, ParseFailure):
        return boxed
    score = _score(boxed.content)
    if score is None:
        return ParseFailure(f"the last box holds {boxed.content.strip()[:40]!r}, which is not one of 0, 0.5, 1")
    if score == 1.0 and boxed.may_quote(quoted):
        return ParseFailure(QUOTATION)
    return Verdict(score)


def last_boxed(text: str, phrase: re.Pattern[str]) -> Boxed | ParseFailure:
    """The last box after the last ``phrase`` in the part of ``text`` after its thoughts."""
    answer = answer_part(text)
    if answer is None:
        return ParseFailure("a <think> never closes: the answer was cut off in its thoughts")
    start = _last_phrase(answer, phrase)
    if start is None:
        return ParseFailure("no key phrase announces a verdict")
    box = _last_box(answer, start)
    if isinstance(box, ParseFailure):
        return box
    end, content = box
    return Boxed(content, answer[start:end], answer)


def _last_phrase(answer: str, phrase: re.Pattern[str]) -> int | None:
    """The position of the last key phrase."""
    start = None
    for match in phrase.finditer(answer):
        start = match.start()
    return start


def _last_box(answer: str, start: int) -> tuple[int, str] | ParseFailure:
    """End and content of the last outermost box from ``start`` on; any sign of a truncated box is a failure."""
    last: tuple[int, str] | ParseFailure = ParseFailure("no \\boxed{} after the last key phrase")
    position = start
    while match := _BOX.search(answer, position):
        position = match.end()
        if not match[1]:
            last = ParseFailure("the last \\boxed has no braces")
            continue
        end = _closing_brace(answer, position)
        if end is None:
            return ParseFailure("a \\boxed{ after the last key phrase never closes")
        last, position = (end + 1, answer[position:end]), end + 1
    if answer.rstrip().endswith(_CUT_OFF):
        return ParseFailure("the answer was cut off at the start of a box")
    return last


def _closing_brace(text: str, start: int) -> int | None:
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


def _score(content: str) -> float | None:
    """The score that a box's content writes, None for anything but 0, 1/2 and 1."""
    content = unwrapped(content)
    return next((score for pattern, score in _CONTENTS if pattern.fullmatch(content)), None)


def unwrapped(content: str) -> str:
    """A box's content without the markup of text, mathematics and bold print around it."""
    for _ in range(_MAX_WRAPPERS):
        content = content.strip()
        wrapped = _WRAPPED.fullmatch(content)
        if not wrapped:
            break
        content = wrapped[wrapped.lastindex or 0]
    return content


def _may_be_quotation(verdict: str, answer: str, quoted: str) -> bool:
    """True if ``quoted`` holds the verdict's sentence at least as often as ``answer`` does, white space aside."""
    sentence, folded_answer, folded_quoted = (" ".join(text.split()) for text in (verdict, answer, quoted))
    return folded_quoted.count(sentence) >= folded_answer.count(sentence)
