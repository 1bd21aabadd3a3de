"""Parser of chat-completion responses: completions, or the fault that a response reports."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import LemmataError
from core.finish import REFUSAL, STOP, UNKNOWN
from core.ids import clean_text
from core.records import Usage
from policy.faults import MalformedAnswer, Passing, ServerFault, fault_of, report_of
from policy.interface import Completion, PromptRefused, ToolCall
from policy.reasoning import read_message
from policy.usage import Prices, cost_of, read_usage

FAULTY = ("error", "abort", "aborted", "insufficient_system_resource")  # finish reasons of passing faults


@dataclass(frozen=True)
class Reader:
    """Reads responses of one server. ``whole``: finish reasons of whole answers, recorded as ``stop``."""

    url: str
    prices: Prices
    whole: Collection[str] = (STOP,)

    def read(self, value: Any, seconds: float) -> "ParsedResponse":
        """The completions of a response, in the order of their index, without the choices that failed.

        Raises:
            MalformedAnswer: no choices, or choices of unknown shape alone.
            Busy, Passing, PromptRefused, LemmataError: the error that the response, or its only choices, report.
        """
        if not isinstance(value, Mapping):
            raise MalformedAnswer(f"the response is not a JSON object: {str(value)[:80]!r}")
        usage = self.usage(value)
        if error := value.get("error") or (value if value.get("object") == "error" else None):
            raise _booked(fault_of(report_of(error, 200), self.url), usage)
        choices = value.get("choices")
        if not isinstance(choices, list) or not choices:
            raise MalformedAnswer(f"the response has no choices: {str(value)[:200]}", usage=usage)
        model = clean_text(str(value.get("model") or ""))
        completions: list[Completion] = []
        faults: list[Exception] = []
        for choice in sorted(choices, key=_index):
            try:
                completions.append(self._completion(choice, model, seconds, None if completions else usage))
            except (ServerFault, PromptRefused, LemmataError) as error:
                faults.append(error)
        if not completions or any(isinstance(fault, LemmataError) for fault in faults):
            raise _booked(max(faults, key=lambda fault: isinstance(fault, LemmataError)), usage)
        is_complete = value.get("broke_off") is not True
        return ParsedResponse(completions, len(faults), cost_of(value.get("usage")) is not None, is_complete)

    def usage(self, value: Mapping[str, Any]) -> Usage | None:
        """The usage of a response, or of a piece of a streamed one."""
        usage = read_usage(value.get("usage"), self.prices)
        groq = value.get("x_groq")
        return read_usage(groq.get("usage"), self.prices) if usage is None and isinstance(groq, Mapping) else usage

    def _completion(self, choice: Any, model: str, seconds: float, usage: Usage | None) -> Completion:
        if isinstance(choice, Mapping) and choice.get("error"):
            raise fault_of(report_of(choice["error"], 200), self.url)
        message = choice.get("message") if isinstance(choice, Mapping) else None
        if not isinstance(message, Mapping):
            raise MalformedAnswer("a choice of the response has no message")
        reason = clean_text(str(choice.get("finish_reason") or UNKNOWN))
        if reason in FAULTY:
            raise Passing(f"a choice of the response ended with finish_reason {reason!r}")
        parts = read_message(message)
        if parts.refusal and not parts.text:
            parts.text, reason = parts.refusal, REFUSAL
        return Completion(
            text=clean_text(parts.text),
            reasoning=clean_text(parts.reasoning) or None,
            finish_reason=STOP if reason in self.whole or reason == STOP.upper() else reason,
            model=model,
            seconds=round(seconds, 3),
            usage=usage,
            tool_calls=tuple(_tool_call(call, place) for place, call in enumerate(parts.calls)),
        )


def _tool_call(value: Any, place: int) -> ToolCall:
    """A call of a response. Raises MalformedAnswer where it names no function."""
    function = value.get("function") if isinstance(value, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise MalformedAnswer(f"a tool call of the response names no function: {str(value)[:80]!r}")
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments if arguments is not None else {})
    return ToolCall(clean_text(str(value.get("id") or f"call_{place}")), clean_text(function["name"]), clean_text(text))


@dataclass(frozen=True)
class ParsedResponse:
    """Completions of one response, the number of its choices that failed, and whether it states its cost.

    ``is_complete``: False for a stream that broke off, which may lack samples and usage.
    """

    completions: list[Completion]
    failed: int
    states_cost: bool
    is_complete: bool


def _booked(error: Exception, usage: Usage | None) -> Exception:
    """``error`` with the tokens that the response used."""
    if isinstance(error, ServerFault | PromptRefused):
        error.usage = usage
    return error


def _index(choice: Any) -> int:
    index = choice.get("index") if isinstance(choice, Mapping) else None
    return index if isinstance(index, int) else 0
