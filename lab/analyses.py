"""Analyses of the lab: a strict grammar in the format of the released weights, their exact quality, and a writer.

    Here is my evaluation of the solution:
    Claim and proof give 2 and 2: same; 3 and 4: other; stated: it fails.
    Line 1: x^2 - 5x + 6 - 2 = 0 is right.
    Line 2 gives 6 - 2 = 4; 4 and 3: other.
    Line 2: 6 - 2 = 3 is a wrong step.
    Based on my evaluation, the final overall score should be:
    \\boxed{0}

Between opening and score stands one complaint a line (``lab.complaints``), or one line that says that there is no
defect. What goes through the proof (``lab.walkthrough``), as the first three lines here, is allowed and not judged.

The quality of an analysis is the meta-verifier's rubric, decided by the checker. Only reported defects are judged:

| quality | when |
|---|---|
| 0 | every complaint is false; or the text is no analysis: opening or score missing |
| 0.5 | some complaints are false; or one is put wrongly; or the score does not follow from the complaints |
| 1 | else; so also where no defect is reported with a score of 1, whether or not the proof is right |

- A complaint is *real* when the checker faults the line that it names. Else it is *false*.
- A real one is *put wrongly* when no defect of that line is of its kind and gravity, or its quote (if it has one) is
  not that defect's.
- The score that *follows*: 1 without complaints, 0.5 for one or two minor ones and no other, else 0.
- A line that fits no form counts as a false complaint, and so does "no defect" beside a complaint.
- The same complaint twice counts once.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from random import Random

from core.announcements import phrase_pattern
from core.rubric import Verdict as Score
from core.rubric import answer_part, parse_verdict
from lab.checker import check
from lab.complaints import END, NO_QUOTE, Complaint, complaint_of, line_of, read_complaint, write_complaint
from lab.defects import MAX_MINOR, CheckResult
from lab.theorem import Proposition
from lab.walkthrough import JudgedPassage, items

OPENING = "Here is my evaluation of the solution:"
CLOSING = "Based on my evaluation, the final overall score should be:"
MAX_COMPLAINTS = 5
LONGEST_ANALYSIS = 8_000
MAX_LINES = 120

_OPENING = phrase_pattern("here is my evaluation of the solution")
_CLOSING = phrase_pattern("based on my evaluation the final overall? score should be")
_NO_DEFECT = (
    "I find no defect",
    "There is no defect",
    "No defect was found",
)
_CHECKED = (
    "every step holds and is small enough, and the verdict follows",
    "all steps are right and the claim is settled",
    "each relation was checked, and so was the verdict",
)
_REMARK = re.compile(
    r"(?:line [0-9]{1,4}(?: gives .{1,500}|: .{1,200} is right)|claim and proof give .{1,500})\.", re.IGNORECASE
)


class ComplaintVerdict(StrEnum):
    """Verdict on a complaint."""

    REAL = "real"
    MISPUT = "put wrongly"
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Parsed:
    """An analysis taken apart. ``score`` None: it has no readable one, or no opening, or is too long to be one."""

    complaints: tuple[Complaint, ...]
    score: float | None
    strange: tuple[str, ...] = ()  # lines that fit no form


def score_text(score: float) -> str:
    """A score as it stands in its box."""
    return f"\\boxed{{{score:g}}}"


def write_analysis(theorem: Proposition, proof: str, verdict: CheckResult | None = None, seed: int = 0) -> str:
    """A correct analysis of a proof, by the checker's verdict of it, in wording that varies with the seed."""
    verdict = verdict or check(theorem, proof)
    rng = Random(f"analysis {seed}")
    return compose(rng, items(theorem, proof), right_complaints(proof, verdict), verdict.score)


def right_complaints(proof: str, verdict: CheckResult) -> tuple[Complaint, ...]:
    """Complaints to report: the defects up to the first grave one, which decides the score; at most
    ``MAX_COMPLAINTS``."""
    found: list[Complaint] = []
    for defect in verdict.defects:
        found.append(complaint_of(proof, defect))
        if not defect.minor:
            break
    return tuple(dict.fromkeys(found))[:MAX_COMPLAINTS]


def compose(rng: Random, judged: Sequence[JudgedPassage], complaints: Sequence[Complaint], score: float) -> str:
    """The text of an analysis with these complaints and this score, which goes through a proof item by item.

    With a grave complaint it ends there: the score is decided. Where a proof starts from something else than the claim,
    a grave complaint about the end comes at once.
    """
    places = [complaint.line for complaint in complaints]
    grave = any(not complaint.minor for complaint in complaints)
    last = max(places) if grave and END not in places else math.inf
    if any(item.open for item in judged) and any(one.line == END and not one.minor for one in complaints):
        last = max(places)
    body = judged_lines(rng, [item for item in judged if item.line <= last], complaints)
    if grave:
        body = body[: max(place for place, line in enumerate(body) if read_complaint(line) in complaints) + 1]
    if not complaints:
        body.append(f"{rng.choice(_NO_DEFECT)}: {rng.choice(_CHECKED)}.")
    return "\n".join([OPENING, *body, CLOSING, score_text(score)])


