"""Markdown with mathematics: turns a model's text into Markdown that KaTeX can render and in which nothing is active.

Mathematics becomes ``$...$`` within a line, or a display between lines of ``$$``. Headings, emphasis, lists,
quotations, tables and code keep their meaning. HTML, links, images, footnotes, entities, directives (``:red[...]``),
icons and emoji lose theirs: an invisible word joiner separates the two characters that start them, so that they are
shown as text.

`normalize` is idempotent.
"""

import re
from collections.abc import Callable, Iterator

from explorer.katex import ENVIRONMENTS, display_tex, inline_tex
from explorer.markdown_writer import MarkdownWriter

JOINER = "\u2060"

_COMMAND = re.compile(r"\\(?:[A-Za-z]+| )")
_SPACING = re.compile(
    r"\\(qed|blacksquare|medskip|bigskip|smallskip|noindent|par|newline|hfill|centering|newpage)(?![A-Za-z])(?:\{\})?"
    r"|\\( )|\\(?:begin|end)\{(?:itemize|enumerate|center|proof|description)\}(?:\[[^\]\n]*\])?"
)
_SPACINGS = {"qed": "∎", "blacksquare": "∎"}
_SYMBOLS = {
    r"\times": "×", r"\le": "≤", r"\leq": "≤", r"\ge": "≥", r"\geq": "≥", r"\ne": "≠", r"\neq": "≠", r"\cdot": "·",
    r"\ldots": "…",    r"\dots": "…", r"\to": "→", r"\rightarrow": "→", r"\Rightarrow": "⇒", r"\implies": "⇒",
    r"\iff": "⇔",
    r"\in": "∈", r"\infty": "∞",
}  # fmt: skip
_ITEM = re.compile(r"\\item(?![A-Za-z]) *(?:\[([^\]\n]*)\])? *")
_EMPHASIS = {
    r"\textbf": "**",
    r"\emph": "*",
    r"\textit": "*",
    r"\underline": "*",
    r"\textsc": "",
    r"\textrm": "",
    r"\textup": "",
}
_FENCE = re.compile(r"[ >]*(?:(?:[-*+]|\d{1,9}[.)]) +)*(`{3,}|~{3,})")
_BEGIN = re.compile(r"\\begin\{(" + "|".join(re.escape(name) for name in ENVIRONMENTS) + r")\}")
_CODE = re.compile(r"`+")
_DELIMITER_ROW = re.compile(r"[ >]*\|?[ :|-]*-[ :|-]*$")
_HEADING = re.compile(r"^([ >]*(?:(?:[-*+]|\d{1,9}[.)]) +)*)#{1,6}(?=[ \t])")
# Positions between the two characters that start something active; the joiner is inserted there.
_ACTIVE = re.compile(rf"(?:(?<=:)(?=[^\s{JOINER}])|(?<=<)(?=[A-Za-z/!?])|(?<=&)(?=[#\w])|(?<=\])(?=[(\[:])"
                     r"|(?<=\[)(?=[\^ xX]\]?)|(?<=@)(?=[-\w])|(?<=(?i:www))(?=\.))")  # fmt: skip
# A sentence that ends with its line: the line break is kept.
_LINE_END = re.compile(r"([.:;!?])\n(?=[^\s|#>*+\-=\d`~_:]|\Z)")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")  # that of ASCII, which a backslash makes plain in Markdown
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_MAX_LENGTH = 400_000  # characters that are shown of one text


