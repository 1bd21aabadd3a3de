"""Parser of chat-completion responses: a response of another shape is a MalformedAnswer, never an empty text."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from core.config import STRICT, settings
from core.ids import clean_text
from core.records import Usage
from policy.interface import Completion
from policy.retry import MalformedAnswer

_PARTS = ("prompt", "completion")


@settings(frozen=True, config=STRICT)
class Prices:
    """Prices per million tokens, in a currency of the user's choice."""

    prompt: float
    cached: float
    completion: float


def read_answer(value: Any, seconds: float, prices: Prices) -> list[Completion]:
    """The completions of one response, in the order of their index.

    Raises:
        MalformedAnswer: no choices, or a choice without a message.
    """
    if not isinstance(value, Mapping):
        raise MalformedAnswer(f"the response is not a JSON object: {str(value)[:80]!r}")
    choices = value.get("choices")
    if not isinstance(choices, list) or not choices:
        raise MalformedAnswer(f"the response has no choices: {str(value.get('error', value))[:200]}")
    usage = read_usage(value.get("usage"), prices)
    model = clean_text(str(value.get("model") or ""))
    return [
        _completion(choice, model, seconds, usage if position == 0 else None)
        for position, choice in enumerate(sorted(choices, key=_index))
    ]


def _index(choice: Any) -> int:
    index = choice.get("index") if isinstance(choice, Mapping) else None
    return index if isinstance(index, int) else 0


def _completion(choice: Any, model: str, seconds: float, usage: Usage | None) -> Completion:
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(message, Mapping):
        raise MalformedAnswer("a choice of the response has no message")
    text = message.get("content")
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if not isinstance(text, str | None) or not isinstance(reasoning, str | None):
        raise MalformedAnswer("a message of the response has content that is not text")
    return Completion(
        text=clean_text(text or ""),
        reasoning=clean_text(reasoning) if reasoning else None,
        finish_reason=clean_text(str(choice.get("finish_reason") or "unknown")),
        model=model,
        seconds=round(seconds, 3),
        usage=usage,
    )


def read_usage(value: Any, prices: Prices) -> Usage | None:
    """Tokens and cost of a request; None where the server does not report tokens."""
    if not isinstance(value, Mapping) or not any(_is_count(value.get(f"{part}_tokens")) for part in _PARTS):
        return None
    prompt, completion = (_count(value, f"{part}_tokens") for part in _PARTS)
    cached = min(prompt, _count(value.get("prompt_tokens_details"), "cached_tokens"))
    reasoning = _count(value.get("completion_tokens_details"), "reasoning_tokens")
    cost = ((prompt - cached) * prices.prompt + cached * prices.cached + completion * prices.completion) / 1e6
    return Usage(prompt, cached, completion, reasoning, cost)


def _count(value: Any, name: str) -> int:
    number = value.get(name) if isinstance(value, Mapping) else None
    return number if _is_count(number) else 0


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**63
