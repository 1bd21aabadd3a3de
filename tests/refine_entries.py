"""Judged proofs for tests of ranking and selection."""

from collections.abc import Sequence
from dataclasses import replace

from refine.acceptance import decide
from refine.assess import Assessed
from tests.presets import ACCEPTANCE
from verifier.aggregate import Judged, tally

CONFIG = ACCEPTANCE
IGNORE = replace(ACCEPTANCE, use_reviews="ignore")


def entry(
    name: str,
    text: str | None,
    self_score: float | None = 1.0,
    scores: Sequence[float | None] = (),
    *,
    round: int = 0,
    faults: tuple[str, ...] = (),
) -> Assessed:
    """A proof of that text (None: no proof) whose analyses ``name-0``, ``name-1``, ... gave ``scores``."""
    judged = tuple(Judged(f"{name}-{number}", score) for number, score in enumerate(scores))
    return Assessed(name, text, round, self_score, faults, judged, tally(judged, CONFIG), decide(judged, CONFIG))
