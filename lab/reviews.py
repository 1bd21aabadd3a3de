"""Reviews: the meta-verifier's answer about an analysis, in the format of the released weights."""

from collections.abc import Iterator, Mapping
from random import Random

from lab.analyses import Judgement, Parsed, following, judge, parse_analysis, quality, score_text
from lab.checker import check
from lab.complaints import END
from lab.defects import Verdict
from lab.theorem import Proposition
from lab.walkthrough import items

Place = tuple[int, str]  # line and quote

OPENING = 'Here is my analysis of the "solution evaluation":'
CLOSING = 'Based on my analysis, I will rate the "solution evaluation" as:'
_WORDS = {
    Judgement.REAL: ("the complaint holds", "this defect is real"),
    Judgement.MISPUT: ("there is a defect, but it is put wrongly", "the place is faulty, but not in this way"),
    Judgement.FALSE: ("the complaint is false", "there is no such defect"),
}


def write_review(theorem: Proposition, proof: str, analysis: str, seed: int = 0) -> str:
    """A correct review of an analysis: each complaint judged, whether the score follows, and the exact quality.

    What an analysis works out of an item before it judges it (``lab.walkthrough``) stands before the complaint too.
    """
    verdict = check(theorem, proof)
    parsed = parse_analysis(analysis)
    rng = Random(f"review {seed}")
    workings = {(item.line, item.quote): item.working for item in items(theorem, proof)}
    score = score_text(quality(parsed, proof, verdict))
    return "\n".join([OPENING, *_body(rng, parsed, proof, verdict, workings), CLOSING, score])


def _body(rng: Random, parsed: Parsed, proof: str, verdict: Verdict, workings: Mapping[Place, str]) -> Iterator[str]:
    if parsed.score is None:
        yield "This is no evaluation: its form is wrong."
        return
    for complaint in parsed.complaints:
        place = "At the end" if complaint.line == END else f"Line {complaint.line}"
        if working := workings.get((complaint.line, complaint.quote)):
            yield f"{place} gives {working}."
        judged = rng.choice(_WORDS[judge(complaint, proof, verdict)])
        yield f"{place}: {complaint.quote}, {judged}." if complaint.quote else f"{place}: {judged}."
    if parsed.strange:
        yield "One remark names no defect that can be checked: it is false."
    elif not parsed.complaints:
        yield rng.choice(("No defect is reported.", "The evaluation reports no defect."))
    wanted = following(parsed.complaints)
    follows = parsed.score == wanted
    yield "The score follows." if follows else f"The score does not follow: it would be {wanted:g}."
