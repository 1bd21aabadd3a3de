"""Toolbox of a run: the tools by name, as the loop calls them."""

import time
from collections.abc import Sequence

from core.ids import clean_text
from core.records import ToolOutput
from policy.interface import ToolCall, ToolSpec
from policy.tool_loop import Toolbox, ToolUseConfig
from tools.arguments import argument_of, refusal_of
from tools.config import InterpreterConfig
from tools.context import context_policy
from tools.function_tool import FunctionTool
from tools.interpreter import LOST
from tools.pool import InterpreterPool

PYTHON = "python"
CODE = "code"
RAN = ("ok", "error")  # statuses after which the variables of a call are there
DESCRIPTION = (
    "Runs Python in an interpreter that keeps its variables from call to call, and returns what the code prints and "
    "the value of its last line. sympy, numpy, mpmath and networkx are installed. There is no network, no file outside "
    "a small temporary folder, and no other process. Each call has {seconds:g} seconds, the interpreter {memory} MiB."
)
SCHEMA = {
    "type": "object",
    "properties": {CODE: {"type": "string", "description": "Python code"}},
    "required": [CODE],
    "additionalProperties": False,
}


class RunToolbox(Toolbox):
    """The interpreter, if ``interpreter`` is given, and ``functions``.

    Raises LemmataError where the interpreter is wanted and no sandbox works.
    """

    def __init__(
        self, config: ToolUseConfig, interpreter: InterpreterConfig | None, functions: Sequence[FunctionTool] = ()
    ) -> None:
        self.config = config
        self.context = context_policy(config.context)
        self.overflow = context_policy("discard_all")
        self.pool = InterpreterPool(interpreter) if interpreter is not None else None
        self._functions = {tool.spec.name: tool for tool in functions}
        self._fields = {name: tool.field for name, tool in self._functions.items()}
        specs = [tool.spec for tool in functions]
        if interpreter is not None:
            limits = {"seconds": interpreter.seconds, "memory": interpreter.memory}
            specs.insert(0, ToolSpec(PYTHON, DESCRIPTION.format(**limits), SCHEMA))
            self._fields[PYTHON] = CODE
        self.specs = tuple(specs)

    async def run(self, conversation: str, earlier: Sequence[ToolOutput], call: ToolCall) -> tuple[str, str, float]:
        """Status, text and seconds of a call; a call that cannot be run is refused with the reason."""
        text = argument_of(call, self._fields)
        if text is None:
            return "refused", refusal_of(call, self._fields), 0.0
        if call.name in self._functions:
            started = time.monotonic()
            result = self._functions[call.name].run(call)
            return "ok", clean_text(result), round(time.monotonic() - started, 3)
        assert self.pool is not None
        output = await self.pool.run(conversation, living_codes(earlier), text)
        return output.status, clean_text(output.text), output.seconds

    async def end(self, conversation: str) -> None:
        """End the interpreter of a conversation."""
        if self.pool is not None:
            await self.pool.end(conversation)

    async def close(self) -> None:
        """End all interpreters."""
        if self.pool is not None:
            await self.pool.close()


def living_codes(earlier: Sequence[ToolOutput]) -> list[str]:
    """The codes of the interpreter's calls since its variables were last lost."""
    codes: list[str] = []
    for output in (output for output in earlier if output.tool == PYTHON):
        if output.status in LOST:
            codes.clear()
        elif output.status in RAN:
            code = argument_of(ToolCall(output.call_id, output.tool, output.arguments), {PYTHON: CODE})
            codes += [code] if code is not None else []
    return codes
