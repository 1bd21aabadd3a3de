"""Tool calls: parsing of the function calls in an answer, in the chat template's format."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from model.tokenizer import CALL, CALL_SEPARATOR, CALLS, END_CALL, END_CALLS

_CALL = re.compile(
    f"{re.escape(CALL)}([A-Za-z0-9_.-]{{1,64}}){re.escape(CALL_SEPARATOR)}(.*?){re.escape(END_CALL)}", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function call. ``arguments`` should be JSON, but is not checked."""

    name: str
    arguments: str


def split_calls(text: str) -> tuple[str, list[FunctionCall]]:
    """Returns an answer's text and the calls at its end. If the calls are malformed or truncated, all of it is text."""
    before, found, rest = text.partition(CALLS)
    inside, ended, _ = rest.partition(END_CALLS)
    calls = [FunctionCall(*match.groups()) for match in _CALL.finditer(inside)]
    if not found or not ended or not calls or _CALL.sub("", inside).strip():
        return text, []
    return before, calls


def write_calls(calls: Iterable[FunctionCall]) -> str:
    """Returns the text of calls at the end of an answer, as the chat template writes them; nothing without calls."""
    texts = [f"{CALL}{call.name}{CALL_SEPARATOR}{call.arguments}{END_CALL}" for call in calls]
    return f"{CALLS}{''.join(texts)}{END_CALLS}" if texts else ""


def before_calls(text: str) -> str:
    """Returns the part of an unfinished text that precedes its calls, whatever follows."""
    before, found, _ = text.partition(CALLS)
    return before if found else settled(before, CALLS)


def settled(text: str, marker: str) -> str:
    """Returns ``text`` without a suffix that may be the beginning of ``marker``."""
    held = (length for length in range(len(marker) - 1, 0, -1) if text.endswith(marker[:length]))
    return text[: len(text) - next(held, 0)]
