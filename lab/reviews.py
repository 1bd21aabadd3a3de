"""Reviews: the meta-verifier's answer about an analysis, in the format of the released weights.

What a complaint is about is judged anew, as an analysis would, and only then the complaint: both stand side by side.
"""

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from lab.analyses import ComplaintVerdict, Parsed, following, judge, parse_analysis, quality, score_text
from lab.checker import check
from lab.complaints import END, NO_QUOTE, Complaint, complaint_of, write_complaint
from lab.defects import CheckResult
from lab.theorem import Proposition
from lab.walkthrough import items

LineQuote = tuple[int, str]  # line and quote

OPENING = 'Here is my analysis of the "solution evaluation":'
CLOSING = 'Based on my analysis, I will rate the "solution evaluation" as:'
_WORDS = {
    ComplaintVerdict.REAL: ("So the complaint holds.", "So this defect is real."),
    ComplaintVerdict.MISPUT: (
        "So there is a defect, but it is put wrongly.",
        "So the place is faulty, but not in this way.",
    ),
    ComplaintVerdict.FALSE: ("So the complaint is false.", "So there is no such defect."),
}


def write_review(theorem: Proposition, proof: str, analysis: str, seed: int = 0) -> str:
    """A correct review of an analysis: each complaint judged, whether the score follows, and the exact quality.

    What an analysis works out of an item before it judges it (``lab.walkthrough``) stands here too.
    """
    verdict = check(theorem, proof)
    parsed = parse_analysis(analysis)
    rng = Random(f"review {seed}")
    workings = {(item.line, item.quote): item.working for item in items(theorem, proof)}
    score = score_text(quality(parsed, proof, verdict))
    return "\n".join([OPENING, *_body(rng, parsed, proof, verdict, workings), CLOSING, score])


def _body(
    rng: Random, parsed: Parsed, proof: str, verdict: CheckResult, workings: Mapping[LineQuote, str]
) -> Iterator[str]:
    if parsed.score is None:
        yield "This is no evaluation: its form is wrong."
        return
    right = [complaint_of(proof, defect) for defect in verdict.defects]
    for complaint in parsed.complaints:
        if working := workings.get((complaint.line, complaint.quote)):
            yield f"Line {complaint.line} gives {working}."
        yield _anew(rng, complaint, right)
        yield rng.choice(_WORDS[judge(complaint, proof, verdict)])
    if parsed.strange:
        yield "One remark names no defect that can be checked: it is false."
    elif not parsed.complaints:
        yield rng.choice(("No defect is reported.", "The evaluation reports no defect."))
    wanted = following(parsed.complaints)
    follows = "it follows" if parsed.score == wanted else "it does not follow"
    yield f"The complaints give {wanted:g}, the score is {parsed.score:g}: {follows}."


def _anew(rng: Random, complaint: Complaint, right: Sequence[Complaint]) -> str:
    """The judgment of the place that a complaint points to: of what it quotes, else of that line."""
    there = [one for one in right if one.line == complaint.line]
    if there:
        return write_complaint(rng, next((one for one in there if one.quote == complaint.quote), there[0]))
    if complaint.line == END:
        return "At the end: nothing is missing."
    return f"Line {complaint.line}: {complaint.quote or NO_QUOTE} is right."
