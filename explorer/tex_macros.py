r"""Macros of TeX: definitions in a text are taken out of it, and applied to its formulas within a budget.

Understood are ``\newcommand``, ``\renewcommand``, ``\providecommand``, ``\DeclareMathOperator``, ``\def`` and ``\let``.
KaTeX would take some of these, but not outside of formulas, not across them, and without our limits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_EXPANSIONS, MAX_LENGTH = 500, 20_000  # of one formula; a text that needs more is shown as written


@dataclass(frozen=True, slots=True)
class Macro:
    """Body with ``#1`` to ``#9`` for its arguments; ``default`` of the first one where that is optional."""

    body: str
    arguments: int = 0
    default: str | None = None


def _delimited(left: str, right: str) -> Macro:
    return Macro(rf"\left{left} #1 \right{right}", 1)


# Commands that many papers define and KaTeX lacks.
DEFAULTS: Mapping[str, Macro] = {
    r"\abs": _delimited(r"\lvert", r"\rvert"),
    r"\norm": _delimited(r"\lVert", r"\rVert"),
    r"\floor": _delimited(r"\lfloor", r"\rfloor"),
    r"\ceil": _delimited(r"\lceil", r"\rceil"),
    r"\Q": Macro(r"\mathbb{Q}"),
    r"\F": Macro(r"\mathbb{F}"),
}
_NAME = r"(?:\{\s*(\\[A-Za-z]+)\s*\}|(\\[A-Za-z]+))\s*"
_DEFINITION = re.compile(rf"\\(?:(re|provide)?(?:new)?command|DeclareMathOperator)(\*?)\s*{_NAME}")
_OPTIONS = re.compile(r"\s*(?:\[(\d)\]\s*)?(?:\[([^\]\n]*)\]\s*)?(?=\{)")
_DEF = re.compile(r"\\(?:[gex]?def)\s*(\\[A-Za-z]+)\s*((?:#[1-9])*)\s*(?=\{)")
_LET = re.compile(r"\\let\s*(\\[A-Za-z]+)\s*=?\s*(\\[A-Za-z]+|[^\s\\])")
_ANY = re.compile(r"\\(?:(?:re|provide)?(?:new)?command|DeclareMathOperator|[gex]?def|let)(?![A-Za-z])")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_ARGUMENT = re.compile(r"#([1-9])")


def closing_brace(text: str, start: int) -> int | None:
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


def take_definitions(text: str) -> tuple[str, dict[str, Macro]]:
    """Returns the text without its definitions, and the macros that they define."""
    macros: dict[str, Macro] = {}
    parts, position = [], 0
    while begun := _ANY.search(text, position):
        found = _definition(text, begun.start())
        if found is None:
            parts.append(text[position : begun.end()])
            position = begun.end()
            continue
        name, macro, end = found
        macros[name] = macro
        before = text[position : begun.start()]
        end = _with_empty_line(text, begun.start(), end)
        if before.endswith("$") and not before.endswith("$$") and text[end:].lstrip(" ").startswith("$"):
            before, end = before[:-1], text.index("$", end) + 1  # a formula that held the definition alone
        parts.append(before)
        position = end
    return "".join([*parts, text[position:]]), macros


def _definition(text: str, start: int) -> tuple[str, Macro, int] | None:
    """Name, macro and end of the definition at ``start``; None where it is none."""
    let = _LET.match(text, start)
    if let:
        return let[1], Macro(let[2]), let.end()
    plain, command = _DEF.match(text, start), _DEFINITION.match(text, start)
    if plain:
        name, count, default, body = plain[1], len(plain[2]) // 2, None, plain.end()
    elif command and (options := _OPTIONS.match(text, command.end())):
        name, body = command[3] or command[4], options.end()
        count, default = int(options[1] or 0), options[2]
    else:
        return None
    end = closing_brace(text, body)
    if end is None:
        return None
    content = text[body + 1 : end]
    if command and text.startswith("\\DeclareMathOperator", start):
        content = f"\\operatorname{command[2]}{{{content}}}"
    return name, Macro(content, count, default), end + 1


def _with_empty_line(text: str, start: int, end: int) -> int:
    """End of a definition, with the rest of its line where that would be empty."""
    alone = start == 0 or text[start - 1] == "\n"
    rest = re.compile(r"[ \t]*\n").match(text, end)
    return rest.end() if alone and rest else end


def expand(tex: str, macros: Mapping[str, Macro]) -> str:
    """Applies the macros of a text, and the default ones, to a formula; unchanged where that exceeds the budget."""
    known = {**DEFAULTS, **macros}
    done, rest, budget = [], tex, MAX_EXPANSIONS
    while found := _COMMAND.search(rest):
        macro = known.get(found[0])
        done.append(rest[: found.start()])
        if macro is None:
            done.append(found[0])
            rest = rest[found.end() :]
            continue
        budget -= 1
        expanded = _applied(macro, rest, found.end(), starred=found[0] in DEFAULTS)
        if budget < 0 or expanded is None or len(expanded) > MAX_LENGTH + len(tex):
            return tex
        rest = expanded
    return "".join([*done, rest])


def _applied(macro: Macro, text: str, position: int, *, starred: bool) -> str | None:
    """The body with its arguments, followed by the text after them; None where an argument is missing."""
    if starred and text.startswith("*", position):
        position += 1
    arguments = []
    for number in range(macro.arguments):
        position += len(text[position:]) - len(text[position:].lstrip())
        if number == 0 and macro.default is not None:
            given = re.compile(r"\[([^\]]*)\]").match(text, position)
            arguments.append(given[1] if given else macro.default)
            position = given.end() if given else position
            continue
        end = closing_brace(text, position)
        token = re.compile(r"\\[A-Za-z]+|\\.|[^\s{}\\]").match(text, position)
        if end is not None:
            arguments.append(text[position + 1 : end])
            position = end + 1
        elif token:
            arguments.append(token[0])
            position = token.end()
        else:
            return None
    body = _ARGUMENT.sub(lambda one: arguments[int(one[1]) - 1] if int(one[1]) <= len(arguments) else "", macro.body)
    glue = " " if re.search(r"\\[A-Za-z]+\Z", body) and text[position : position + 1].isalpha() else ""
    return body + glue + text[position:]
