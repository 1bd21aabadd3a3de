"""Automatic label of a proof from its analyses and reviews (DeepSeekMath-V2, section 2.3). Imports no torch."""

from collections.abc import Iterable, Sequence
from itertools import islice

from rl.recipe.config import LabelsConfig
from verifier.aggregate import Judged
from verifier.autolabel import auto_label

Scored = tuple[float | None, Sequence[float | None]]  # of an analysis: its score, and those of its reviews


def automatic_label(analyses: Iterable[Scored], config: LabelsConfig) -> float | None:
    """The label by the first n ``analyses`` and m reviews of each, as ``config`` has them; None where undecided."""
    first = islice(enumerate(analyses), config.analyses)
    judged = [Judged(str(place), score, tuple(reviews[: config.reviews])) for place, (score, reviews) in first]
    return auto_label(judged, config.rule).score
