"""Exact check of a lab proof: the sentences with the defects that the checker found in each."""

from dataclasses import dataclass

from lab.defects import CheckResult, Defect
from lab.language import read
from lab.limits import Refused


@dataclass(frozen=True, slots=True)
class CheckedPiece:
    """Piece of a proof: a sentence (``checked``) or the text between; ``defects``: what the checker reports there."""

    text: str
    checked: bool
    defects: tuple[Defect, ...] = ()


def steps(body: str, verdict: CheckResult) -> list[CheckedPiece]:
    """Splits a proof into sentences of the lab's language, each with its defects."""
    try:
        spans = [sentence.span for sentence in read(body)]
    except Refused:
        spans = []
    pieces, position = [], 0
    for start, end in spans or [(0, len(body))]:
        if start > position:
            pieces.append(CheckedPiece(body[position:start], checked=False))
        found = tuple(defect for defect in verdict.defects if start <= defect.place.start < end)
        pieces.append(CheckedPiece(body[start:end], checked=True, defects=found))
        position = end
    return [*pieces, CheckedPiece(body[position:], checked=False)] if position < len(body) else pieces


def missing_at_end(body: str, verdict: CheckResult) -> list[Defect]:
    """Defects at the end of the proof: parts that are missing."""
    return [defect for defect in verdict.defects if defect.place.start >= len(body.rstrip())]
