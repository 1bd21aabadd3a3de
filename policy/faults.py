"""Faults of a server: an error report read as a passing fault, a refused prompt, or the end of the run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import openai

from core.errors import LemmataError
from core.ids import clean_text
from core.records import Usage
from policy.interface import PromptRefused
from policy.waits import wait_of


class ServerFault(Exception):
    """A failed attempt that may be repeated.

    ``wait``: seconds that the server asked to wait. ``usage``: the tokens that the attempt used, where reported.
    """

    def __init__(self, message: str, *, wait: float | None = None, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.wait = wait
        self.usage = usage


class Busy(ServerFault):
    """The server takes no more calls at present (HTTP 429, 529): slow down and repeat."""


class Passing(ServerFault):
    """A passing fault: a broken connection, a timeout, HTTP 5xx, an error inside a response.

    ``connecting``: no connection could be opened.
    """

    connecting = False


class NotConnected(Passing):
    """No connection could be opened."""

    connecting = True


class MalformedAnswer(ServerFault):
    """A complete response that is no chat completion."""


class ContextTooLong(PromptRefused):
    """Prompt and token limit exceed the model's context. ``room``: tokens left for the answer, where stated."""

    def __init__(self, message: str, room: int | None) -> None:
        super().__init__(message)
        self.room = room


HINTS = {
    401: "Set the environment variable named by policy.api_key_env to a valid key.",
    402: "Top up the account.",
    403: "The key may have no right to this model.",
    404: "Check policy.base_url (it usually ends in /v1) and policy.model.",
    405: "Check policy.base_url (it usually ends in /v1).",
}
_NO_QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "insufficient_balance", "insufficient_credits")
_WORDS = {  # codes and types in words, as statuses
    "invalid_api_key": 401, "authentication_error": 401, "unauthorized": 401, "invalid_authentication": 401,
    "payment_required": 402, "permission_denied": 403, "permission_error": 403, "content_policy_violation": 403,
    "content_filter": 403, "moderation": 403, "model_not_found": 404, "not_found_error": 404,
    "invalid_request_error": 400, "bad_request": 400, "badrequesterror": 400, "invalid_argument": 400,
    "rate_limit_exceeded": 429, "rate_limit_error": 429, "too_many_requests": 429, "resource_exhausted": 429,
    "requests": 429, "tokens": 429, "overloaded_error": 529, "overloaded": 529, "engine_overloaded": 529,
    "server_overloaded": 529, "insufficient_system_resource": 529,
}  # fmt: skip
_CONTEXT_CODES = ("context_length_exceeded", "exceed_context_size_error", "string_above_max_length")
_CONTEXT = re.compile(
    r"context (?:length|window|size|limit)|maximum (?:context|model|sequence) length|max_model_len|prompt is too long"
    r"|max(?:imum)?[_ -](?:completion[_ ]|output[_ ]|new[_ ])?tokens\W.{0,80}?(?:too large|must be|exceed|at most)"
    r"|range of max_\w*tokens"
    r"|too many (?:input )?tokens|reduce the length|input (?:is )?too long|n_ctx|token count exceeds",
    re.IGNORECASE | re.DOTALL,
)
_RATE_LIMIT = re.compile(r"rate limit|too many requests", re.IGNORECASE)
_MODERATION = re.compile(
    r"moderat|content.{0,10}(?:policy|filter)|safety|flagged|provider returned error", re.IGNORECASE
)


@dataclass(frozen=True)
class ErrorReport:
    """A server's error: HTTP status, code and type in words, message, headers, and the error object itself."""

    status: int | None
    words: tuple[str, ...]
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def text(self) -> str:
        """Status and message in one line."""
        status = f"HTTP {self.status}: " if self.status else ""
        return f"{status}{self.message}"


def report_of(value: Any, status: int | None = None, headers: Mapping[str, str] | None = None) -> ErrorReport:
    """The report in an error body or error object ``value``, of whatever shape. A code inside it outranks HTTP 200."""
    error = value.get("error", value) if isinstance(value, Mapping) else value
    words, message = [], error
    if isinstance(error, Mapping):
        words = [str(error[key]).lower() for key in ("code", "type", "status") if error.get(key) is not None]
        message = next((error[key] for key in ("message", "detail", "msg", "error") if error.get(key)), error)
        metadata = error.get("metadata")
        if isinstance(metadata, Mapping) and metadata.get("raw"):
            message = f"{message} ({metadata['raw']})"
    if status is None or status == 200:
        status = next((code for word in words if (code := _status(word))), None)
    return ErrorReport(status, tuple(words), one_line(str(message)), headers or {}, error)


def _status(word: str) -> int | None:
    return int(word) if re.fullmatch(r"[45]\d\d", word) else _WORDS.get(word)


def report_of_status(error: openai.APIStatusError) -> ErrorReport:
    """The report of an HTTP status of 400 or above."""
    body = error.body if error.body is not None else error.response.text
    return report_of(body if body else str(error), error.status_code, error.response.headers)


