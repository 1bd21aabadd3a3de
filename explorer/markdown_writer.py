"""Markdown writer: assembles text and mathematics, displays on lines of their own inside their list or quotation."""

import re

from explorer.inert_text import JOINER

_CONTAINER = re.compile(r"(?: {0,3}> ?| *(?:[-*+]|\d{1,9}[.)]) +| +)*")


class MarkdownWriter:
    """Collects Markdown; tracks the list, quotation or table that the last line is part of."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._line = ""
        self._before = ""  # prefix that keeps a line inside the list or quotation

    @property
    def in_table(self) -> bool:
        """True where the last line is a row of a table, which must stay one line."""
        return self._line.lstrip(" >").startswith("|")

    @property
    def last_line(self) -> str:
        """The last line, which may still be continued."""
        return self._line

    def text(self) -> str:
        """The Markdown written so far."""
        return "".join([*self._done, self._line])

    def unquoted(self, tex: str) -> str:
        """Removes the quotation marks (``>``) of the current quotation from the lines of ``tex``."""
        container = _CONTAINER.match(self._line)
        depth = container[0].count(">") if container else 0
        return re.sub(rf"^(?: *> ?){{1,{depth}}}", "", tex, flags=re.MULTILINE) if depth else tex

    def write_text(self, text: str) -> None:
        """Writes text between mathematics."""
        if text and self._line.endswith("$") and text[0].isdigit():
            text = JOINER + text  # `$` before a digit would be a price
        self.write_raw(text)

    def write_raw(self, text: str) -> None:
        """Writes text unchanged."""
        head, newline, last = text.rpartition("\n")
        if newline:
            self._done += [self._line, head, newline]
            self._line = last
        else:
            self._line += last

    def write_inline_math(self, tex: str) -> None:
        """Writes mathematics within a line."""
        if tex:
            self._line += (JOINER if self._line.endswith(("$", "\\")) else "") + f"${tex}$"

    def write_display_math(self, tex: str) -> None:
        """Writes mathematics on lines of its own."""
        if not tex:
            return
        container = _CONTAINER.match(self._line)
        assert container is not None
        before = re.sub(r"[^ >]", " ", container[0])
        if self._line[container.end() :].strip():
            self.write_raw(f"\n{before}")
        lines = ["$$", *tex.split("\n"), "$$"]
        self.write_raw(f"\n{before}".join(lines))
        self._before = before

    def end_display(self) -> None:
        """Starts a new line for text that follows a display on its line."""
        self.write_raw(f"\n{self._before}")
