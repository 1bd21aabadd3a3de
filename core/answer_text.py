"""Text of final answers: where an answer stands in a solution, its items, and what algebra cannot decide about it.

Pure functions on text, without a computer algebra system. `core.answer_check_worker` parses what they return.
"""

import re

from core.score_text import closing_brace

MAX_LENGTH = 2_000  # characters of an answer that are read; a longer one is no short answer
_BOX = re.compile(r"\\f?boxed(?![A-Za-z])\s*(\{?)")
_ANNOUNCED = re.compile(r"\banswers?\b[^.:\n]{0,60}?(?:\bis\b|\bare\b|:|=)[\s*_:]*", re.IGNORECASE)
_END_OF_SENTENCE = re.compile(r"\.(?=\s|$)|\n")
_MARKUP = re.compile(r"\$|\\[()\[\]]|\\(?:displaystyle|textstyle|left|right|limits|big|Big|bigg|Bigg)(?![A-Za-z])"
                     r"|\\[!,;:> ]|~|\\quad|\\qquad|\*\*|\u200b")  # fmt: skip
_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mbox|operatorname)\s*\{([^{}]*)\}")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_WORD = re.compile(r"[A-Za-z]{2,}")
_JOIN = re.compile(r"(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])|\\(?:lor|vee|land|wedge)(?![A-Za-z])")
_FUNCTIONS = "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp max min gcd lcm det deg"
FUNCTIONS = frozenset(_FUNCTIONS.split())
# Words that stand inside formulas; any other run of letters there is a product of variables.
_WORDS = (
    "if is iff when where otherwise else for with all any some every no none not only except unless excluding odd even "
    "prime primes number numbers integer integers positive negative nonnegative real such that of the form to mod "
    "solution solutions does exist from"
)
_INNER_WORDS = frozenset(_WORDS.split())
_UNITS = re.compile(r"\s*(?:cm|mm|km|m|kg|g|s|degrees?|units?|points?|°)(?:\s*\^?\s*\{?[23]\}?)?\s*")
_UNDECIDABLE = (
    (re.compile(r"\\[lc]?dots|\.\.\.|…|\\underbrace|\\overbrace"), "an ellipsis"),
    (re.compile(r"!!"), "a double factorial"),
    (re.compile(r"\\begin|\\\\"), "an environment, such as cases"),
    (re.compile(r"\\n?mid(?![A-Za-z])|\\colon|(?<!\\):|\\vert|\|.*\\}"), "a description of a set"),
    (re.compile(r"\\(?:neq?|forall|exists|nexists|implies|iff|Rightarrow|notin|equiv|pmod|bmod|mod)(?![A-Za-z])|≠"),
     "a condition"),
    (re.compile(r"\\in(?![A-Za-z])(?!\s*(?:\\\{|[(\[]))|∈"), "a condition"),
)  # fmt: skip


def final_answer(text: str) -> str | None:
    """The final answer of a solution: the last box of the whole text, else what follows the word answer, else the
    last line. None where the last box never closes.
    """
    boxes = list(_BOX.finditer(text))
    if boxes:
        return _outermost(text, boxes)
    announced = list(_ANNOUNCED.finditer(text))
    if announced:
        rest = text[announced[-1].end() :].lstrip()
        return _END_OF_SENTENCE.split(rest, maxsplit=1)[0].strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _outermost(text: str, boxes: list[re.Match[str]]) -> str | None:
    """Content of the last box that stands in no other box."""
    content: str | None = ""
    end = 0
    for box in boxes:
        if box.start() < end:
            continue  # inside the previous box
        if not box[1]:
            found = re.match(r"[^\s{}$\\]+", text[box.end() :])
            content, end = (found[0].rstrip(".,;") if found else ""), box.end()
            continue
        close = closing_brace(text, box.end())
        content = None if close is None else text[box.end() : close]
        end = len(text) if close is None else close
    return content


def plain_answer(text: str) -> str:
    """An answer without dollars, sizes, spaces of LaTeX, units in text, and a final full stop."""
    text = _TEXT.sub(_text_content, text)
    text = _MARKUP.sub(" ", text).strip()
    text = re.sub(r"\s+", " ", text).rstrip(" .;,").strip()
    return re.sub(r"\\[dt]frac(?![A-Za-z])", r"\\frac", text)


def _text_content(match: re.Match[str]) -> str:
    return " " if _UNITS.fullmatch(match[1]) else f" {match[1]} "


def undecidable(answer: str) -> str | None:
    """The reason why algebra cannot decide a `plain_answer`; None where it may be a formula or a list of them."""
    if not answer:
        return "it is empty"
    if len(answer) > MAX_LENGTH:
        return f"it has more than {MAX_LENGTH:,} characters"
    for pattern, reason in _UNDECIDABLE:
        if pattern.search(answer):
            return f"it has {reason}"
    words = [word for word in _WORD.findall(_COMMAND.sub(" ", _JOIN.sub(" ", answer))) if is_word(word)]
    return f"it has the words {' '.join(words[:6])!r}" if words else None


def is_word(letters: str) -> bool:
    """True for a run of letters that is a word, not the name of a function or a product of variables."""
    if letters in FUNCTIONS:
        return False
    lower = letters.casefold()
    return lower in _INNER_WORDS or (len(letters) > 3 and letters == lower) or (len(letters) > 2 and letters.istitle())


def items(answer: str) -> list[str]:
    """Items of a list such as ``1, 2`` or ``{1, 2}`` or ``x = 1 or x = 2``; of anything else the answer itself."""
    answer = _JOIN.sub(",", answer)
    if (found := re.fullmatch(r"\\\{(.*)\\\}", answer.strip(), re.DOTALL)) and _balanced(found[1]):
        answer = found[1]
    parts = [part.strip() for part in _top_level(answer)]
    return [part for part in parts if part]


def as_number(answer: str) -> str | None:
    """The number that ``1,234`` may be; None where it can only be a list."""
    compact = answer.strip()
    return compact.replace(",", "") if re.fullmatch(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?", compact) else None


def _balanced(text: str) -> bool:
    depth = 0
    for match in re.finditer(r"\\[{}]", text):
        depth += 1 if match[0] == r"\{" else -1
        if depth < 0:
            return False
    return depth == 0


def _top_level(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for match in re.finditer(r"\\[{}]|[(){}\[\],]", text):
        symbol = match[0][-1]
        if symbol in "({[":
            depth += 1
        elif symbol in ")}]":
            depth -= 1
        elif depth == 0:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def letters_of(answer: str) -> set[str]:
    """Variables of an answer: its letters outside commands and names of functions."""
    text = _COMMAND.sub(" ", answer)
    text = re.sub(r"[A-Za-z]+", lambda found: " " if found[0] in FUNCTIONS else found[0], text)
    return set(re.findall(r"[A-Za-z]", text))
