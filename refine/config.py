"""Settings of refinement."""

from dataclasses import field
from typing import Literal

from proofs.config import STRICT, settings
from proofs.errors import LemmataError
from refine.assess import JudgeConfig
from refine.select import check_rule


@settings(frozen=True, config=STRICT)
class RefineConfig:
    """``strategy`` search: ``proofs`` at first, then ``top`` x ``pairs`` refinements a round, ``rounds`` in all.

    ``strategy`` sequential: ``proofs`` independent chains of at most ``rounds`` proofs each; ``top`` and ``pairs`` are
    not used. ``select`` names the rule for the final answer (refine/select.py).
    """

    strategy: Literal["search", "sequential"] = "search"
    proofs: int = 4
    top: int = 2
    pairs: int = 2
    rounds: int = 3
    select: str = "mean"
    judge: JudgeConfig = field(default_factory=JudgeConfig)

    def __post_init__(self) -> None:
        for name in ("proofs", "top", "pairs", "rounds"):
            if getattr(self, name) < 1:
                raise LemmataError(f"refine.{name} must be at least 1, not {getattr(self, name)}.")
        if self.strategy == "search" and not self.judge.analyses:
            raise LemmataError("refine.strategy=search needs refine.judge.analyses of at least 1.")
        check_rule(self.select)
