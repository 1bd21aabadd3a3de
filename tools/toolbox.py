"""Toolbox of a run: the tools by name, as the loop calls them."""

import json
from collections.abc import Sequence

from core.ids import clean_text
from core.records import ToolOutput
from policy.interface import ToolCall, ToolSpec
from policy.tool_loop import Toolbox, ToolUseConfig
from tools.config import InterpreterConfig
from tools.context import context_policy
from tools.interpreter import LOST
from tools.pool import InterpreterPool

PYTHON = "python"
RAN = ("ok", "error")  # statuses after which the variables of a call are there
DESCRIPTION = (
    "Runs Python in an interpreter that keeps its variables from call to call, and returns what the code prints and "
    "the value of its last line. sympy, numpy, mpmath and networkx are installed. There is no network, no file outside "
    "a small temporary folder, and no other process. Each call has {seconds:g} seconds, the interpreter {memory} MiB."
)
SCHEMA = {
    "type": "object",
    "properties": {"code": {"type": "string", "description": "Python code"}},
    "required": ["code"],
    "additionalProperties": False,
}


class PythonToolbox(Toolbox):
    """The Python interpreter, over a pool. Raises LemmataError where no sandbox works."""

    def __init__(self, config: ToolUseConfig, interpreter: InterpreterConfig) -> None:
        self.config = config
        self.context = context_policy(config.context)
        self.overflow = context_policy("discard_all")
        self.pool = InterpreterPool(interpreter)
        limits = {"seconds": interpreter.seconds, "memory": interpreter.memory}
        self.specs = (ToolSpec(PYTHON, DESCRIPTION.format(**limits), SCHEMA),)

    async def run(self, conversation: str, earlier: Sequence[ToolOutput], call: ToolCall) -> tuple[str, str, float]:
        """Status, text and seconds of a call; a call that cannot be run is refused with the reason."""
        code = code_of(call)
        if code is None:
            return "refused", refusal_of(call), 0.0
        output = await self.pool.run(conversation, living_codes(earlier), code)
        return output.status, clean_text(output.text), output.seconds

    async def end(self, conversation: str) -> None:
        """End the interpreter of a conversation."""
        await self.pool.end(conversation)

    async def close(self) -> None:
        """End all interpreters."""
        await self.pool.close()


def code_of(call: ToolCall) -> str | None:
    """The code of a call; None where it is no call of the interpreter."""
    try:
        value = json.loads(call.arguments, strict=False)
    except (ValueError, RecursionError):
        return None
    code = value.get("code") if isinstance(value, dict) else None
    return code if call.name == PYTHON and isinstance(code, str) and set(value) == {"code"} else None


def refusal_of(call: ToolCall) -> str:
    """The reason why a call cannot be run, as the model is told it."""
    if call.name != PYTHON:
        return f"There is no tool {call.name!r}; the only one is {PYTHON!r}."
    return f"The arguments of {PYTHON!r} must be a JSON object with the one text field 'code'."


def living_codes(earlier: Sequence[ToolOutput]) -> list[str]:
    """The codes of the calls since the variables were last lost."""
    codes: list[str] = []
    for output in earlier:
        if output.status in LOST:
            codes.clear()
        elif output.status in RAN:
            code = code_of(ToolCall(output.call_id, output.tool, output.arguments))
            codes += [code] if code is not None else []
    return codes
