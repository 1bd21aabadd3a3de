"""Complaints: how an analysis names one defect, its place, its kind and how grave it is, in one line of words.

    complaint = "Line " number ": " quote " " phrase "."  |  "At the end: " phrase "."

The quote is the faulty relation as the proof writes it, its right side only or cut with "..." where it is long, and
"this" where there is nothing to quote. A phrase stands for one kind and gravity.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from lab.defects import Defect, Kind

LONGEST_QUOTE = 60
NO_QUOTE = "this"
END = 0  # as a line number

# (kind, minor): phrases after the quote of a line. The same phrase never stands for two of them.
PHRASES: dict[tuple[Kind, bool], tuple[str, ...]] = {
    (Kind.INVALID_STEP, False): (
        "is a wrong step, it does not hold",
        "is false",
        "is a wrong step",
    ),
    (Kind.GAP, True): ("is true but skips some work", "is a small gap, some work is left out"),
    (Kind.GAP, False): ("is a large gap, it is not proved", "is not shown, too much work is left out"),
    (Kind.UNSUPPORTED_CITATION, True): ("is only cited, which leaves a small gap",),
    (Kind.UNSUPPORTED_CITATION, False): ("is only cited, which leaves a large gap",),
    (Kind.MISSING_CASE, False): ("loses a solution", "leaves a solution out"),
    (Kind.WRONG_CONCLUSION, False): ("is the wrong conclusion", "concludes against the truth"),
    (Kind.CIRCULAR, False): ("is circular, it takes what is to be shown", "assumes what is to be shown"),
    (Kind.UNREADABLE, False): ("can not be read", "is not in the language of proofs"),
}
# What is said of the end of a proof.
END_PHRASES: dict[tuple[Kind, bool], tuple[str, ...]] = {
    (Kind.MISSING_CONCLUSION, True): ("the verdict is not stated",),
    (Kind.MISSING_CONCLUSION, False): ("the claim is not reached", "what is shown does not lead to a verdict"),
    (Kind.NOT_ADDRESSING, False): ("nothing is shown",),
    (Kind.UNREADABLE, False): ("the proof is cut off",),
}
_MISSING = " is missing"
_LINE = re.compile(r"line ([0-9]{1,4}):", re.IGNORECASE)
_WORD = re.compile(r"(?!or\b|and\b|mod\b|[xyz]+\b)[A-Za-z]{2,}")
_OPENING_WORDS = re.compile(r"^(?:(?![xyz]+\b)[A-Za-z]{2,}[ ,:]*)+")
_AT_THE_END = "at the end:"
_RELATION_BEFORE = re.compile(r"(<=|>=|!=|=|<|>)\s*$")
_RELATION = re.compile(r"<=|>=|!=|=|<|>")


@dataclass(frozen=True, slots=True)
class Complaint:
    """A reported defect. ``line`` counts from 1, ``END`` is the end; ``kind`` None: words that name no kind."""

    line: int
    kind: Kind | None
    minor: bool = False
    quote: str = ""


def line_of(proof: str, defect: Defect) -> int:
    """The line of the proof that a defect is on; ``END`` where something is missing at the end."""
    start = defect.place.start
    return END if start >= len(proof.rstrip()) else proof.count("\n", 0, start) + 1


def complaint_of(proof: str, defect: Defect) -> Complaint:
    """The complaint that reports a defect of the checker, quote and all."""
    line, kind = line_of(proof, defect), complained_kind(defect.kind)
    if line == END:
        missing = defect.message.removesuffix(_MISSING) if kind is Kind.MISSING_CASE else ""
        return Complaint(END, kind, defect.minor, missing)
    return Complaint(line, kind, defect.minor, quote_at(proof, defect.place.start, defect.place.end))


def complained_kind(kind: Kind) -> Kind:
    """The kind that an analysis reports: words outside the grammar are unreadable to it, as a character is."""
    return Kind.UNREADABLE if kind is Kind.NOT_UNDERSTOOD else kind


def quote_at(proof: str, start: int, end: int) -> str:
    """The quote of a place in a proof; of a relation that goes on a chain its right side only."""
    text = proof[start:end]
    before = _RELATION_BEFORE.search(proof[max(0, start - 4) : start])
    if before:
        signs = list(_RELATION.finditer(text))
        text = text[signs[-1].start() :] if signs else f"{before[1]} {text}"
    return quotation(text)


def quotation(text: str) -> str:
    """A quote of part of a proof without its words: whole if short, else the right side of its last relation."""
    text = _OPENING_WORDS.sub("", " ".join(text.split())).rstrip(".;").rpartition(": ")[2]
    if len(text) <= 1 or _WORD.search(text):
        return ""
    if len(text) > LONGEST_QUOTE and (sign := max(text.rfind(f" {sign} ") for sign in ("=", ">=", "<=", ">", "<"))) > 0:
        text = text[sign + 1 :]
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE].rstrip() + "..."


def write_complaint(rng: Random, complaint: Complaint) -> str:
    """One line of an analysis."""
    if complaint.kind is Kind.MISSING_CASE and complaint.line == END:
        return f"At the end: {complaint.quote}{_MISSING}."
    assert complaint.kind is not None
    table = END_PHRASES if complaint.line == END else PHRASES
    phrase = rng.choice(table[complaint.kind, complaint.minor])
    if complaint.line == END:
        return f"At the end: {phrase}."
    return f"Line {complaint.line}: {complaint.quote or NO_QUOTE} {phrase}."


def read_complaint(line: str) -> Complaint | None:
    """A line of an analysis as a complaint; None where it names no place. Words that fit no phrase have no kind."""
    rest = " ".join(line.split()).removesuffix(".")
    if rest.lower().startswith(_AT_THE_END):
        return _read_end(rest[len(_AT_THE_END) :].strip())
    match = _LINE.match(rest)
    if match is None:
        return None
    number, rest = int(match[1]), rest[match.end() :].strip()
    for phrase, (kind, minor) in _phrases(PHRASES):
        if rest.endswith(f" {phrase}"):
            quote = rest[: -len(phrase)].strip()
            return Complaint(number, kind, minor, "" if quote == NO_QUOTE else quote)
    return Complaint(number, None, quote=rest)


def _read_end(rest: str) -> Complaint:
    for phrase, (kind, minor) in _phrases(END_PHRASES):
        if rest == phrase:
            return Complaint(END, kind, minor)
    if rest.endswith(_MISSING):
        return Complaint(END, Kind.MISSING_CASE, quote=rest.removesuffix(_MISSING))
    return Complaint(END, None, quote=rest)


def _phrases(table: dict[tuple[Kind, bool], tuple[str, ...]]) -> Iterator[tuple[str, tuple[Kind, bool]]]:
    for key, phrases in table.items():
        for phrase in phrases:
            yield phrase, key
