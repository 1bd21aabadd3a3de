"""Detector of degenerate texts: a passage that repeats until the end of a text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Repetition:
    """The end of a text repeats its last ``period`` characters ``repeats`` times in a row."""

    period: int
    repeats: int


def find_repetition(text: str, *, tail: int = 4000, min_repeats: int = 6, min_length: int = 300) -> Repetition | None:
    """The shortest exact repetition at the end of ``text``, looked for in its last ``tail`` characters.

    It counts from ``min_repeats`` repetitions over ``min_length`` characters on: a table or a list whose rows differ in
    one character is no repetition. White space may follow the last repetition. O(tail).
    """
    end = text[-tail:] if tail > 0 else ""
    return _periodic_end(end, min_repeats, min_length) or _periodic_end(end.rstrip(), min_repeats, min_length)


def _periodic_end(end: str, min_repeats: int, min_length: int) -> Repetition | None:
    """The shortest period under which the end of ``end`` repeats often and long enough."""
    for period, common in enumerate(_z_function(end[::-1])):
        length = period + common
        if period and length >= min_length and length // period >= min_repeats:
            return Repetition(period, length // period)
    return None


def _z_function(text: str) -> list[int]:
    """For each position, the length of the longest common prefix with ``text`` (Gusfield 1997, section 1.4)."""
    common = [0] * len(text)
    left = right = 0  # the match that reaches farthest: text[left:right] == text[:right - left]
    for i in range(1, len(text)):
        k = min(right - i, common[i - left]) if i < right else 0
        while i + k < len(text) and text[k] == text[i + k]:
            k += 1
        common[i] = k
        if i + k > right:
            left, right = i, i + k
    return common
