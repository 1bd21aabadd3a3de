"""Reviews: the meta-verifier's answer about an analysis, in the format of the released weights."""

from random import Random

from lab.analyses import Judgement, Parsed, following, judge, parse_analysis, quality, score_text
from lab.checker import check
from lab.complaints import END, Complaint
from lab.defects import Verdict
from lab.theorem import Theorem

OPENING = 'Here is my analysis of the "solution evaluation":'
CLOSING = 'Based on my analysis, I will rate the "solution evaluation" as:'
_WORDS = {
    Judgement.REAL: ("the complaint holds", "this defect is real"),
    Judgement.MISPUT: ("there is a defect, but it is put wrongly", "the place is faulty, but not in this way"),
    Judgement.FALSE: ("the complaint is false", "there is no such defect"),
}


def write_review(theorem: Theorem, proof: str, analysis: str, seed: int = 0) -> str:
    """A correct review of an analysis: each complaint judged, whether the score follows, and the exact quality."""
    verdict = check(theorem, proof)
    parsed = parse_analysis(analysis)
    rng = Random(f"review {seed}")
    score = score_text(quality(parsed, proof, verdict))
    return "\n".join([OPENING, *_body(rng, parsed, proof, verdict), CLOSING, score])


def _body(rng: Random, parsed: Parsed, proof: str, verdict: Verdict) -> list[str]:
    if parsed.score is None:
        return ["This is no evaluation: its form is wrong."]
    lines = [
        f"{_place(complaint)}: {rng.choice(_WORDS[judge(complaint, proof, verdict)])}."
        for complaint in parsed.complaints
    ]
    lines += ["One remark names no defect that can be checked: it is false."] * bool(parsed.strange)
    if not lines:
        lines = [rng.choice(("No defect is reported.", "The evaluation reports no defect."))]
    wanted = following(parsed.complaints)
    follows = parsed.score == wanted
    ending = "The score follows." if follows else f"The score does not follow: it would be {wanted:g}."
    return [*lines, ending]


def _place(complaint: Complaint) -> str:
    return "At the end" if complaint.line == END else f"Line {complaint.line}"