def judged_lines(rng: Random, judged: Sequence[JudgedPassage], complaints: Iterable[Complaint]) -> list[str]:
    """Items of a proof, each with what is worked out and the complaints about it, or that it is right."""
    by_line = groupby(judged, lambda item: item.line)
    found = [text for line, group in by_line for text in _of_line(rng, line, group, complaints)]
    lines = {item.line for item in judged if item.line != END or item.open}
    return found + [write_complaint(rng, complaint) for complaint in complaints if complaint.line not in lines]


def _of_line(rng: Random, line: int, judged: Iterable[JudgedPassage], complaints: Iterable[Complaint]) -> Iterator[str]:
    """The items of a line, each with the complaints about it or that it is right; then the other complaints.

    Of a verdict that does not follow, which is reported at the end, nothing is said here.
    """
    unfinished = any(complaint.line == END for complaint in complaints)
    left = [complaint for complaint in complaints if complaint.line == line]
    for item in judged:
        if item.line == END:
            yield f"Claim and proof give {item.working}."
            if item.open:
                yield from (write_complaint(rng, complaint) for complaint in left)
            return
        if item.working:
            yield f"Line {line} gives {item.working}."
        about = [complaint for complaint in left if complaint.quote == item.quote]
        left = [complaint for complaint in left if complaint.quote != item.quote]
        yield from (write_complaint(rng, complaint) for complaint in about)
        if not about and not (item.verdict and unfinished):
            yield f"Line {line}: {(not item.working and item.quote) or NO_QUOTE} is right."
    yield from (write_complaint(rng, complaint) for complaint in left)


def parse_analysis(text: str) -> Parsed:
    """Reads an analysis; never raises, and its work is linear in the first ``LONGEST_ANALYSIS`` characters."""
    nothing = Parsed((), None)
    if len(text) > LONGEST_ANALYSIS:
        return nothing
    answer = answer_part(text) or ""
    opening = _OPENING.search(answer)
    score = parse_verdict(answer)
    if opening is None or not isinstance(score, Score):
        return nothing
    closing = [match.start() for match in _CLOSING.finditer(answer)][-1:]
    if not closing or closing[0] < opening.end():
        return nothing
    lines = [line.strip(" \t\r:*") for line in answer[opening.end() : closing[0]].split("\n")]
    return _read(tuple(line for line in lines if line), score.score)


def _read(lines: tuple[str, ...], score: float) -> Parsed:
    complaints: list[Complaint] = []
    strange = list(lines[MAX_LINES:])
    clean = ""
    for line in lines[:MAX_LINES]:
        if line.startswith(_NO_DEFECT):
            clean = line
        elif not _REMARK.fullmatch(line):
            complaint = read_complaint(line)
            if complaint is None or complaint.kind is None:
                strange.append(line)
            else:
                complaints.append(complaint)
    if clean and complaints:
        strange.append(clean)
    return Parsed(tuple(dict.fromkeys(complaints)), score, tuple(strange))


def judge(complaint: Complaint, proof: str, verdict: CheckResult) -> ComplaintVerdict:
    """A complaint about a proof, by the checker's verdict of it."""
    there = [defect for defect in verdict.defects if line_of(proof, defect) == complaint.line]
    if not there:
        return ComplaintVerdict.FALSE
    right = [complaint_of(proof, defect) for defect in there]
    bare = [Complaint(found.line, found.kind, found.minor) for found in right if found.line != END]
    return ComplaintVerdict.REAL if complaint in right + bare else ComplaintVerdict.MISPUT


def following(complaints: Iterable[Complaint]) -> float:
    """The score that follows from complaints."""
    grave = [not complaint.minor for complaint in complaints]
    if not grave:
        return 1.0
    return 0.0 if any(grave) or len(grave) > MAX_MINOR else 0.5


def analysis_quality(theorem: Proposition, proof: str, analysis: str) -> float:
    """The exact quality of an analysis, 0, 0.5 or 1, by the rubric above."""
    return quality(parse_analysis(analysis), proof, check(theorem, proof))


def quality(parsed: Parsed, proof: str, verdict: CheckResult) -> float:
    """Exact quality of an analysis, where analysis and result of the check are known."""
    if parsed.score is None:
        return 0.0
    judged = [judge(complaint, proof, verdict) for complaint in parsed.complaints]
    judged += [ComplaintVerdict.FALSE] * len(parsed.strange)
    if judged and all(found is ComplaintVerdict.FALSE for found in judged):
        return 0.0
    sound = all(found is ComplaintVerdict.REAL for found in judged)
    return 1.0 if sound and parsed.score == following(parsed.complaints) else 0.5
