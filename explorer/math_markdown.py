"""Markdown with mathematics: turns a model's text into Markdown that KaTeX can render and in which nothing is active.

Mathematics becomes ``$...$`` within a line, or a display between lines of ``$$``. Headings, emphasis, lists,
quotations, tables and code keep their meaning. HTML, links, images, footnotes, entities, directives (``:red[...]``),
icons and emoji lose theirs: an invisible word joiner separates the two characters that start them, so that they are
shown as text.

`normalize` is idempotent.
"""

import re
from collections.abc import Callable, Mapping

from explorer.code_blocks import split_code, without_stray_indents
from explorer.emphasis import resolve_emphasis
from explorer.equation_numbers import equation_numbers, resolve_references
from explorer.inert_text import JOINER, inert, separated
from explorer.katex import ENVIRONMENTS, PARTS, display_tex, inline_tex
from explorer.latex_text import TextBlocks
from explorer.markdown_writer import MarkdownWriter
from explorer.tex_macros import Macro, closing_brace, take_definitions

_COMMAND = re.compile(r"\\(?:[A-Za-z]+| )")
_SPACING = re.compile(
    r"\\(qed|blacksquare|medskip|bigskip|smallskip|par|newline|hfill|centering|newpage|q?quad)(?![A-Za-z])(?:\{\})?"
    r"|\\( )|(\\[,;])|((?:\\\\(?:\[[\d.]+ ?[a-z]+\])? *)+(?=\n|\$\$|\\\[|\\begin\{))"
)
_SPACINGS = {
    "qed": "∎", "blacksquare": "∎", "par": "\n\n", "medskip": "\n\n", "bigskip": "\n\n", "smallskip": "\n\n",
    "newline": "  \n", "quad": "\u2003", "qquad": "\u2003\u2003",
}  # fmt: skip
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
_BEGIN = re.compile(r"\\begin\{(" + "|".join(re.escape(name) for name in (*ENVIRONMENTS, *PARTS)) + r")\}")
_CODE = re.compile(r"`+")
_HEADING = re.compile(r"^([ >]*(?:(?:[-*+]|\d{1,9}[.)]) +)*)#{1,6}(?=[ \t])")
# A sentence that ends with its line: the line break is kept.
_LINE_END = re.compile(r"([.:;!?])\n(?=[^\s|#>*+\-=\d`~_:]|\Z)")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")  # that of ASCII, which a backslash makes plain in Markdown
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
MAX_FORMULA = 20_000  # characters; a longer one is shown as code
_MAX_LENGTH = 400_000  # characters that are shown of one text


