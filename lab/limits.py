"""Limits of what the checker reads, so that no text costs more than some milliseconds, and the refusal.

The largest written derivation has about 1,800 characters; every limit leaves room above what the families need.
"""

MAX_TEXT = 6_000
MAX_SENTENCES = 100
MAX_DEPTH = 12
MAX_DIGITS = 12
MAX_EXPONENT = 16
MAX_DEGREE = 63
MAX_BITS = 512
MAX_NAMES = 64
MAX_OPERATIONS = 12_000


class Refused(Exception):
    """A text (or a part of it, from character ``start`` on) that the checker does not read; the message says why."""

    def __init__(self, reason: str, start: int = 0) -> None:
        super().__init__(reason)
        self.start = start
