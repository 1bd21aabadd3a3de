"""Grading schemes: the points that a judge may give, and the rules by which its prompt explains them."""

import re
from typing import Literal

from core.records import Problem

Scheme = Literal["auto", "points", "levels"]
_LEVEL = re.compile(r"\(\s*(?:partial|almost)\s*\)", re.IGNORECASE)
_POINTS = re.compile(r"[0-9]\s*(?:points?|pts?|marks?)\b", re.IGNORECASE)


def uses_levels(problem: Problem, scheme: Scheme) -> bool:
    """True where a proof of the problem is graded by levels: complete, almost, partial, or none.

    ``auto`` takes levels where the guidelines name Partial or Almost without points, as those of IMO-ProofBench do.
    """
    if scheme != "auto":
        return scheme == "levels"
    guidelines = problem.guidelines or ""
    return bool(_LEVEL.search(guidelines)) and not _POINTS.search(guidelines)


def allowed_points(problem: Problem, scheme: Scheme, max_points: int) -> tuple[int, ...]:
    """The points that a judge may give: all from 0 on, or of levels 0, 1, all but one, and all (0, 1, 6, 7 of 7)."""
    if uses_levels(problem, scheme):
        return tuple(sorted({0, min(1, max_points), max(max_points - 1, 0), max_points}))
    return tuple(range(max_points + 1))


def rules(problem: Problem, scheme: Scheme, max_points: int) -> str:
    """Lines of a prompt that say what the points stand for."""
    if uses_levels(problem, scheme):
        return (
            f"- {max_points}: complete and rigorous, with every step justified.\n"
            f"- {max_points - 1}: almost complete; only what the guidelines list under Almost, or a comparable minor "
            "slip, is missing.\n"
            "- 1: partial progress; at least one of the results that the guidelines list under Partial is proved, and "
            "no more.\n"
            "- 0: none of these. A right final answer alone counts only where the guidelines list it.\n"
            "- No other number of points exists."
        )
    return (
        "- Follow the grading guidelines where they name partial results. A right final answer alone is worth what "
        "they say of it, and nothing where they say nothing.\n"
        f"- {max_points}: complete and rigorous. {max_points - 1}: complete but for a slip or an omitted detail that "
        "is easily fixed. In between: substantial progress that a full solution would use. 0: no such progress."
    )
