"""Inert text: nothing in it starts a link, HTML, a directive, an icon or an emoji of Streamlit's Markdown."""

import re

JOINER = "\u2060"
_DELIMITER_ROW = re.compile(r"[ >]*\|?[ :|-]*-[ :|-]*$")
# Positions between the two characters that start something active; the joiner is inserted there.
_ACTIVE = re.compile(rf"(?:(?<=:)(?=[^\s{JOINER}])|(?<=<)(?=[A-Za-z/!?])|(?<=&)(?=[#\w])|(?<=\])(?=[(\[:])"
                     r"|(?<=[<>~-])(?=[=>-])|(?<=\[)(?=[\^ xX]\]?)|(?<=@)(?=[-\w])|(?<=(?i:www))(?=\.))")  # fmt: skip
_COLON = re.compile(rf"(\\*):(?={JOINER})")


def inert(text: str) -> str:
    """Text in which only emphasis and blocks keep a meaning.

    A colon is escaped, too: the name of a directive may begin with the joiner, and its brackets would vanish.
    """
    if _DELIMITER_ROW.match(text):
        return text
    return _COLON.sub(_escaped_colon, separated(text))


def _escaped_colon(found: re.Match[str]) -> str:
    return found[0] if len(found[1]) % 2 else f"{found[1]}\\:"


def separated(text: str) -> str:
    """Text with joiners between the characters that start something active."""
    return _ACTIVE.sub(JOINER, text)
