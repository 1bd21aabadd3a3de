"""Chunks of a long text: Markdown in pieces that render alone, so that a page draws only what is read."""

import re

CHUNK = 10_000  # characters, some 10,000 nodes with formulas
_FENCE = re.compile(r"[ >]*(?:(?:[-*+]|\d{1,9}[.)]) +)*(`{3,}|~{3,})")
_WHOLE = re.compile(r"\\.|(`+).*?\1|\$\$.*?\$\$|\$[^$]*\$|\s", re.DOTALL)


def chunks(markdown: str, size: int = CHUNK) -> list[str]:
    """Splits normalized Markdown between its blocks; a paragraph that is longer than twice ``size``, between words."""
    found, block = [""], ""
    for block in (part for whole in _blocks(markdown) for part in _short(whole, 2 * size)):
        if found[-1] and len(found[-1]) + len(block) > size:
            found.append("")
        found[-1] += block
    return found


def _blocks(markdown: str) -> list[str]:
    """Blocks with the empty lines that follow: cut before lines at the margin, outside of code and displays."""
    blocks, fence, display, empty = [""], "", False, False
    for line in markdown.splitlines(keepends=True):
        opened = _FENCE.match(line)
        if empty and not fence and not display and line[:1].strip():
            blocks.append("")
        if not display and opened and (not fence or (opened[1].startswith(fence) and not line[opened.end() :].strip())):
            fence = "" if fence else opened[1]
        elif not fence and line.rstrip("\n").endswith("$$") and line.strip(" >\n")[-2:] == "$$":
            display = not display
        empty = not line.strip()
        blocks[-1] += line
    return blocks


def _short(block: str, limit: int) -> list[str]:
    """A block in parts of at most about ``limit`` characters, cut at white space outside of formulas and code."""
    parts, start = [], 0
    for piece in _WHOLE.finditer(block) if len(block) > limit else ():
        if piece.start() - start > limit and piece[0].isspace():
            parts.append(block[start : piece.start()] + "\n\n")
            start = piece.end()
    return [*parts, block[start:]]
