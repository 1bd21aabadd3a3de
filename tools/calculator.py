"""Calculator of the lab as a tool: exact arithmetic on lines of a proof. It runs no code, and needs no sandbox."""

import json

from lab.calculator import calculate
from policy.interface import ToolCall, ToolSpec
from tools.arguments import argument_of, refusal_of

NAME = "calculator"
FIELD = "text"
SPEC = ToolSpec(
    NAME,
    "For each line: left side minus right side of each relation, multiplied out.",
    {"type": "object", "properties": {FIELD: {"type": "string"}}, "required": [FIELD], "additionalProperties": False},
)
FIELDS = {NAME: FIELD}


def call_of(text: str) -> ToolCall:
    """The call that sends ``text`` to the calculator."""
    return ToolCall("call_0", NAME, json.dumps({FIELD: text}, ensure_ascii=False))


def run(call: ToolCall) -> str:
    """The results of a call, or the reason why it cannot be run."""
    text = argument_of(call, FIELDS)
    return refusal_of(call, FIELDS) if text is None else calculate(text)
