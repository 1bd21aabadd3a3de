"""Usage of a request: tokens and cost under the names that servers give them."""

import math
from collections.abc import Mapping
from typing import Any

from core.config import STRICT, settings
from core.records import Usage

_CACHED = ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens")
_COSTS = ("cost", "total_cost", "estimated_cost")


@settings(frozen=True, config=STRICT)
class Prices:
    """Prices per million tokens, in a currency of the user's choice. With all 0, the server's own cost counts."""

    prompt: float
    cached: float
    completion: float

    @property
    def given(self) -> bool:
        """True where the user gave a price."""
        return bool(self.prompt or self.cached or self.completion)


def read_usage(value: Any, prices: Prices) -> Usage | None:
    """Tokens and cost of a request; None where the server does not report tokens.

    Names of OpenAI, DeepSeek and Anthropic are read; a float counts as the next whole number. Anthropic's
    ``input_tokens`` leave out what the cache served or stored, which is added. Where only a total is known, what is
    not a completion is the prompt.
    """
    if not isinstance(value, Mapping):
        return None
    prompt, completion = _prompt(value), _first(value, "completion_tokens", "output_tokens")
    total = _count(value, "total_tokens")
    if prompt is None and completion is None and total is None:
        return None
    if total is not None and (prompt is None or completion is None):
        completion = max(0, total - prompt) if prompt is not None else completion
        prompt = max(0, total - (completion or 0)) if prompt is None else prompt
    prompt, completion = prompt or 0, completion or 0
    cached = min(prompt, _cached(value))
    details = value.get("completion_tokens_details") or value.get("output_tokens_details")
    reasoning = _count(details, "reasoning_tokens") or _count(value, "reasoning_tokens") or 0
    priced = ((prompt - cached) * prices.prompt + cached * prices.cached + completion * prices.completion) / 1e6
    stated = cost_of(value)
    return Usage(prompt, cached, completion, reasoning, priced if prices.given or stated is None else stated)


def cost_of(value: Any) -> float | None:
    """The cost that a server states in its usage; None where it states none."""
    if not isinstance(value, Mapping):
        return None
    for name in _COSTS:
        cost = value.get(name)
        if isinstance(cost, Mapping):
            cost = next((cost[key] for key in ("total_cost", "total") if key in cost), None)
        try:
            number = float(cost) if isinstance(cost, int | float | str) and not isinstance(cost, bool) else math.nan
        except (ValueError, OverflowError):
            continue
        if math.isfinite(number) and number >= 0:
            return number
    return None


def _prompt(value: Mapping[str, Any]) -> int | None:
    prompt = _count(value, "prompt_tokens")
    if prompt is not None:
        return prompt
    prompt = _count(value, "input_tokens")
    if prompt is None or "input_tokens_details" in value:
        return prompt
    return prompt + sum(_count(value, name) or 0 for name in ("cache_read_input_tokens", "cache_creation_input_tokens"))


def _cached(value: Mapping[str, Any]) -> int:
    for details in ("prompt_tokens_details", "input_tokens_details"):
        cached = _count(value.get(details), "cached_tokens")
        if cached:
            return cached
    return _first(value, *_CACHED) or 0


def _first(value: Mapping[str, Any], *names: str) -> int | None:
    return next((count for name in names if (count := _count(value, name)) is not None), None)


def _count(value: Any, name: str) -> int | None:
    number = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < 2**53:
        return None
    return math.ceil(number)
