"""Trace of an answer: the turns with their tool calls, outputs and changes of the context that led to it.

Any record with an ``answer_id`` is a part of the trace of that answer. Its fields are read by their names, so that
kinds of records need no code here: ``calls`` or ``code`` is what a tool was asked for, ``text`` what was written.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explorer.index import LogIndex, RecordRow

# Fields that are shown by themselves or lead elsewhere; the others of a record are its details.
_PLACE = frozenset(["kind", "id", "problem_id", "answer_id", "role", "parents", "round", "index", "created", "request"])
_SHOWN = frozenset(
    [
        "calls",
        "arguments",
        "code",
        "text",
        "reasoning",
        "status",
        "tool",
        "name",
        "seconds",
        "call_id",
        "output",
        "result",
    ]
)
_SAMPLING = frozenset(["policy", "model", "template", "prompt", "seed", "finish_reason", "usage"])


@dataclass(frozen=True, slots=True)
class TraceCell:
    """Part of a trace. ``code``: what each call asks for; ``text``: what the model wrote or the tool returned.

    ``tool``: its name, of an output; ``status``: how the call ended; ``details``: other fields, by name.
    """

    id: str
    kind: str
    code: tuple[str, ...]
    text: str
    tool: str
    status: str
    seconds: float | None
    details: Mapping[str, Any]


def trace_rows(log: LogIndex, answer: str) -> list[RecordRow]:
    """Rows of the trace of an answer, in the order of writing."""
    return log.computed("traces", _traces).get(answer, [])


def _traces(log: LogIndex) -> dict[str, list[RecordRow]]:
    found: dict[str, list[RecordRow]] = {}
    for row in log.rows:
        if "answer_id" in row.value:
            found.setdefault(str(row.value["answer_id"]), []).append(row)
    return found


def cell_of(value: Mapping[str, Any]) -> TraceCell:
    """Cell of a record's JSON value."""
    is_output = any(name in value for name in ("tool", "status", "output", "result"))
    calls = value.get("calls")
    code = [_code(call) for call in calls] if isinstance(calls, Sequence) and not isinstance(calls, str) else []
    if not is_output or not value.get("call_id"):  # the turn has the code of a call with an id
        code += [_code(value)] if value.get("code") or value.get("arguments") else []
    seconds = value.get("seconds")
    details = {
        name: item
        for name, item in value.items()
        if name not in _PLACE | _SHOWN | _SAMPLING and item not in (None, "", [], {})
    }
    return TraceCell(
        id=str(value.get("id", "")),
        kind=str(value.get("kind", "")).replace("_", " "),
        code=tuple(code),
        text=str(value.get("text") or value.get("output") or value.get("result") or ""),
        tool=str(value.get("tool") or value.get("name") or ("tool" if is_output else "")),
        status=str(value.get("status") or ""),
        seconds=float(seconds) if is_output and isinstance(seconds, int | float) else None,
        details=details,
    )


def _code(call: object) -> str:
    """Code of a call, otherwise its arguments as they were written."""
    if not isinstance(call, Mapping):
        return str(call)
    asked = call.get("code", call.get("arguments", call.get("input", "")))
    if isinstance(asked, str):
        try:
            value = json.loads(asked, strict=False)
        except ValueError:
            return asked
        asked = value if isinstance(value, Mapping) else asked
    if isinstance(asked, Mapping):
        code = asked.get("code")
        return code if isinstance(code, str) else json.dumps(asked, ensure_ascii=False, indent=2)
    return str(asked)


def calls_of(cells: Sequence[TraceCell]) -> int:
    """Number of the calls in a trace."""
    return sum(len(cell.code) for cell in cells)


def read_trace(log: LogIndex, answer: str) -> Iterator[TraceCell]:
    """Yields the cells of an answer's trace. Raises LemmataError where the log was replaced meanwhile."""
    for row in trace_rows(log, answer):
        yield cell_of(log.value(row))
