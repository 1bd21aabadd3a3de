"""Parser of answers: the parts of a prover's answer, and the format faults of each role's answer."""

import re
from dataclasses import dataclass

from core.announcements import phrase_pattern
from core.headings import OWN_WORK, SELF_EVALUATION, SOLUTION, UNNAMED_EVALUATION, SectionHeading
from core.rubric import ParseFailure, Verdict, answer_part, parse_verdict

__all__ = ["ProofSections", "analysis_faults", "answer_part", "has_closing", "self_score", "split_proof"]

_ANALYSIS_OPENING = phrase_pattern("here is my evaluation of the solution")
_REVIEW_OPENING = phrase_pattern("here is my analysis of the solution evaluation")
_CLOSING = phrase_pattern("based on my evaluation the final overall? score should be")
_REVIEW_CLOSING = phrase_pattern("based on my analysis i will rate the solution evaluation as")
_OWN_OPENING = phrase_pattern(
    *(f"{begin} (?:evaluate|assess|grade|review) {work} (?:solution|proof)"
      for begin in ("i", "now i", "let me", "i will", "i now", "now let me", "let me now")
      for work in ("my", "my own"))
)  # fmt: skip
# The first line of a self-evaluation that has no heading, or all of it.
_SELF_OPENING, _SELF_CLOSING, _SELF_ANNOUNCED = (
    re.compile(rf"^[ \t>*_#]*+{pattern.pattern}", re.IGNORECASE | re.MULTILINE)
    for pattern in (_ANALYSIS_OPENING, _CLOSING, _OWN_OPENING)
)


@dataclass(frozen=True, slots=True)
class ProofSections:
    """The parts of a prover's answer. A missing part is None, and ``faults`` names it."""

    body: str | None
    self_evaluation: str | None
    faults: tuple[str, ...]


def split_proof(text: str) -> ProofSections:
    """Takes a prover's answer apart at its headings, in the forms in which models write them (`core.headings`).

    The body runs from the first Solution heading to the last Self Evaluation heading after it of the highest level:
    whatever other headings a proof plants in between, the verifier is shown everything. Without such a heading the
    self-evaluation begins with the sentence that opens or closes one, so that a verifier is never shown it.
    """
    answer = answer_part(text)
    if answer is None:
        return ProofSections(None, None, ("a <think> never closes",))
    solution = next(SOLUTION.find(answer), None)
    start = solution.end if solution else 0
    heading = _self_evaluation(answer, start)
    body = answer[start : heading.start if heading else len(answer)].strip()
    evaluation = answer[heading.end :].strip() if heading else ""
    faults = (
        "" if solution else "no '## Solution' heading",
        "" if body else "empty proof",
        "no '## Self Evaluation' heading" if heading is None else "" if evaluation else "empty self evaluation",
    )
    return ProofSections(body or None, evaluation or None, tuple(fault for fault in faults if fault))


def _self_evaluation(answer: str, start: int) -> SectionHeading | None:
    """The heading of the self-evaluation from ``start`` on: the last one that is named and marked as the first is.

    A heading of a lower level, or with another name, is one inside the evaluation.
    """
    found = list(SELF_EVALUATION.find(answer, start)) or list(OWN_WORK.find(answer, start))
    if found:
        level = min(heading.level for heading in found)
        highest = [heading for heading in found if heading.level == level]
        return next(heading for heading in reversed(highest) if heading.title == highest[0].title)
    return _unnamed_evaluation(answer, start)


def _unnamed_evaluation(answer: str, start: int) -> SectionHeading | None:
    """The start of a self-evaluation without a heading of its own: a heading "Evaluation", or its first sentence."""
    heading = next(UNNAMED_EVALUATION.find(answer, start), None)
    if heading is not None and isinstance(parse_verdict(answer[heading.end :]), Verdict):
        return heading
    forms = (_SELF_OPENING, _SELF_ANNOUNCED, _SELF_CLOSING)
    opening = next((match for form in forms if (match := form.search(answer, start))), None)
    return SectionHeading(opening.start(), opening.start(), 9, "") if opening else None


def self_score(sections: ProofSections) -> Verdict | ParseFailure:
    """The score that a prover gave its own proof."""
    if sections.self_evaluation is None:
        return ParseFailure("; ".join(sections.faults))
    return parse_verdict(sections.self_evaluation, quoted=sections.body or "")


def analysis_faults(text: str, *, review: bool = False, quoted: str = "") -> tuple[str, ...]:
    """The faults of an analysis (``review``: of a review) in the exact form that its prompt asks for.

    `parse_verdict` reads a verdict in other forms too; ``quoted`` as there.
    """
    opening = _REVIEW_OPENING if review else _ANALYSIS_OPENING
    faults = [] if opening.search(answer_part(text) or "") else ["opening missing"]
    verdict = parse_verdict(text, quoted=quoted)
    if isinstance(verdict, ParseFailure):
        faults.append(f"verdict unparseable: {verdict.reason}")
    elif not has_closing(text, review=review):
        faults.append("closing missing")
    return tuple(faults)


def has_closing(text: str, *, review: bool = False) -> bool:
    """True where the closing sentence of the prompt for an analysis (``review``: for a review) stands word for word."""
    return (_REVIEW_CLOSING if review else _CLOSING).search(answer_part(text) or "") is not None
