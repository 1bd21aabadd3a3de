"""Answers that repeat their prompt, or are the same for different problems: such a text is no proof and no analysis."""

import re

from core.announcements import phrase_pattern

COPY = "copy: "  # how the fault of such a text begins
RUN = 6  # words in a row that count as copied
MIN_WORDS = 20  # copied words below which nothing is a copy: a short answer may share its formulas with the prompt
MOSTLY = 0.5  # of an answer's words repeat the instructions
NEARLY_ALL = 0.9  # of its words stand anywhere in its prompt, which a judge may quote
_WORD = re.compile(r"[^\W_]+")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
# The sentences of an answer that every prompt asks for word for word.
_FORM = phrase_pattern(
    "here is my evaluation of the solution",
    "here is my analysis of the solution evaluation",
    "based on my evaluation the final overall? score should be",
    "based on my analysis i will rate the solution evaluation as",
)


def own_words(text: str) -> list[str]:
    """The words of an answer in lower case, without markup and without the sentences that every prompt asks for."""
    return _WORD.findall(_COMMAND.sub(" ", _FORM.sub("\n", text)).casefold())


def copied_share(text: str, source: str) -> float:
    """The share of the words of ``text`` that lie in a run of ``RUN`` words that ``source`` holds too.

    0 where fewer than ``MIN_WORDS`` words are copied.
    """
    words, known = own_words(text), own_words(source)
    runs = {tuple(known[at : at + RUN]) for at in range(len(known) - RUN + 1)}
    copied = [False] * len(words)
    for at in range(len(words) - RUN + 1):
        if tuple(words[at : at + RUN]) in runs:
            copied[at : at + RUN] = [True] * RUN
    count = sum(copied)
    return count / len(words) if count >= MIN_WORDS else 0.0


def repetition_fault(text: str, template: str, prompt: str) -> str | None:
    """The fault of an answer that mostly repeats the instructions of ``template``, or nearly all of it ``prompt``.

    ``template`` is the text of the prompt with its placeholders; None where the answer is the model's own.
    """
    instructions = _PLACEHOLDER.sub("\n", template)
    for source, most, name in ((instructions, MOSTLY, "the instructions"), (prompt, NEARLY_ALL, "the prompt")):
        share = copied_share(text, source)
        if share > most:
            return f"{COPY}{share:.0%} of its words repeat {name}"
    return None
