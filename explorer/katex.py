"""TeX for KaTeX: rewrites commands and environments that KaTeX lacks. KaTeX renders it with trust turned off."""

import re
from collections.abc import Mapping

from explorer.tex_macros import Macro, expand

# Environments that need no delimiters around them.
ENVIRONMENTS = (
    "equation", "equation*", "align", "align*", "gather", "gather*", "alignat", "alignat*", "multline", "multline*",
    "eqnarray", "eqnarray*", "displaymath", "flalign", "flalign*",
)  # fmt: skip

# Environments that need delimiters, which are supplied where they are missing.
PARTS = (
    "aligned", "gathered", "split", "cases", "dcases", "array", "matrix", "pmatrix", "bmatrix", "vmatrix", "Vmatrix",
    "smallmatrix",
)  # fmt: skip

_RENAMED = (
    (re.compile(r"\\(begin|end)\{(?:multline|flalign)\*?\}"), r"\\\1{gather*}"),
    (re.compile(r"\\(begin|end)\{eqnarray\*?\}"), r"\\\1{align*}"),
    (re.compile(r"\\(begin|end)\{displaymath\}"), ""),
    (re.compile(r"\\(begin|end)\{tabular\}"), r"\\\1{array}"),
    (re.compile(r"\\(?:label|cite|nonumber|notag)\b(?:\{[^{}]*\})?"), ""),
    (re.compile(r"\\(?:mbox|hbox)(?=\s*\{)"), r"\\text"),
    (re.compile(r"\\(?:qedhere|hfill|displaylimits|allowbreak)(?![A-Za-z])"), ""),
    (re.compile(r"\\qed(?![A-Za-z])"), r"\\square"),
    (re.compile(r"\\(lcm|ord|sgn|Res|Aut|rank|tr|diam)(?![A-Za-z])"), r"\\operatorname{\1}"),
    (re.compile(r"\\textbackslash(?![A-Za-z])"), r"\\backslash "),
    (re.compile(r"\\ensuremath(?![A-Za-z])"), ""),
    (re.compile(r"\\textsc(?=\s*\{)"), r"\\text"),
    (re.compile(r"\\(?:bm|boldmath)(?![A-Za-z])"), r"\\boldsymbol"),
)
# Characters for which KaTeX has no font metrics.
_SIGNS = str.maketrans({
    "∗": "*", "‑": "-", "–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " ",
    "\u2009": " ",
    "\u200b": "", "\u2060": "", "，": ",", "；": ";", "：": ":", "（": "(", "）": ")",
})  # fmt: skip
_OUTER = re.compile(r"\\(begin|end)\{(align|gather|alignat|equation)\*?\}")
_INNER = {"align": "aligned", "gather": "gathered", "alignat": "alignedat"}
_TAG = re.compile(r"\\tag\*?\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_DOLLARS = re.compile(r"\$([^$]*)\$")
_ACTIVE = re.compile(r"(?:(?<=:)|(?<=<)|(?<=\])(?=[(\[:])|(?<=@)|(?<=&)(?=#)|(?<=(?i:www))(?=\.))(?=[^\s\\])")
_STRAY = re.compile(r"(?<!\\)&")
_PERCENT = re.compile(r"(?<!\\)%(?=[^\n]*$)", re.MULTILINE)


def inline_tex(tex: str, macros: Mapping[str, Macro], *, in_table: bool = False) -> str:
    """Rewrites TeX for use within a line: display environments become inline ones, a tag becomes text."""
    tex = " ".join(_common(tex, macros).split())
    tex = _OUTER.sub(lambda found: f"\\{found[1]}{{{_INNER[found[2]]}}}" if found[2] in _INNER else "", tex)
    tex = _TAG.sub(r"\\quad(\\text{\1})", tex)
    if "\\begin{" not in tex:
        tex = _STRAY.sub(r"\\&", tex)
    if in_table:
        tex = tex.replace(r"\|", r"\Vert ").replace("|", r"\vert ")
    return _closed(" ".join(tex.split()))


def display_tex(tex: str, macros: Mapping[str, Macro]) -> str:
    """Rewrites TeX of a display: no empty lines, and at most one tag outside of environments that number lines."""
    tex = _common(tex, macros)
    lines = [" ".join(line.split()) for line in tex.split("\n")]
    tex = _closed("\n".join(line for line in lines if line))
    if "\\begin{" not in tex and _STRAY.search(tex):
        tex = f"\\begin{{aligned}}{tex}\\end{{aligned}}"
    return tex if _numbers_lines(tex) else _one_tag(tex)


def _common(tex: str, macros: Mapping[str, Macro]) -> str:
    tex = expand(tex.translate(_SIGNS), macros)
    for pattern, replacement in _RENAMED:
        tex = pattern.sub(replacement, tex)
    tex = _PERCENT.sub(r"\\%", tex)
    tex = re.sub(r"(?<!\\)\\\$", r"\\text{\\textdollar}", tex)
    tex = _DOLLARS.sub(r"\\(\1\\)", tex).replace("$", "")
    return _ACTIVE.sub(" ", tex)


def _closed(tex: str) -> str:
    """Appends a blank to TeX that ends in a backslash, which would escape the closing dollar."""
    tex = tex.strip()
    return f"{tex} " if (len(tex) - len(tex.rstrip("\\"))) % 2 else tex


def _numbers_lines(tex: str) -> bool:
    return re.search(r"\\begin\{(?:align|gather|alignat|equation)\*?\}", tex) is not None


def _one_tag(tex: str) -> str:
    """Moves a single tag out of every environment, where KaTeX needs it; several tags become text in place."""
    tags = list(_TAG.finditer(tex))
    if not tags:
        return tex
    if len(tags) > 1:
        return _TAG.sub(r"\\quad(\\text{\1})", tex)
    lines = [" ".join(line.split()) for line in _TAG.sub("", tex).split("\n")]
    return "\n".join([*(line for line in lines if line), f"\\tag{{{tags[0][1]}}}"])
