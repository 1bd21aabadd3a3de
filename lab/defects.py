"""Defects of a proof: their kinds, their places, and the score that follows from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MAX_MINOR = 2


class Kind(StrEnum):
    """The kinds of defects."""

    INVALID_STEP = "invalid step"
    GAP = "gap"
    MISSING_CASE = "missing case"
    UNSUPPORTED_CITATION = "unsupported citation"
    WRONG_CONCLUSION = "wrong conclusion"
    MISSING_CONCLUSION = "missing conclusion"
    CIRCULAR = "circular"
    NOT_ADDRESSING = "not addressing"
    UNREADABLE = "unreadable"
    NOT_UNDERSTOOD = "not understood"


@dataclass(frozen=True, slots=True)
class Place:
    """Place of a defect: the index of the sentence (its number of sentences for the end) and characters of the text."""

    sentence: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect. A ``minor`` one leaves the proof right in the main."""

    kind: Kind
    place: Place
    message: str
    minor: bool = False


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The checker's result for a proof: its score, 0, 0.5 or 1, and all defects in the order of the text."""

    score: float
    defects: tuple[Defect, ...]


def result_of(defects: Iterable[Defect]) -> CheckResult:
    """1 without defects, 0.5 with at most ``MAX_MINOR`` minor ones and no other, else 0."""
    found = tuple(sorted(defects, key=lambda defect: (defect.place.start, defect.place.end)))
    if not found:
        return CheckResult(1.0, ())
    return CheckResult(0.5 if len(found) <= MAX_MINOR and all(defect.minor for defect in found) else 0.0, found)
