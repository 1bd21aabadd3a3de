"""Limits of what the checker reads, so that no text costs more than some milliseconds, and the refusal.

Written derivations and their mutants have up to 2,600 characters, 29 sentences, 1,800 operations and 8 defects; every
limit leaves room above these.
"""

MAX_TEXT = 4_000
MAX_SENTENCES = 64
MAX_DEFECTS = 32
MAX_DEPTH = 12
MAX_DIGITS = 12
MAX_EXPONENT = 16
MAX_DEGREE = 63
MAX_BITS = 512
MAX_NAMES = 64
MAX_OPERATIONS = 5_000


class Refused(Exception):
    """A text (or a part of it, from character ``start`` on) that the checker does not read; the message says why."""

    def __init__(self, reason: str, start: int = 0) -> None:
        super().__init__(reason)
        self.start = start


class DefectLimit(Exception):
    """A text with ``MAX_DEFECTS`` defects, the rest of which is not judged."""
