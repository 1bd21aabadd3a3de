"""Settings of refinement: strategy, sizes and selection."""

from typing import Literal

from core.config import STRICT, Positive, settings
from refine.assess import AssessorConfig
from refine.select import Rule


@settings(frozen=True, config=STRICT)
class RefineConfig:
    """``strategy`` search: ``proofs`` at first, then ``top`` x ``pairs`` refinements a round, ``rounds`` in all.

    ``strategy`` sequential: ``proofs`` independent chains of at most ``rounds`` proofs each; ``top`` and ``pairs`` are
    not used. ``select`` names the rule for the final answer (refine/select.py). Values: `lemmata/conf/refine`.
    """

    strategy: Literal["search", "sequential"]
    proofs: Positive
    top: Positive
    pairs: Positive
    rounds: Positive
    select: Rule
    judge: AssessorConfig

    def __post_init__(self) -> None:
        if self.strategy == "search" and not self.judge.analyses:
            raise ValueError("strategy=search needs judge.analyses of at least 1")
        if 0 < self.judge.analyses < self.judge.aggregate.min_verdicts:
            raise ValueError(
                f"with {self.judge.analyses} analyses no proof can have the {self.judge.aggregate.min_verdicts} valid "
                "verdicts that acceptance needs; raise judge.analyses, or lower judge.aggregate.min_verdicts"
            )
