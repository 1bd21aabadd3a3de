"""Constrained answers: the fields of a chat request by which servers limit an answer to some choices."""

from typing import Any

from policy.interface import Sampling


def constraint(sampling: Sampling) -> dict[str, Any]:
    """The fields for ``sampling.choices``; none without choices.

    ``structured_outputs`` and ``guided_choice`` are vLLM's (since and before 0.12), ``response_format`` is OpenAI's:
    the answer is then a JSON object with the field ``score``.
    """
    choices = list(sampling.choices)
    if not choices or sampling.constrain == "none":
        return {}
    if sampling.constrain == "structured_outputs":
        return {"structured_outputs": {"choice": choices}}
    if sampling.constrain == "guided_choice":
        return {"guided_choice": choices}
    schema = {
        "type": "object",
        "properties": {"score": {"type": "string", "enum": choices}},
        "required": ["score"],
        "additionalProperties": False,
    }
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}
    }
