"""Parser of answers: the parts of a prover's answer, and the format faults of each role's answer."""

import re
from dataclasses import dataclass

from core.announcements import phrase_pattern
from core.rubric import ParseFailure, Verdict, answer_part, parse_verdict

__all__ = ["ProofSections", "analysis_faults", "answer_part", "self_score", "split_proof"]


def _heading(title: str) -> re.Pattern[str]:
    """A line that is nothing but ``title`` as a heading: `#` to `######`, bold, or both, with or without a colon.

    Each run of markers is one possessive class, so that a line of many spaces is scanned once.
    """
    line = rf"^ {{0,3}}(?:#{{1,6}}|\*\*|__)[ \t*_]*+{title}[ \t\r:.*_#]*+$"
    return re.compile(line, re.IGNORECASE | re.MULTILINE)


_SOLUTION = _heading("solution")
_SELF_EVALUATION = _heading(r"self[ \t\u00a0_\-\u2010-\u2013]?evaluation")
_ANALYSIS_OPENING = phrase_pattern("here is my evaluation of the solution")
_CLOSING = phrase_pattern("based on my evaluation the final overall? score should be")
_REVIEW_CLOSING = phrase_pattern("based on my analysis i will rate the solution evaluation as")
_REVIEW_OPENING = phrase_pattern("here is my analysis of the solution evaluation")


@dataclass(frozen=True, slots=True)
class ProofSections:
    """The parts of a prover's answer. A missing part is None, and ``faults`` names it."""

    body: str | None
    self_evaluation: str | None
    faults: tuple[str, ...]


def split_proof(text: str) -> ProofSections:
    """Takes a prover's answer apart at its headings.

    The body runs from the first Solution heading to the last Self Evaluation heading after it: whatever other headings
    a proof plants in between, the verifier is shown everything.
    """
    answer = answer_part(text)
    if answer is None:
        return ProofSections(None, None, ("a <think> never closes",))
    solution = _SOLUTION.search(answer)
    start = solution.end() if solution else 0
    end, after = _last_self_evaluation(answer, start)
    body = answer[start:end].strip()
    evaluation = answer[after:].strip()
    faults = (
        "" if solution else "no '## Solution' heading",
        "" if body else "empty proof",
        "no '## Self Evaluation' heading" if after == end else "" if evaluation else "empty self evaluation",
    )
    return ProofSections(body or None, evaluation or None, tuple(fault for fault in faults if fault))


def _last_self_evaluation(answer: str, start: int) -> tuple[int, int]:
    """Span of the last Self Evaluation heading from ``start`` on; an empty one at the answer's end without it."""
    found = (len(answer), len(answer))
    for match in _SELF_EVALUATION.finditer(answer, start):
        found = match.span()
    return found


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
