"""Error location: the share of complaints that quote the first wrong step, compared with chance.

An analysis that quotes every line of a proof would always name the step. So the report also states the share by chance:
the share of all possible positions of a step of that length that the same quotations overlap.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.log import read_log
from core.records import Analysis, Proof
from core.statistics import Estimate, IntervalConfig, Observation, mean, share
from evaluation.folders import Part
from evaluation.graded_proofs import GradedProof

MIN_QUOTATION, MAX_QUOTATION = 8, 600  # characters
_BETWEEN = (('"', '"'), ("“", "”"), ("«", "»"), ("`", "`"), (r"\$", "$"))
_QUOTED = [
    *(
        re.compile(f"{left}([^{right}]{{{MIN_QUOTATION},{MAX_QUOTATION}}}){re.escape(right)}")
        for left, right in _BETWEEN
    ),
    *(re.compile(rf"\\\{a}(.{{{MIN_QUOTATION},{MAX_QUOTATION}}}?)\\\{b}", re.DOTALL) for a, b in ("()", "[]")),
]
_BLOCK = re.compile(rf"^>\s*(.{{{MIN_QUOTATION},{MAX_QUOTATION}}})$", re.MULTILINE)
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Location:
    """Error location of one entrant's verifier, on ``proofs`` with an annotated wrong step.

    Of the ``complaints`` (analyses that report an issue) ``quoting`` quote the proof at all; ``names`` is the share
    that quotes the wrong step, ``chance`` the share expected by chance; intervals by cluster of the problems.
    ``verifier``: models of the analyses.
    """

    entrant: str
    verifier: str
    proofs: int
    complaints: int
    quoting: int
    names: Estimate
    chance: Estimate


def quoted_spans(analysis: str, proof: str) -> list[Span]:
    """Spans in ``proof`` of the text that ``analysis`` quotes from it, white space aside."""
    folded, positions = _fold(proof)
    spans: list[Span] = []
    for pattern in (*_QUOTED, _BLOCK):
        for match in pattern.finditer(analysis):
            words = _fold(match[1])[0].strip(" .,;:")
            start = folded.find(words) if len(words) >= MIN_QUOTATION else -1
            if start >= 0:
                spans.append((positions[start], positions[start + len(words) - 1] + 1))
    return spans


def names_step(spans: Sequence[Span], step: Span) -> bool:
    """True where one of the spans overlaps the step."""
    return any(start < step[1] and step[0] < end for start, end in spans)


def chance_of(spans: Sequence[Span], step: Span, length: int) -> float:
    """Share of all positions of a step of this size in ``length`` characters that the spans overlap."""
    size = min(step[1] - step[0], length)
    covered = [False] * (length - size + 1)
    for start, end in spans:
        first, last = max(0, start - size + 1), min(length - size, end - 1)
        covered[first : last + 1] = [True] * (last + 1 - first)
    return sum(covered) / len(covered)


def locations(parts: Sequence[Part], entries: Sequence[GradedProof], config: IntervalConfig) -> list[Location]:
    """Error locations of every entrant and verifier that has complaints about proofs with an annotated wrong step."""
    annotated = {
        (entry.entrant, entry.proof_id): (entry.error_start, entry.error_end or 0)
        for entry in entries
        if entry.error_start is not None
    }
    clusters = {entry.proof_id: entry.cluster for entry in entries}
    found: dict[tuple[str, str], list[_Complaint]] = {}
    for part in parts:
        steps = {proof: step for (name, proof), step in annotated.items() if part.has(name)}
        for one in _complaints(part, steps) if steps else ():
            found.setdefault((part.entrant, one.verifier), []).append(one)
    return [_location(*name, rows, clusters, config) for name, rows in found.items()]


class _Complaint(NamedTuple):
    """A complaint about a proof: the model, whether it quotes the proof and the wrong step, and the share by chance."""

    verifier: str
    proof_id: str
    quotes: bool
    named: bool
    chance: float


def _complaints(part: Part, steps: Mapping[str, Span]) -> Iterator[_Complaint]:
    """Yields every complaint of a run about a proof with an annotated step."""
    for path in part.run.log_paths():
        bodies: dict[str, str] = {}
        for record in read_log(path):
            if isinstance(record, Proof) and record.id in steps:
                bodies[record.id] = record.body or ""
            elif isinstance(record, Analysis) and record.proof_id in bodies and record.score in (0.0, 0.5):
                body, step = bodies[record.proof_id], steps[record.proof_id]
                spans = quoted_spans(record.text, body)
                chance = chance_of(spans, step, len(body))
                yield _Complaint(record.model, record.proof_id, bool(spans), names_step(spans, step), chance)


def _location(
    entrant: str, verifier: str, rows: Sequence[_Complaint], clusters: Mapping[str, str], config: IntervalConfig
) -> Location:
    return Location(
        entrant=entrant,
        verifier=verifier or "not stated",
        proofs=len({row.proof_id for row in rows}),
        complaints=len(rows),
        quoting=sum(row.quotes for row in rows),
        names=share([Observation(clusters[row.proof_id], float(row.named)) for row in rows], config=config),
        chance=mean([Observation(clusters[row.proof_id], row.chance) for row in rows], config=config),
    )


def _fold(text: str) -> tuple[str, list[int]]:
    """``text`` with each run of white space as one blank, and the position of each of its characters."""
    characters: list[str] = []
    positions: list[int] = []
    for position, character in enumerate(text):
        if character.isspace() and (not characters or characters[-1] == " "):
            continue
        characters.append(" " if character.isspace() else character)
        positions.append(position)
    return "".join(characters), positions
