"""Puts a normalized text together: displays on lines of their own, inside the list or quotation that they stand in."""

import re

JOINER = "\u2060"
_CONTAINER = re.compile(r"(?: {0,3}> ?| *(?:[-*+]|\d{1,9}[.)]) +| +)*")


class Lines:
    """The text so far, and what its last line is part of."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._line = ""
        self._before = ""  # what a line must begin with to stay in the list or quotation

    @property
    def in_table(self) -> bool:
        """Whether the last line is a row of a table, which must stay one line."""
        return self._line.lstrip(" >").startswith("|")

    @property
    def in_line(self) -> bool:
        """Whether the last line holds something."""
        return bool(self._line)

    def text(self) -> str:
        """All of it."""
        return "".join([*self._done, self._line])

    def unquoted(self, tex: str) -> str:
        """Mathematics without the marks of the quotation that its first line stands in."""
        container = _CONTAINER.match(self._line)
        depth = container[0].count(">") if container else 0
        return re.sub(rf"^(?: *> ?){{1,{depth}}}", "", tex, flags=re.MULTILINE) if depth else tex

    def plain(self, text: str) -> None:
        """Text between mathematics."""
        if text and self._line.endswith("$") and text[0].isdigit():
            text = JOINER + text  # `$` before a digit would be a price
        self.inline(text)

    def inline(self, text: str) -> None:
        """Text as it is."""
        head, newline, last = text.rpartition("\n")
        if newline:
            self._done += [self._line, head, newline]
            self._line = last
        else:
            self._line += last

    def maths(self, tex: str) -> None:
        """Mathematics in a line."""
        if tex:
            self._line += (JOINER if self._line.endswith(("$", "\\")) else "") + f"${tex}$"

    def display(self, tex: str) -> None:
        """Mathematics on lines of its own."""
        if not tex:
            return
        container = _CONTAINER.match(self._line)
        assert container is not None
        before = re.sub(r"[^ >]", " ", container[0])
        if self._line[container.end() :].strip():
            self.inline(f"\n{before}")
        lines = ["$$", *tex.split("\n"), "$$"]
        self.inline(f"\n{before}".join(lines))
        self._before = before

    def end_display(self) -> None:
        """What follows a display on its line goes to the next."""
        self.inline(f"\n{self._before}")
