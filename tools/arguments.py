"""Arguments of a call: a JSON object with one text field, or the reason why a call cannot be run."""

import json
from collections.abc import Mapping

from policy.interface import ToolCall


def argument_of(call: ToolCall, fields: Mapping[str, str]) -> str | None:
    """The text of a call; ``fields``: the text field of each tool. None where it is no call of one of them."""
    field = fields.get(call.name)
    try:
        value = json.loads(call.arguments, strict=False)
    except (ValueError, RecursionError):
        return None
    text = value.get(field) if field is not None and isinstance(value, dict) else None
    return text if isinstance(text, str) and set(value) == {field} else None


def refusal_of(call: ToolCall, fields: Mapping[str, str]) -> str:
    """The reason why a call cannot be run, as the model is told it."""
    if call.name not in fields:
        known = ", ".join(map(repr, fields))
        return f"There is no tool {call.name!r}; there {'is' if len(fields) == 1 else 'are'} {known}."
    return f"The arguments of {call.name!r} must be a JSON object with the one text field {fields[call.name]!r}."