def fault_of(report: ErrorReport, server: str, usage: Usage | None = None) -> Exception:
    """The exception to raise for a report.

    Returns:
        LemmataError: no call of this run can work (wrong key, exhausted account).
        PromptRefused: the server refuses this request (other 4xx); ContextTooLong where it is too long.
        Busy, Passing: another attempt may succeed.
    """
    status, words = report.status, report.words
    if status == 402 or any(word in _NO_QUOTA for word in words):
        return LemmataError(f"{server}: the account has no quota left: {report.text}. {HINTS[402]}")
    if status == 401:
        return LemmataError(f"{server} answered {report.text}. {HINTS[401]}")
    is_refusal = status is not None and 400 <= status < 500 and status not in (408, 409, 425, 429)
    if any(word in _CONTEXT_CODES for word in words) or (is_refusal and _CONTEXT.search(report.message)):
        return ContextTooLong(report.text, room_of(report))
    is_limit = status in (429, 529) or (status == 403 and _RATE_LIMIT.search(report.message))
    if is_refusal and not is_limit:
        return PromptRefused(report.text)
    return (Busy if is_limit else Passing)(report.text, wait=wait_of(report.headers, report.body), usage=usage)


def hint_of(status: int | None, message: str) -> str:
    """A hint for a status that the very first prompts meet."""
    names = [name for name in ("temperature", "top_p", "max_tokens", "stop", "seed") if name in message]
    if "seed" in names:
        return "Leave the seed out with policy.send_seed=false."
    if "max_tokens" in names and "max_completion_tokens" in message:
        return "Set policy.token_limit_name=max_completion_tokens."
    if names and status in (400, 422):
        return f"Leave it out with sampling.{names[0]}=null."
    return HINTS.get(status or 0, "")


def may_be_samples(error: PromptRefused) -> bool:
    """True where ``n`` above 1 may be the cause of a refusal: neither the context nor moderation."""
    text = str(error)
    return not isinstance(error, ContextTooLong) and text.startswith(("HTTP 400", "HTTP 422", "HTTP 501")) and not (
        _MODERATION.search(text)
    )  # fmt: skip


_LIMIT = (
    r"limit:\s*\d+\s*\+\s*\d+\s*>\s*(\d+)",
    r"(?:maximum|max)\s+(?:context|model|sequence)\s+(?:length|len)\D{0,30}?(\d{3,})",
    r"context\s+(?:length|window|size|limit)s?\D{0,40}?(\d{3,})",
    r">\s*(\d{3,})\s*maximum",
    r"must be <=\s*(\d+)",
)
_INPUT = (
    r"(\d+)\s*(?:tokens\s*)?(?:in|from) the (?:input )?(?:messages|prompt)",
    r"(\d+)\s*(?:`inputs`|input|prompt)\s*tokens",
    r"input (?:length|tokens)\D{0,40}?(\d+)",
    r"limit:\s*(\d+)\s*\+",
    r"prompt (?:has|contains|is)\D{0,20}?(\d+)",
)
_OUTPUT = (
    r"(?:supports|support) (?:at most|up to)\s*(\d+)\s*(?:completion|output)?\s*tokens",
    r"max_(?:completion_|output_|new_)?tokens.{0,60}?(?:at most|<=|less than or equal to)\s*(\d+)",
    r"range (?:of \w+ )?(?:is|of)? ?[\[(]\d+,\s*(\d+)",
)


def room_of(report: ErrorReport) -> int | None:
    """Tokens that a context error leaves for the answer; None where its numbers cannot be read."""
    text = re.sub(r"\b\d{1,3}(?:,\d{3})+\b", lambda number: number[0].replace(",", ""), report.message)
    body = report.body if isinstance(report.body, Mapping) else {}
    limit, prompt = body.get("n_ctx"), body.get("n_prompt_tokens")
    limit = limit if isinstance(limit, int) else _first(_LIMIT, text)
    prompt = prompt if isinstance(prompt, int) else _first(_INPUT, text)
    rooms = [limit - prompt - 1] if limit is not None and prompt is not None else []
    output = _first(_OUTPUT, text)
    return min([*rooms, *([] if output is None else [output])], default=None)


def _first(patterns: tuple[str, ...], text: str) -> int | None:
    found = (re.search(pattern, text, re.IGNORECASE | re.DOTALL) for pattern in patterns)
    return next((int(match[1][:12]) for match in found if match), None)


def message_of(error: BaseException) -> str:
    """The message of an error in one line of at most 300 characters, with its cause where the connection failed."""
    text = one_line(str(error)) or type(error).__name__
    cause = error.__cause__
    if isinstance(error, openai.APIConnectionError) and cause is not None:
        text = f"{text} ({type(cause).__name__}: {cause})"
    return one_line(text)


def one_line(text: str) -> str:
    """``text`` in one line of at most 300 characters that every encoding takes."""
    line = clean_text(" ".join(text[:2000].split()))
    return line if len(line) <= 300 else line[:297] + "..."
