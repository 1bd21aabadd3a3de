"""Calculator of the lab as a tool of a model."""

from lab.calculator import calculate
from policy.interface import ToolSpec
from tools.function_tool import FunctionTool, text_schema

FIELD = "text"
CALCULATOR = FunctionTool(
    ToolSpec(
        "calculator",
        "For each line: left side minus right side of each relation, multiplied out.",
        text_schema(FIELD),
    ),
    FIELD,
    calculate,
)
