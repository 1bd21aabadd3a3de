"""Document blocks, rendered as Markdown and as HTML. Every text is data: escaped, never markup."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

Cell = str | int | float | None
LINE = 120  # characters of a line of a paragraph in Markdown


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 to 3."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below the names of ``columns``; numbers are aligned right. ``caption``: meaning of the numbers.

    ``shade``: the number that has the darkest background, in HTML; 0: no backgrounds.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    shade: float = 0.0


@dataclass(frozen=True, slots=True)
class Image:
    """An image file beside the document."""

    file: str
    caption: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Preformatted text with its line breaks."""

    text: str


Block = Heading | Text | Table | Image | Verbatim

STYLE = """
:root { color-scheme: light dark; --accent: 36, 98, 163 }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1.2rem }
h1, h2, h3 { font-weight: 650; line-height: 1.2; margin: 2.4rem 0 .6rem } h1 { font-size: 2rem; margin-top: 1rem }
h2 { border-bottom: 2px solid rgba(var(--accent), .35); padding-bottom: .2rem } p { max-width: 46rem }
nav { font-size: 14px; margin: 1rem 0 2rem } nav a { margin-right: 1rem; white-space: nowrap }
a { color: rgb(var(--accent)) } @media (prefers-color-scheme: dark) { :root { --accent: 122, 178, 240 } }
.scroll { overflow-x: auto; margin: .8rem 0 }
table { border-collapse: collapse; font-size: 14px; line-height: 1.4 }
caption { caption-side: bottom; text-align: left; opacity: .75; padding-top: .5rem; max-width: 46rem }
thead th { border-bottom: 2px solid #8888; vertical-align: bottom }
th, td { padding: .28rem .8rem .28rem .3rem; text-align: left; border-bottom: 1px solid #8883; vertical-align: top }
tbody tr:hover { background: #8881 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
figure { margin: 1.5rem 0 } img { max-width: 100%; background: #fff } figcaption { opacity: .75; font-size: 14px }
pre { overflow-x: auto; padding: 1rem; border: 1px solid #8884; font-size: 13px }
@media print { .scroll { overflow: visible } nav { display: none } }
"""
_DIGITS = re.compile(r"([0-9]+)")
_HIDDEN = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd") | {ord("\n"): "\n", ord("\t"): "\t"}
CONTENT_SECURITY_POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"


def shown(cell: Cell) -> str:
    """Text of a cell; a dash for a missing number."""
    if cell is None or cell != cell:  # noqa: PLR0124 - not a number
        return "–"
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.3g}" if isinstance(cell, float) else cell


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: ``1 proof``, ``2 analyses``, ``1,000 proofs``; ``plural`` where it is no regular one."""
    regular = noun.removesuffix("is") + "es" if noun.endswith("sis") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural or regular}"


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts names with the numbers in them by value, whatever the case: PB-Basic-9 before PB-Basic-10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in _DIGITS.split(name) if part]


def markdown(blocks: Sequence[Block]) -> str:
    """Renders the blocks as Markdown."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def html(title: str, blocks: Sequence[Block]) -> str:
    """Renders the blocks as one page without scripts that may load nothing but images beside it."""
    rendered = [_html(block, number) for number, block in enumerate(blocks)]
    titled = bool(blocks) and isinstance(blocks[0], Heading) and blocks[0].level == 1
    body = "\n".join([*rendered[:titled], _contents(blocks), *rendered[titled:]])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_plain(block.text)}"
    if isinstance(block, Text):
        return _wrapped(block.text)
    if isinstance(block, Image):
        return f"![{_plain(block.caption)}]({block.file})"
    if isinstance(block, Verbatim):
        return "\n".join(f"    {line}" for line in _visible(block.text).splitlines())
    rules = ["---:" if _numeric(block, index) else "---" for index in range(len(block.columns))]
    lines = [block.columns, rules, *([shown(cell) for cell in row] for row in block.rows)]
    rows = [
        "| " + " | ".join(text if line is rules else _plain(text) for text in map(str, line)) + " |" for line in lines
    ]
    return "\n".join(rows) + (f"\n\n{_wrapped(block.caption)}" if block.caption else "")


def _plain(text: str) -> str:
    """``text`` in one line, in which no character is Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>|$#&~])", r"\\\1", " ".join(_visible(text).split()))


def _wrapped(text: str) -> str:
    """`_plain` text in lines of at most `LINE` characters, none of which starts a list or underlines a heading."""
    lines = wrap(_plain(text), LINE, break_long_words=False, break_on_hyphens=False)
    return "\n".join(re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", line) for line in lines)


def _visible(text: str) -> str:
    """``text`` with control characters, which may move the cursor of a terminal, as U+FFFD."""
    return text.translate(_HIDDEN)


def _escape(text: str) -> str:
    return escape(_visible(text))


def _contents(blocks: Sequence[Block]) -> str:
    """Links to the headings of level 2, where there are several."""
    found = [(number, each) for number, each in enumerate(blocks) if isinstance(each, Heading) and each.level == 2]
    links = "".join(f'<a href="#s{number}">{_escape(each.text)}</a>\n' for number, each in found)
    return f"<nav>{links}</nav>" if len(found) > 2 else ""


def _html(block: Block, number: int) -> str:
    if isinstance(block, Heading):
        return f'<h{block.level} id="s{number}">{_escape(block.text)}</h{block.level}>'
    if isinstance(block, Text):
        return f"<p>{_escape(block.text)}</p>"
    if isinstance(block, Image):
        caption = _escape(block.caption)
        image = f'<img src="{_escape(block.file)}" alt="{caption}">'
        return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
    if isinstance(block, Verbatim):
        return f"<pre>{_escape(block.text)}</pre>"
    kinds = [' class="number"' if _numeric(block, index) else "" for index in range(len(block.columns))]
    head = "".join(f"<th{kind}>{_escape(text)}</th>" for kind, text in zip(kinds, block.columns, strict=True))
    rows = [
        "<tr>"
        + "".join(
            f"<td{kind}{_background(cell, block.shade)}>{_escape(shown(cell))}</td>"
            for kind, cell in zip(kinds, row, strict=True)
        )
        + "</tr>"
        for row in block.rows
    ]
    caption = f"<caption>{_escape(block.caption)}</caption>" if block.caption else ""
    body = "\n".join(rows)
    return (
        f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'
    )


def _background(cell: Cell, most: float) -> str:
    if not most or isinstance(cell, str) or cell is None or cell != cell:  # noqa: PLR0124 - not a number
        return ""
    return f' style="background: rgba(var(--accent), {0.6 * min(max(cell / most, 0.0), 1.0):.2f})"'


def _numeric(table: Table, index: int) -> bool:
    """True for a column of numbers (texts such as 65/72 begin with a digit)."""
    cells = [row[index] for row in table.rows if row[index] is not None]
    return bool(cells) and all(not isinstance(cell, str) or re.match(r"[–+-]?[0-9]|–$", cell) for cell in cells)
