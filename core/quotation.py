"""Comparison of texts without their markup: quotations of a judged text, and texts that repeat another."""

import re

_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,40}>")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_NO_LETTER = re.compile(r"[\W_]+")


def folded(text: str) -> str:
    """The letters and digits of ``text`` alone, in lower case: no markdown, LaTeX command, tag, sign or white space."""
    return _NO_LETTER.sub("", _COMMAND.sub("", _TAG.sub("", text)).casefold())


def may_be_quotation(sentences: tuple[str, ...], answer: str, quoted: str) -> bool:
    """True if ``quoted`` holds one of ``sentences`` at least as often as ``answer`` does, markup and case aside."""
    if not quoted:
        return False
    answer, quoted = folded(answer), folded(quoted)
    counts = ((quoted.count(sentence), answer.count(sentence)) for sentence in map(folded, sentences) if sentence)
    return any(in_quoted and in_quoted >= in_answer for in_quoted, in_answer in counts)