def normalize(text: str) -> str:
    """Converts untrusted text to safe Markdown with mathematics."""
    text = _CONTROL.sub("", text[:_MAX_LENGTH].replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    "))
    return "".join(part for part in _parts(_without_stray_indents(text)))


def plain_text(text: str) -> str:
    """Converts an untrusted name to Markdown that shows it on one line, letter by letter."""
    words = " ".join(_CONTROL.sub("", text[:_MAX_LENGTH]).split())
    return _PUNCTUATION.sub(r"\\\g<0>", _ACTIVE.sub(JOINER, words))


def _parts(text: str) -> Iterator[str]:
    """Yields fenced code unchanged and the rest normalized."""
    lines, start, position = text.split("\n"), 0, 0
    while position < len(lines):
        end = _fence_end(lines, position)
        if end is None:
            position += 1
            continue
        if position > start:
            yield _Scan("\n".join(lines[start:position])).run() + "\n"
        yield _code_block(lines[position : end + 1]) + ("\n" if end + 1 < len(lines) else "")
        start = position = end + 1
    if start < len(lines):
        yield _Scan("\n".join(lines[start:])).run()


def _fence_end(lines: list[str], start: int) -> int | None:
    """Number of the line that closes a fence opened on line ``start``; None where none opens or closes."""
    opened = _FENCE.match(lines[start])
    if opened is None or "`" in lines[start][opened.end() :]:
        return None
    close = re.compile(rf"[ >]*{re.escape(opened[1][0])}{{{len(opened[1])},}} *$")
    return next((number for number in range(start + 1, len(lines)) if close.match(lines[number])), None)


def _code_block(lines: list[str]) -> str:
    opened = _FENCE.match(lines[0])
    assert opened is not None
    return "\n".join([lines[0][: opened.end()], *(_inert(line) for line in lines[1:-1]), lines[-1].rstrip()])


def _inert(text: str) -> str:
    """Text in which only emphasis and blocks keep a meaning."""
    if _DELIMITER_ROW.match(text):
        return text
    return _ACTIVE.sub(JOINER, text)


def _demoted(line: str) -> str:
    """Lowers a heading to the smallest size: larger ones belong to the page."""
    return _HEADING.sub(r"\1####", line)


class _Scan:
    """One pass over text without fenced code."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.plain: list[str] = []
        self.out = MarkdownWriter()

    def run(self) -> str:
        """Returns the normalized text."""
        while self.position < len(self.text):
            char = self.text[self.position]
            step = _STEPS.get(char)
            if step is None or not step(self):
                self.plain.append(char)
                self.position += 1
        self._flush()
        return self.out.text()

    def backslash(self) -> bool:
        """Handles mathematics that begins with a backslash, LaTeX markup, and escaped characters."""
        here = self.text[self.position : self.position + 2]
        if here in (r"\(", r"\["):
            close = r"\)" if here == r"\(" else r"\]"
            end = _closing(self.text, self.position + 2, close)
            if end is not None:
                return self._math(self.position + 2, end, 2, display=here == r"\[")
        begun = _BEGIN.match(self.text, self.position)
        if begun:
            closing = f"\\end{{{begun[1]}}}"
            end = self.text.find(closing, begun.end())
            if end >= 0:
                return self._math(self.position, end + len(closing), 0, display=True)
        if self._symbol() or self._markup():
            return True
        if here in (r"\(", r"\)", r"\[", r"\]"):  # a delimiter without its counterpart
            self.plain.append("\\\\" + here[1])
        else:
            self.plain.append(here if here != "\\\n" else "\\")
        self.position += 1 if here == "\\\n" else len(here)
        return True

    def _symbol(self) -> bool:
        """Replaces a symbol command outside of mathematics by its character."""
        found = _COMMAND.match(self.text, self.position)
        if found is None or found[0] not in _SYMBOLS:
            return False
        self.plain.append(_SYMBOLS[found[0]])
        self.position = found.end()
        return True

    def _markup(self) -> bool:
        """Handles LaTeX markup of text: emphasis, items, spacing, boxes."""
        found = _COMMAND.match(self.text, self.position)
        if found is None:
            return False
        after = _SPACING.match(self.text, self.position)
        if after:
            self.position = after.end()
            self.plain.append(_SPACINGS.get(after[1], after[2] or ""))
            return True
        item = _ITEM.match(self.text, self.position)
        if item:
            self.plain.append(f"\n- {item[1] + ' ' if item[1] else ''}")
            self.position = item.end()
            return True
        if found[0] == r"\boxed" and (end := _closing_brace(self.text, found.end())) is not None:
            return self._math(self.position, end + 1, 0, display=False)
        marks, end = _EMPHASIS.get(found[0]), _closing_brace(self.text, found.end())
        if marks is None or end is None:
            return False
        inner = self.text[found.end() + 1 : end]
        self.text = f"{marks}{inner.strip()}{marks}{' ' if inner.endswith(' ') else ''}{self.text[end + 1 :]}"
        self.position = 0
        return True

    def dollar(self) -> bool:
        """Handles ``$$...$$``, and ``$...$`` unless it is a price."""
        if self.text.startswith("$$", self.position):
            end = _closing(self.text, self.position + 2, "$$")
            if end is not None and self.text[self.position + 2 : end].strip(" \n$"):
                return self._math(self.position + 2, end, 2, display=True)
            self.plain.append(r"\$\$")
            self.position += 2
            return True
        end = _dollar_end(self.text, self.position + 1)
        if end is not None:
            return self._math(self.position + 1, end, 1, display=False)
        self.plain.append(r"\$")
        self.position += 1
        return True

    def code(self) -> bool:
        """Handles a code span, which must close on its line; otherwise its backticks are text."""
        run = _CODE.match(self.text, self.position)
        assert run is not None
        line_end = self.text.find("\n", run.end())
        rest = self.text[run.end() : len(self.text) if line_end < 0 else line_end]
        close = next((found for found in _CODE.finditer(rest) if found[0] == run[0]), None)
        if close is None or "|" in rest[: close.start()]:  # a table would cut the span in two
            self.plain.append("\\`" * len(run[0]))
            self.position = run.end()
            return True
        self._flush()
        self.out.write_raw(run[0] + _inert(rest[: close.start()]) + run[0])
        self.position = run.end() + close.end()
        return True

    def tilde(self) -> bool:
        """Escapes a tilde, so that it strikes nothing through."""
        self.plain.append(r"\~")
        self.position += 1
        return True

    def _math(self, start: int, end: int, delimiter: int, *, display: bool) -> bool:
        tex = self.text[start:end]
        self.position = end + delimiter
        self._flush()
        tex = self.out.unquoted(tex)
        if display and not self.out.in_table:
            if punctuation := re.compile(r"[.,;](?=\s|$)").match(self.text, self.position):
                tex = f"{tex.rstrip()}{punctuation[0]}"
                self.position += 1
            self.out.write_display_math(display_tex(tex))
            rest = re.compile(r" +").match(self.text, self.position)
            self.position = rest.end() if rest else self.position
            if self.text[self.position : self.position + 1] not in ("", "\n"):
                self.out.end_display()
        else:
            self.out.write_inline_math(inline_tex(tex, in_table=self.out.in_table))
        return True

    def _flush(self) -> None:
        text = "".join(self.plain)
        self.plain = []
        if text:
            first, *rest = text.split("\n")
            lines = [first if self.out.has_partial_line else _demoted(first), *(_demoted(line) for line in rest)]
            self.out.write_text(_LINE_END.sub(r"\1  \n", "\n".join(_inert(line) for line in lines)))


_STEPS: dict[str, Callable[[_Scan], bool]] = {
    "\\": _Scan.backslash,
    "$": _Scan.dollar,
    "`": _Scan.code,
    "~": _Scan.tilde,
}


def _closing_brace(text: str, start: int) -> int | None:
    """Position at which the group opened at ``start`` closes within its paragraph; None where it does not."""
    depth, position = 0, start
    if not text.startswith("{", start):
        return None
    while position < len(text) and not text.startswith("\n\n", position):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if not depth:
            return position
        position += 2 if text[position] == "\\" else 1
    return None


_OPENERS = {r"\)": r"\(", r"\]": r"\["}


def _closing(text: str, start: int, close: str) -> int | None:
    """Position of the next unescaped ``close`` before another opening; ``\\\\[4mm]`` is a line end, not an opening."""
    position = start
    while position < len(text):
        if text.startswith(close, position):
            return position
        if close == r"\)" and text.startswith("\n\n", position):
            return None
        if close != "$$" and text.startswith(_OPENERS[close], position):
            return None
        if text[position] == "\\":
            position += 2
        else:
            position += 1
    return None


_MATHEMATICAL = re.compile(r"[\\^_]")
_SPACED = re.compile(r"[\\^_=<>+]|^ \S+ $")


def _is_math(content: str, follows: str) -> bool:
    """True where the text between two dollars is mathematics, not a price. ``follows``: character after the second."""
    begins, ends = not content[:1].isspace(), not content[-1:].isspace()
    if not content.strip() or (follows.isdigit() and not _MATHEMATICAL.search(content)):
        return False
    if begins and ends:
        return True
    return bool((_SPACED if begins == ends else _MATHEMATICAL).search(content))


def _dollar_end(text: str, start: int) -> int | None:
    """Position at which ``$...$`` closes: not across an empty line, and not as a price would."""
    if text[start : start + 1] in ("", "\n", "$"):
        return None
    position = start
    while position < len(text):
        char = text[position]
        if char == "$":
            return position if _is_math(text[start:position], text[position + 1 : position + 2]) else None
        if text.startswith("\n\n", position) and text.count("\\begin{", start, position) <= text.count(
            "\\end{", start, position
        ):
            return None
        position += 2 if char == "\\" else 1
    return None


_MARKER = re.compile(r" *(?:[-*+]|\d{1,9}[.)]) +")


def _without_stray_indents(text: str) -> str:
    """Limits the indent of lines outside of lists to three blanks: models do not mean code by indenting."""
    room, blank, lines = 0, True, []
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        if line.strip():
            if not indent and blank and not _MARKER.match(line):
                room = 0
            line = line[max(0, indent - room - 3) :]  # noqa: PLW2901
            while_marked = _MARKER.match(line)
            room = while_marked.end() if while_marked else room
        blank = not line.strip()
        lines.append(line)
    return "\n".join(lines)
