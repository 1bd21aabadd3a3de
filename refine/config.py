"""Settings of refinement: strategy, sizes and selection."""

from typing import Annotated, Literal

from pydantic import Field

from core.config import STRICT, Positive, settings
from refine.assess import AssessorConfig
from refine.select import Rule


@settings(frozen=True, config=STRICT)
class RefineConfig:
    """``strategy`` search: ``proofs`` at first, then ``top`` x ``pairs`` refinements a round, ``rounds`` in all.

    ``strategy`` sequential: ``proofs`` independent chains of at most ``rounds`` proofs each; ``top`` and ``pairs`` are
    not used. ``select`` names the rule for the final answer (refine/select.py); by pairwise, the ``candidates`` best
    proofs are compared two by two, ``comparisons`` times in each order. Values: `lemmata/conf/refine`.
    """

    strategy: Literal["search", "sequential"]
    proofs: Positive
    top: Positive
    pairs: Positive
    rounds: Positive
    select: Rule
    candidates: Annotated[int, Field(ge=2)]
    comparisons: Positive


def require_enough_analyses(refine: RefineConfig, judge: AssessorConfig) -> None:
    """Raises ValueError where the judge's settings leave the strategy without verdicts, or no proof acceptable."""
    if refine.strategy == "search" and not judge.analyses:
        raise ValueError("refine.strategy=search needs judge.analyses of at least 1")
    if 0 < judge.analyses < judge.acceptance.min_verdicts:
        raise ValueError(
            f"with judge.analyses={judge.analyses} no proof can have the {judge.acceptance.min_verdicts} verdicts that "
            "acceptance needs; raise judge.analyses, or lower judge.acceptance.min_verdicts"
        )
