"""Finish reasons: only an answer that the model ended itself is a proof or a verdict."""

STOP = "stop"
LENGTH = "length"
REFUSAL = "refusal"  # the model refused to answer, in its own words
UNKNOWN = "unknown"  # the server gave no finish reason
_REASONS = {
    LENGTH: "truncated at the token limit",
    "max_tokens": "truncated at the token limit",
    "model_length": "truncated at the context length of the model",
    "content_filter": "cut off by the content filter of the server",
    REFUSAL: "the model refused to answer",
    UNKNOWN: "the server gave no finish reason, so the answer may be cut off",
}


def published_reason(value: object) -> str:
    """The finish reason in a published table: one that says the answer was cut off or refused, else ``stop``."""
    return value if isinstance(value, str) and value in _REASONS and value != UNKNOWN else STOP


def cut_off(finish_reason: str) -> str | None:
    """The reason why an answer is not whole; None for a whole one, whose finish reason is ``stop``."""
    if finish_reason == STOP:
        return None
    return _REASONS.get(finish_reason, f"ended with finish_reason {finish_reason[:40]!r}, not 'stop'")
