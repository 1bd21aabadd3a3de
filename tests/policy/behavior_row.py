"""Row of the table of server behaviors: the behavior, the loop's treatment of it, and helpers to write replies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from policy.interface import Completion
from tests.fake_server import (
    Behavior,
    FakeServer,
    Reply,
    Streamed,
    completion,
    event,
    json_reply,
    well_behaved,
)

JSON = {"content-type": "application/json"}


class Outcome(Enum):
    """The loop's treatment of a behavior, in the words of the documentation."""

    ANSWER = "a whole answer"
    CUT = "kept on record as cut off: neither a proof nor a verdict"
    REPEATED = "repeated; the next answer counts"
    PAUSED = "the server pauses as a whole, then the call is repeated; no attempt is used up"
    CHANGED = "repeated in another form"
    ASIDE = "this prompt is set aside with the reason, the run goes on"
    STOPPED = "the run stops with a message that says how to fix it"
    WAITED = "the server is probed until `retry.patience` is over, then the run stops cleanly"


@dataclass(frozen=True)
class Row:
    """One behavior: ``replies`` to the first requests, then good answers.

    ``server`` says it in words. ``requests``: how many the call takes in all. ``check`` looks at the answer, ``tokens``
    are those booked for it. ``settings`` of the policy; ``warm``: an earlier call has been answered.
    """

    group: str
    server: str
    replies: tuple[Reply | Behavior, ...]
    outcome: Outcome
    requests: int = 1
    check: Callable[[Completion], bool] = lambda answer: True
    message: str = ""
    tokens: int | None = None
    n: int = 1
    max_tokens: int | None = None
    warm: bool = True
    last: Reply | Behavior = well_behaved
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the test."""
        return f"{self.group}: {self.server}"


def whole(text: str = "Proof.", **changes: Any) -> dict[str, Any]:
    """A chat completion with one choice of ``text``; ``changes`` are those of the choice."""
    return completion({"model": "m", "messages": []}, [text], **changes)


def message(**parts: Any) -> Reply:
    """A completion whose message has these fields."""
    return json_reply(whole(message={"role": "assistant", **parts}))


def usage(**counts: Any) -> Reply:
    """A completion with this usage."""
    return json_reply(whole() | {"usage": counts})


def error(status: int, text: str = "no", headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
    """An HTTP error in OpenAI's form."""
    return json_reply({"error": {"message": text, **fields}}, status, headers)


def inside(**fields: Any) -> Reply:
    """An error body with HTTP status 200, which used tokens all the same."""
    return json_reply({"error": fields, "usage": {"prompt_tokens": 5, "completion_tokens": 7}})


def stream(*pieces: Any, **options: Any) -> Streamed:
    """A stream; values other than bytes, numbers and None are events."""
    return Streamed([piece if isinstance(piece, bytes | float | None) else event(piece) for piece in pieces], **options)


def is_text(text: str, reasoning: str | None = None) -> Callable[[Completion], bool]:
    """A check of text and reasoning."""
    return lambda answer: (answer.text, answer.reasoning) == (text, reasoning)


def ends(reason: str) -> Callable[[Completion], bool]:
    """A check of the recorded finish reason."""
    return lambda answer: answer.finish_reason == reason


def refusing(*fields: str) -> Behavior:
    """A server that refuses requests with one of these fields, and answers the others."""

    async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
        found = next((name for name in fields if name in body), None)
        return error(400, f"unknown field: {found}") if found else await well_behaved(body, server)

    return behave


def limited(tokens: int, text: str) -> Behavior:
    """A server that refuses more than ``tokens`` tokens in an answer with ``text``."""

    async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
        return error(400, text) if body.get("max_tokens", 10**9) > tokens else await well_behaved(body, server)

    return behave


A, CUT, AGAIN, PAUSED = Outcome.ANSWER, Outcome.CUT, Outcome.REPEATED, Outcome.PAUSED
ASIDE, STOPPED, CHANGED, WAITED = Outcome.ASIDE, Outcome.STOPPED, Outcome.CHANGED, Outcome.WAITED
USED = {"prompt_tokens": 5, "completion_tokens": 7}
