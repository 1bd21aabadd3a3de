"""Retries of failed calls: which errors are final, and the wait before the next attempt."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import openai

from core.config import STRICT, Positive, settings
from core.errors import LemmataError
from core.ids import clean_text
from policy.interface import PromptRefused


class MalformedAnswer(Exception):
    """An HTTP 200 response that is not a chat completion."""


@settings(frozen=True, config=STRICT)
class RetryConfig:
    """``attempts`` of a call in all; waits double from ``first_wait`` to ``max_backoff`` seconds, with jitter.

    A server's Retry-After is honored up to ``max_retry_after`` seconds. Before a server's first response, a refused
    connection is attempted ``connect_attempts`` times only, so that a wrong address is reported at once.
    """

    attempts: Positive
    connect_attempts: Positive
    first_wait: float
    max_backoff: float
    max_retry_after: float


class Backoff:
    """Waiting times with jitter from a seeded generator, which is separate from that of sampling."""

    def __init__(self, config: RetryConfig, seed: int = 0) -> None:
        self.config = config
        self._random = random.Random(seed)

    def wait(self, attempt: int, error: Exception) -> float:
        """Seconds to wait after the failed ``attempt`` (counted from 1)."""
        asked = retry_after(error)
        if asked is not None:
            return min(asked, self.config.max_retry_after) + self._random.uniform(0, 0.1)
        longest = min(self.config.max_backoff, self.config.first_wait * 2 ** (attempt - 1))
        return self._random.uniform(0.5, 1.0) * longest


def retry_after(error: Exception) -> float | None:
    """Seconds that the server asked to wait (header Retry-After: seconds or a date); None when it did not."""
    value = error.response.headers.get("retry-after") if isinstance(error, openai.APIStatusError) else None
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def raise_if_final(error: Exception, server: str) -> None:
    """Raise an error that no further attempt can fix; return where another attempt makes sense.

    Raises:
        LemmataError: wrong key, unknown model or path, exhausted account (402): no call of this run can work.
        PromptRefused: the server refuses this request (HTTP 400, 413, 422 and other 4xx).
    """
    if isinstance(error, MalformedAnswer | openai.APIConnectionError):
        return
    if not isinstance(error, openai.APIStatusError):
        raise error
    status, code = error.status_code, getattr(error, "code", None)
    if code == "insufficient_quota":
        raise LemmataError(f"{server}: the account has no quota left: {message_of(error)}") from error
    if status in (408, 409, 425, 429) or status >= 500:
        return
    hints = {
        401: "Set the environment variable named by policy.api_key_env to a valid key.",
        402: "Top up the account.",
        403: "The key has no right to this model.",
        404: "Check policy.base_url (it usually ends in /v1) and policy.model.",
        405: "Check policy.base_url (it usually ends in /v1).",
    }
    if status in hints:
        raise LemmataError(f"{server} answered HTTP {status}: {message_of(error)}. {hints[status]}") from error
    raise PromptRefused(f"HTTP {status}: {message_of(error)}") from error


def message_of(error: Exception) -> str:
    """The message of an error in one line of at most 300 characters."""
    text = clean_text(" ".join(str(error).split())) or type(error).__name__
    cause = error.__cause__
    if isinstance(error, openai.APIConnectionError) and cause is not None:
        text = f"{text} ({type(cause).__name__}: {cause})"
    return text if len(text) <= 300 else text[:297] + "..."