def normalize(text: str) -> str:
    """Converts untrusted text to safe Markdown with mathematics."""
    text = _CONTROL.sub("", text[:_MAX_LENGTH].replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    "))
    parts = list(split_code(without_stray_indents(text)))
    prose, macros = "", {}
    for place, (is_code, part) in enumerate(parts):
        if not is_code:
            rest, defined = take_definitions(part)
            parts[place] = (False, rest)
            prose += rest
            macros |= defined
    numbers = equation_numbers(prose)
    shown = [part if is_code else _Scan(resolve_references(part, numbers), macros).run() for is_code, part in parts]
    # Control spaces and other markup at the start of a line leave an indent behind.
    return without_stray_indents(resolve_emphasis("".join(shown)))


def plain_text(text: str) -> str:
    """Converts an untrusted name to Markdown that shows it on one line, letter by letter."""
    words = " ".join(_CONTROL.sub("", text[:_MAX_LENGTH]).split())
    return _PUNCTUATION.sub(r"\\\g<0>", separated(words))


def _demoted(line: str) -> str:
    """Lowers a heading to the smallest size: larger ones belong to the page."""
    return _HEADING.sub(r"\1####", line)


_RELATION_START = re.compile(r"> ?(?:[\d=($-]|\\[(\[A-Za-z])")
_ITEM_START = re.compile(r" *(?:[-*+]|\d{1,9}[.)]) ")


def _literal_start(line: str, above: str) -> str:
    """Escapes the beginning of a line that only looks like a quotation, a list or an underline of the line above."""
    text = line.lstrip(" ")
    running = bool(above.strip()) and not _ITEM_START.match(above)
    if text.startswith(">=") or (running and not above.lstrip().startswith(">") and _RELATION_START.match(text)):
        return line.replace(">", r"\>", 1)
    if running and text.startswith("+ "):
        return line.replace("+", r"\+", 1)
    if above.strip() and "|" not in above and re.fullmatch(r"=+ *", text):
        return line.replace("=", r"\=", 1)
    return f"\n{line}" if above.strip() and "|" not in above and re.fullmatch(r"-{2,} *", text) else line


class _Scan:
    """One pass over text without fenced code."""

    def __init__(self, text: str, macros: Mapping[str, Macro]) -> None:
        self.text = text
        self.macros = macros
        self.blocks = TextBlocks()
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
        after = _SPACING.match(self.text, self.position)
        found = _COMMAND.match(self.text, self.position)
        if found is None and after is None:
            return False
        replaced = self.blocks.replace(self.text, self.position)
        if replaced:
            self._replace(*replaced)
        elif after:
            self.position = after.end()
            thin, line_end = after[3] and "\u2009", after[4] and "  "
            self.plain.append(_SPACINGS.get(after[1], after[2] or thin or line_end or ""))
        return bool(replaced or after) or (found is not None and self._item_or_box(found))

    def _item_or_box(self, found: re.Match[str]) -> bool:
        item = _ITEM.match(self.text, self.position)
        if item:
            self._replace(self.blocks.item(item[1]), item.end())
            return True
        if found[0] == r"\boxed" and (end := closing_brace(self.text, found.end())) is not None:
            return self._math(self.position, end + 1, 0, display=False)
        return self._emphasis(found)

    def _emphasis(self, found: re.Match[str]) -> bool:
        marks, end = _EMPHASIS.get(found[0]), closing_brace(self.text, found.end())
        if marks is None or end is None:
            return False
        inner = self.text[found.end() + 1 : end]
        left = JOINER if self.plain and self.plain[-1][-1:].isalnum() else ""
        right = " " if inner.endswith(" ") else JOINER if self.text[end + 1 : end + 2].isalnum() else ""
        if not marks or not inner.strip():
            left = right = ""
        self._replace(f"{left}{marks}{inner.strip()}{marks}{right}" if inner.strip() else "", end + 1)
        return True

    def _replace(self, words: str, end: int) -> None:
        """Reads ``words`` in place of the text up to ``end``."""
        self.text = words + self.text[end:]
        self.position = 0

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
        self.out.write_raw(run[0] + separated(rest[: close.start()]) + run[0])
        self.position = run.end() + close.end()
        return True

    def tilde(self) -> bool:
        """Escapes a tilde, so that it strikes nothing through; in ``Theorem~3`` it is a space of LaTeX."""
        tied = re.compile(r"(?<=[A-Za-z.])~(?=[\d\\($])").match(self.text, self.position)
        self.plain.append("\u00a0" if tied else r"\~")
        self.position += 1
        return True

    def _math(self, start: int, end: int, delimiter: int, *, display: bool) -> bool:
        tex = self.text[start:end]
        self.position = end + delimiter
        self._flush(before_display=display and not self.out.in_table)
        if len(tex) > MAX_FORMULA:
            ticks = "`" * (1 + max((len(run) for run in _CODE.findall(tex)), default=0))
            self.out.write_raw(f"{ticks} {' '.join(separated(tex).split())} {ticks}")
            return True
        tex = self.out.unquoted(tex)
        if display and not self.out.in_table:
            if punctuation := re.compile(r"[.,;](?=\s|$)").match(self.text, self.position):
                tex = f"{tex.rstrip()}{punctuation[0]}"
                self.position += 1
            self.out.write_display_math(display_tex(tex, self.macros))
            rest = re.compile(r" +").match(self.text, self.position)
            self.position = rest.end() if rest else self.position
            if self.text[self.position : self.position + 1] not in ("", "\n"):
                self.out.end_display()
        else:
            self.out.write_inline_math(inline_tex(tex, self.macros, in_table=self.out.in_table))
        return True

    def _flush(self, *, before_display: bool = False) -> None:
        """Writes the text up to here. A display begins a line of its own, so that no line break is needed before it."""
        text = "".join(self.plain)
        self.plain = []
        if text:
            lines = text.split("\n")
            above = self.out.last_line + lines[0]
            for place, line in enumerate(lines):
                if place or not self.out.last_line:
                    lines[place] = _demoted(_literal_start(line, above if place else ""))
                above = line if place else above
            shown = "\n".join(inert(line) for line in lines)
            end = "\n" if before_display and shown.endswith("\n") else ""
            self.out.write_text(_LINE_END.sub(r"\1  \n", shown.removesuffix(end)) + end)


_STEPS: dict[str, Callable[[_Scan], bool]] = {
    "\\": _Scan.backslash,
    "$": _Scan.dollar,
    "`": _Scan.code,
    "~": _Scan.tilde,
}


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
    if not content.strip() or (follows.isdigit() and content[:1].isdigit() and not _MATHEMATICAL.search(content)):
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
        position = _after_words(text, position)
    return None


_WORDS = re.compile(r"\\(?:text[a-z]*|mbox|hbox|intertext|tag\*?)\s*(?=\{)")


def _after_words(text: str, position: int) -> int:
    """Position after the character, or after the words (``\\text{...}``, which may hold formulas) at ``position``."""
    words = _WORDS.match(text, position)
    end = closing_brace(text, words.end()) if words else None
    if end is not None:
        return end + 1
    return position + (2 if text[position] == "\\" else 1)
