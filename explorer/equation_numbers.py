r"""Equation numbers: what ``\ref`` and ``\eqref`` of a text stand for."""

import re
from collections.abc import Mapping

_NUMBERED = re.compile(r"\\begin\{(equation|align|gather|alignat)\}(.*?)\\end\{\1\}", re.DOTALL)
_DISPLAY = re.compile(r"\\\[(.*?)\\\]|\$\$(.*?)\$\$|\\begin\{(\w+\*)\}(.*?)\\end\{\3\}", re.DOTALL)
_LABEL = re.compile(r"\\label\{([^{}\n]*)\}")
_TAG = re.compile(r"\\tag\*?\s*\{([^{}\n]*)\}")
_REFERENCE = re.compile(r"\\(eqref|ref|autoref|cref)\s*\{([^{}\n]*)\}")


def equation_numbers(text: str) -> Mapping[str, str]:
    """Numbers of the equations of a text by their labels, as KaTeX counts them; tags where there are tags."""
    numbers: dict[str, str] = {}
    for display in _DISPLAY.finditer(text):
        _add(numbers, next((part for part in (display[1], display[2], display[4]) if part), ""), None)
    count = 0
    for environment in _NUMBERED.finditer(text):
        rows = [environment[2]] if environment[1] == "equation" else environment[2].split("\\\\")
        for row in rows:
            if not _TAG.search(row) and "\\notag" not in row and "\\nonumber" not in row:
                count += 1
            _add(numbers, row, count)
    return numbers


def _add(numbers: dict[str, str], row: str, count: int | None) -> None:
    tag = _TAG.search(row)
    for label in _LABEL.findall(row):
        if tag or count:
            numbers[label] = tag[1].strip("$ ") if tag else str(count)


def resolve_references(text: str, numbers: Mapping[str, str]) -> str:
    """Replaces references by numbers, and unknown ones by their labels."""

    def number(found: re.Match[str]) -> str:
        shown = numbers.get(found[2], found[2])
        return f"({shown})" if found[1] == "eqref" else shown

    return _REFERENCE.sub(number, text)
