"""Tool that is a function of one text: it runs no code of a model, and needs no sandbox."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from policy.interface import ToolCall, ToolSpec
from tools.arguments import argument_of, refusal_of


@dataclass(frozen=True)
class FunctionTool:
    """A tool as a model is told of it, its text argument, and the function, whose work must be bounded."""

    spec: ToolSpec
    field: str
    function: Callable[[str], str]

    def call_of(self, text: str) -> ToolCall:
        """The call that sends ``text``."""
        return ToolCall("call_0", self.spec.name, json.dumps({self.field: text}, ensure_ascii=False))

    def run(self, call: ToolCall) -> str:
        """The result of a call, or the reason why it cannot be run."""
        fields = {self.spec.name: self.field}
        text = argument_of(call, fields)
        return refusal_of(call, fields) if text is None else self.function(text)


def text_schema(field: str) -> dict[str, object]:
    """The JSON schema of an object with one text field."""
    return {"type": "object", "properties": {field: {"type": "string"}}, "required": [field],
            "additionalProperties": False}  # fmt: skip
