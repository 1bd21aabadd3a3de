"""Labeled analyses: right ones, and ones with planted faults, each with its exact quality.

| fault | what is done | quality, as a rule |
|---|---|---|
| false complaint | a line that is right is faulted, beside the real complaints or instead of them | 0.5, or 0 alone |
| missed defect | some or all defects go unreported; the score follows from the rest | 1: only reports are judged |
| wrong score | the complaints are right, the score does not follow from them | 0.5 |
| wrong place | a real defect reported on another line | 0, or 0.5 beside real complaints |
| wrong kind | the right line faulted for something else | 0.5 |

The label is always what ``analysis_quality`` gives, whatever was planted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from lab.analyses import compose, following, parse_analysis, quality, right_complaints, write_analysis
from lab.checker import check
from lab.complaints import END, Complaint
from lab.defects import CheckResult, Kind
from lab.theorem import Theorem
from lab.walkthrough import JudgedPassage, items

SCORES = (0.0, 0.5, 1.0)
MAX_TRIES = 20


class Fault(StrEnum):
    """Faults of an analysis."""

    FALSE_COMPLAINT = "false complaint"
    MISSED_DEFECT = "missed defect"
    WRONG_SCORE = "wrong score"
    WRONG_PLACE = "wrong place"
    WRONG_KIND = "wrong kind"


@dataclass(frozen=True, slots=True)
class LabeledAnalysis:
    """An analysis, its exact quality, and the fault that was planted (None: a right one)."""

    text: str
    quality: float
    planted: Fault | None


@dataclass(frozen=True, slots=True)
class Subject:
    """A proof as a referee sees it: the complaints that are right, and all that is to be judged."""

    proof: str
    verdict: CheckResult
    right: tuple[Complaint, ...]
    items: tuple[JudgedPassage, ...]


Planted = tuple[list[Complaint], float]
_LINE_KINDS = (
    *((Kind.INVALID_STEP, False),) * 4,
    *((Kind.GAP, True), (Kind.GAP, False)) * 2,
    (Kind.UNSUPPORTED_CITATION, True),
    (Kind.CIRCULAR, False),
    (Kind.UNREADABLE, False),
)
_END_KINDS = ((Kind.MISSING_CONCLUSION, True), (Kind.MISSING_CONCLUSION, False), (Kind.NOT_ADDRESSING, False))


def plant_analysis(theorem: Theorem, proof: str, seed: int, kind: Fault | None = None) -> LabeledAnalysis | None:
    """An analysis of the proof with a planted fault; None where the proof leaves no place for one of this kind."""
    rng = Random(f"fault {theorem.id} {proof} {seed} {kind}")
    subject = _subject(theorem, proof)
    for fault in [kind] if kind else rng.sample(list(Fault), len(Fault)):
        found = _planted(rng, subject, fault)
        if found is not None:
            return found
    return None


def labeled_analysis(theorem: Theorem, proof: str, seed: int, mixture: Sequence[float] = (1, 1, 1)) -> LabeledAnalysis:
    """An analysis whose quality is drawn from 0, 0.5 and 1, in these mixture (as far as the proof allows it)."""
    rng = Random(f"labelled analysis {theorem.id} {proof} {seed}")
    (wanted,) = rng.choices(SCORES, mixture)
    subject = _subject(theorem, proof)
    for _ in range(MAX_TRIES if wanted < 1 or rng.random() < 0.2 else 0):
        found = _planted(rng, subject, rng.choice(list(Fault)))
        if found is not None and found.quality == wanted:
            return found
    text = write_analysis(theorem, proof, subject.verdict, seed)
    return LabeledAnalysis(text, quality(parse_analysis(text), proof, subject.verdict), None)


def _subject(theorem: Theorem, proof: str) -> Subject:
    verdict = check(theorem, proof)
    return Subject(proof, verdict, right_complaints(proof, verdict), items(theorem, proof))


def _planted(rng: Random, subject: Subject, fault: Fault) -> LabeledAnalysis | None:
    planted = _FAULTS[fault](rng, subject)
    if planted is None:
        return None
    complaints, score = planted
    order = sorted(dict.fromkeys(complaints), key=lambda complaint: complaint.line or len(subject.proof))
    text = compose(rng, subject.items, order, score)
    return LabeledAnalysis(text, quality(parse_analysis(text), subject.proof, subject.verdict), fault)


def _false_complaint(rng: Random, subject: Subject) -> Planted | None:
    lines = {complaint.line for complaint in subject.right}
    free = [item for item in subject.items if item.line not in {*lines, END}]
    if END not in lines and (not free or rng.random() < 0.15):
        false = Complaint(END, *rng.choice(_END_KINDS))
    elif free:
        item = rng.choice(free)
        false = Complaint(item.line, *rng.choice(_LINE_KINDS), item.quote)
    else:
        return None
    kept = list(subject.right) if rng.random() < 0.4 else []
    return _scored([*kept, false])


def _missed_defect(rng: Random, subject: Subject) -> Planted | None:
    if not subject.right:
        return None
    return _scored(rng.sample(subject.right, rng.choice((0, rng.randrange(len(subject.right))))))


def _wrong_score(rng: Random, subject: Subject) -> Planted | None:
    complaints = list(subject.right)
    return complaints, rng.choice([score for score in SCORES if score != following(complaints)])


def _wrong_place(rng: Random, subject: Subject) -> Planted | None:
    lines = {complaint.line for complaint in subject.right}
    free = [item for item in subject.items if item.line not in {*lines, END}]
    movable = [complaint for complaint in subject.right if complaint.line != END and complaint.kind is not None]
    if not free or not movable:
        return None
    moved = rng.choice(movable)
    item = rng.choice(free)
    wrong = replace(moved, line=item.line, quote=item.quote if rng.random() < 0.6 else moved.quote)
    kept = [complaint for complaint in subject.right if complaint.line != moved.line]
    return _scored([*(kept if rng.random() < 0.5 else []), wrong])


def _wrong_kind(rng: Random, subject: Subject) -> Planted | None:
    if not subject.right:
        return None
    changed = rng.choice(subject.right)
    kinds = _END_KINDS if changed.line == END else _LINE_KINDS
    kind, minor = rng.choice([pair for pair in kinds if pair != (changed.kind, changed.minor)])
    wrong = Complaint(changed.line, kind, minor, "" if changed.line == END else changed.quote)
    return _scored([wrong if complaint == changed else complaint for complaint in subject.right])


def _scored(complaints: list[Complaint]) -> Planted:
    return complaints, following(complaints)


_FAULTS: dict[Fault, Callable[[Random, Subject], Planted | None]] = {
    Fault.FALSE_COMPLAINT: _false_complaint,
    Fault.MISSED_DEFECT: _missed_defect,
    Fault.WRONG_SCORE: _wrong_score,
    Fault.WRONG_PLACE: _wrong_place,
    Fault.WRONG_KIND: _wrong_kind,
}
