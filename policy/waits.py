"""Waiting times that servers ask for, from response headers and error bodies, in every form they write."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_UNITS = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|d|h|m|s)[a-z]*", re.IGNORECASE)
_DURATION = re.compile(rf"\s*(?:p?t?\s*{_PART.pattern}[\s,]*)+", re.IGNORECASE)
_IN_TEXT = re.compile(
    r"(?:try again|retry|reset|wait)\w*\s+(?:in|after|for)\s+((?:about\s+)?\d[\d.]*\s*(?:ms|[dhms])[\dhms.a-z]*)",
    re.IGNORECASE,
)
_FIELD = re.compile(r"\b(?:reset|t)\s*=\s*(\d+(?:\.\d+)?)")
_LONGEST_DURATION = 1e8  # seconds; larger numbers are moments since 1970, in seconds or (from 1e11 on) milliseconds
_KINDS = ("requests", "tokens")


def wait_of(headers: Mapping[str, str], body: Any = None, clock: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait by a server's wish; None where it names none, or a moment that has passed.

    Read are, in this order: ``retry-after-ms``, ``retry-after``, ``x-ratelimit-reset[-requests|-tokens]`` (of what has
    none remaining, where the server says so) and their forms without ``x-`` and with ``anthropic-``, then the error
    body: ``retry_after``, ``retryDelay``, headers inside ``metadata``, and a sentence such as "try again in 1m30s".
    """
    lower = {str(key).lower(): str(value) for key, value in headers.items()}
    for seconds in (*_from_headers(lower, clock), *_from_body(body, clock)):
        if seconds is not None and seconds > 0:
            return seconds
    return None


def _from_headers(headers: Mapping[str, str], clock: Callable[[], float]) -> Iterator[float | None]:
    milliseconds = parse_wait(headers.get("retry-after-ms"), clock)
    yield None if milliseconds is None else milliseconds / 1000
    yield parse_wait(headers.get("retry-after"), clock)
    yield _reset(headers, clock)
    for name in ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset"):
        yield parse_wait(headers.get(name), clock)
    if field := _FIELD.search(headers.get("ratelimit", "")):
        yield float(field[1])


def _reset(headers: Mapping[str, str], clock: Callable[[], float]) -> float | None:
    """The reset of what is used up; where no header says what that is, the earliest one."""
    used_up, others = [], []
    for kind in _KINDS:
        for reset, remaining in (
            (f"x-ratelimit-reset-{kind}", f"x-ratelimit-remaining-{kind}"),
            (f"anthropic-ratelimit-{kind}-reset", f"anthropic-ratelimit-{kind}-remaining"),
        ):
            seconds = parse_wait(headers.get(reset), clock)
            if seconds is not None:
                (used_up if headers.get(remaining, "").strip() == "0" else others).append(seconds)
    return max(used_up) if used_up else min(others, default=None)


def _from_body(body: Any, clock: Callable[[], float]) -> Iterator[float | None]:
    if isinstance(body, Mapping):
        for name in ("retry_after", "retryDelay", "retry_after_seconds"):
            yield parse_wait(body.get(name), clock)
        metadata = body.get("metadata")
        if isinstance(metadata, Mapping):
            inner = metadata.get("headers")
            yield wait_of(inner, None, clock) if isinstance(inner, Mapping) else None
            yield parse_wait(metadata.get("retry_after"), clock)
        details = body.get("details")
        for detail in details if isinstance(details, list) else ():
            yield from _from_body(detail, clock)
        yield from _from_body(body.get("message"), clock)
    elif isinstance(body, str) and (found := _IN_TEXT.search(body[:2000])):
        yield parse_wait(found[1].removeprefix("about").strip(" ."), clock)


def parse_wait(value: Any, clock: Callable[[], float] = time.time) -> float | None:
    """Seconds from now of a number, a duration (``1m30s``, ``PT5S``, ``200ms``), an HTTP date or an ISO time.

    A number above 1e8 is a moment since 1970, in seconds or milliseconds. None for anything else, and for the past.
    """
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    seconds = _number(text, clock)
    if seconds is None:
        seconds = _duration(text)
    if seconds is None:
        seconds = _moment(text, clock)
    return seconds if seconds is not None and 0 <= seconds < float("inf") else None


def _number(text: str, clock: Callable[[], float]) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if number > _LONGEST_DURATION:
        return (number / 1000 if number > 1e11 else number) - clock()
    return number


def _duration(text: str) -> float | None:
    if not _DURATION.fullmatch(text[:100]):
        return None
    return sum(float(number) * _UNITS[unit.lower()] for number, unit in _PART.findall(text))


def _moment(text: str, clock: Callable[[], float]) -> float | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
        except (ValueError, TypeError, IndexError):
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - clock()
    return None
