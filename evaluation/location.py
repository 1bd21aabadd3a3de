"""Where a verifier sees the error: whether the words it quotes from a proof are those of the first wrong step.

An analysis may quote every line of a proof, and would always name the step. So beside the share that names it stands
the share that the same quotations would name by chance: over all places that a step of that length could have.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.log import read_log
from core.records import Analysis, Proof
from core.statistics import Estimate, IntervalConfig, Observation, mean, share
from evaluation.entries import Entry
from evaluation.folders import Part

SHORTEST, LONGEST = 8, 600  # characters of a quotation
_BETWEEN = (('"', '"'), ("“", "”"), ("«", "»"), ("`", "`"), (r"\$", "$"))
_QUOTED = [
    *(re.compile(f"{left}([^{right}]{{{SHORTEST},{LONGEST}}}){re.escape(right)}") for left, right in _BETWEEN),
    *(re.compile(rf"\\\{a}(.{{{SHORTEST},{LONGEST}}}?)\\\{b}", re.DOTALL) for a, b in ("()", "[]")),
]
_BLOCK = re.compile(rf"^>\s*(.{{{SHORTEST},{LONGEST}}})$", re.MULTILINE)
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Location:
    """Of ``complaints``, analyses that report an issue in a proof with a marked step: how many ``quote`` the proof at
    all, the share that ``names`` the step, and the share by ``chance``. Problems are resampled.
    """

    entrant: str
    proofs: int
    complaints: int
    quoting: int
    names: Estimate
    chance: Estimate


def quoted_spans(analysis: str, proof: str) -> list[Span]:
    """The places in ``proof`` of what ``analysis`` quotes from it, white space aside."""
    folded, places = _fold(proof)
    spans: list[Span] = []
    for pattern in (*_QUOTED, _BLOCK):
        for match in pattern.finditer(analysis):
            words = _fold(match[1])[0].strip(" .,;:")
            start = folded.find(words) if len(words) >= SHORTEST else -1
            if start >= 0:
                spans.append((places[start], places[start + len(words) - 1] + 1))
    return spans


def names_step(spans: Sequence[Span], step: Span) -> bool:
    """Whether one of the places overlaps the step."""
    return any(start < step[1] and step[0] < end for start, end in spans)


def chance_of(spans: Sequence[Span], step: Span, length: int) -> float:
    """The share of the places a step of this size could have in ``length`` characters that the spans overlap."""
    size = min(step[1] - step[0], length)
    covered = [False] * (length - size + 1)
    for start, end in spans:
        first, last = max(0, start - size + 1), min(length - size, end - 1)
        covered[first : last + 1] = [True] * (last + 1 - first)
    return sum(covered) / len(covered)


def locations(parts: Sequence[Part], entries: Sequence[Entry], config: IntervalConfig) -> list[Location]:
    """The figures of every entrant some of whose proofs have a marked wrong step and analyses that complain."""
    marked = {(e.entrant, e.proof_id): (e.wrong_from, e.wrong_to or 0) for e in entries if e.wrong_from is not None}
    found: dict[str, list[tuple[str, str, bool, bool, float]]] = {}
    for part in parts:
        steps = {proof: step for (name, proof), step in marked.items() if name == part.entrant}
        if steps:
            found.setdefault(part.entrant, []).extend(_complaints(part, steps))
    return [_location(name, rows, config) for name, rows in found.items() if rows]


def _complaints(part: Part, steps: Mapping[str, Span]) -> Iterator[tuple[str, str, bool, bool, float]]:
    """Problem, proof, whether it quotes, whether it names the step, and the chance, of every complaining analysis."""
    for path in part.run.log_paths():
        bodies: dict[str, str] = {}
        for record in read_log(path):
            if isinstance(record, Proof) and record.id in steps:
                bodies[record.id] = record.body or ""
            elif isinstance(record, Analysis) and record.proof_id in bodies and record.score in (0.0, 0.5):
                body, step = bodies[record.proof_id], steps[record.proof_id]
                spans = quoted_spans(record.text, body)
                yield (record.problem_id, record.proof_id, bool(spans), names_step(spans, step),
                       chance_of(spans, step, len(body)))  # fmt: skip


def _location(name: str, rows: Sequence[tuple[str, str, bool, bool, float]], config: IntervalConfig) -> Location:
    return Location(
        entrant=name,
        proofs=len({row[1] for row in rows}),
        complaints=len(rows),
        quoting=sum(row[2] for row in rows),
        names=share([Observation(problem, float(named)) for problem, _, _, named, _ in rows], config=config),
        chance=mean([Observation(problem, chance) for problem, _, _, _, chance in rows], config=config),
    )


def _fold(text: str) -> tuple[str, list[int]]:
    """``text`` with runs of white space as one blank, and the place of each of its characters."""
    characters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if character.isspace() and (not characters or characters[-1] == " "):
            continue
        characters.append(" " if character.isspace() else character)
        places.append(place)
    return "".join(characters), places
