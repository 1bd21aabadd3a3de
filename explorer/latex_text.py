r"""LaTeX of text, outside of formulas, as Markdown: theorems, proofs, sections, lists, tables, quotation marks."""

import re

THEOREMS = {
    "theorem": "Theorem", "thm": "Theorem", "lemma": "Lemma", "lem": "Lemma", "proposition": "Proposition",
    "prop": "Proposition", "corollary": "Corollary", "cor": "Corollary", "claim": "Claim", "fact": "Fact",
    "definition": "Definition", "remark": "Remark", "example": "Example", "conjecture": "Conjecture",
    "problem": "Problem", "solution": "Solution", "observation": "Observation", "case": "Case", "note": "Note",
}  # fmt: skip
_BLOCK = re.compile(r"\\(begin|end)\{([A-Za-z]+)\*?\}(?:\[([^\]\n]*)\])?[ \t]*\n?")
_SECTION = re.compile(r"\\(?:sub)*(?:section|paragraph|chapter|part)\*?\s*\{([^{}\n]*)\}[ \t]*\n?")
_END_OF_PROOF = re.compile(r"\\(?:qed|qedhere|qedsymbol|blacksquare)\s*(?=\\end\{proof\})")
_TABULAR = re.compile(r"\\begin\{tabular\}(?:\[[^\]\n]*\])?\{[^\n]*?\}\s*\n?(.*?)\\end\{tabular\}", re.DOTALL)
_LISTS = ("itemize", "enumerate", "description")
_IGNORED = ("center", "document", "flushleft", "flushright", "abstract", "quote", "figure", "table", "minipage")
_RULES = re.compile(r"\\(?:hline|toprule|midrule|bottomrule|cline\{[^{}]*\})")
_SIMPLE = re.compile(
    r"\\(?:(tag\*?)|(label)|(footnote)|(cite[tp]?)|(url|texttt)|(text|textnormal|mbox|hbox|uline))\s*\{([^{}\n]*)\}"
    r"|\\(maketitle|tableofcontents|qedhere|noindent|indent|clearpage|today)(?![A-Za-z])"
    r"|\\(?:documentclass|usepackage|title|author|date)(?:\[[^\]\n]*\])?\{[^{}\n]*\}"
)


class TextBlocks:
    """Blocks of LaTeX that are open: lists with the numbers of their items."""

    def __init__(self) -> None:
        self.lists: list[int | None] = []  # the number of the last item; None for bullets

    def replace(self, text: str, position: int) -> tuple[str, int] | None:
        """Markdown for the LaTeX at a position, and its end there; None where it is none of these."""
        end_of_proof = _END_OF_PROOF.match(text, position)
        if end_of_proof:  # the end of the proof has the sign
            return "", end_of_proof.end()
        table = _TABULAR.match(text, position)
        if table:
            return _table(table[1]), table.end()
        block = _BLOCK.match(text, position)
        if block:
            words = self._block(block)
            return None if words is None else (words, block.end())
        section = _SECTION.match(text, position)
        if section:
            return f"\n\n#### {section[1].strip()}\n\n", section.end()
        simple = _SIMPLE.match(text, position)
        return None if simple is None else (_simple(simple), simple.end())

    def item(self, label: str | None) -> str:
        """Beginning of an item of the innermost list."""
        indent = "   " * max(len(self.lists) - 1, 0)
        last = self.lists[-1] if self.lists else None
        if label is not None or last is None:
            return f"\n{indent}- {label + ' ' if label else ''}"
        self.lists[-1] = last + 1
        return f"\n{indent}{last + 1}. "

    def _block(self, block: re.Match[str]) -> str | None:
        begins, name, title = block[1] == "begin", block[2], block[3]
        if name in THEOREMS:
            named = f" ({title})" if title else ""
            return f"\n\n**{THEOREMS[name]}{named}.** " if begins else "\n\n"
        if name == "proof":
            return f"\n\n*{title or 'Proof'}.* " if begins else " ∎\n\n"
        if name in _LISTS:
            if begins:
                self.lists.append(0 if name == "enumerate" else None)
            elif self.lists:
                self.lists.pop()
            return "\n" if begins else "\n\n"
        return "\n" if name in _IGNORED else None


def _simple(found: re.Match[str]) -> str:
    tag, label, footnote, cite, code, same, words, _ = found.groups()
    if tag or footnote:
        return f"({words})"
    if cite:
        return f"[{words}]"
    if code:
        return f"`{words}`" if "`" not in words else words
    return words if same and not label else ""


def _table(body: str) -> str:
    """Table of Markdown, whose first row is its head."""
    rows = [
        [cell.strip().replace("\n", " ") for cell in re.split(r"(?<!\\)&", row)]
        for row in re.split(r"\\\\(?:\[[^\]\n]*\])?", _RULES.sub("", body))
        if row.strip()
    ]
    if not rows:
        return ""
    width = max(len(row) for row in rows)
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in rows]
    return "\n\n" + "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]]) + "\n\n"
