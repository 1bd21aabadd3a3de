"""Aggregation of n analyses with m reviews each into one tally of a proof. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import pstdev
from typing import Literal

from core.config import STRICT, Positive, Share, settings

Validity = Literal["confirmed", "refuted", "open"]


@dataclass(frozen=True, slots=True)
class Judged:
    """Score of an analysis and of its reviews, as aggregation takes them; None where a verdict could not be parsed."""

    analysis_id: str
    score: float | None
    reviews: tuple[float | None, ...] = ()


@settings(frozen=True, config=STRICT)
class AggregateConfig:
    """``use_reviews``: ``ignore`` them, ``filter`` refuted analyses out, or ``weight`` each analysis by their mean.

    A review of at least ``confirm_at`` confirms its analysis. ``min_verdicts`` is the least number of valid verdicts,
    all of them perfect, for a proof to be accepted.
    """

    use_reviews: Literal["ignore", "filter", "weight"]
    confirm_at: Share
    min_verdicts: Positive


@dataclass(frozen=True, slots=True)
class Tally:
    """Aggregate of the analyses of one proof.

    ``mean`` is over the ``verdicts`` valid ones (None when there is none); ``std`` their standard deviation.
    ``unparseable`` analyses had no verdict, ``refuted`` ones were left out because their reviews found them wrong.
    """

    mean: float | None
    std: float | None
    verdicts: int
    perfect: int
    unparseable: int
    refuted: int


def validity(judged: Judged, confirm_at: float = 1.0) -> Validity:
    """Status of an analysis by majority of its reviews.

    Confirmed: more than half of all its reviews confirm it. Refuted: more than half of all do not. A review that could
    not be parsed counts neither for nor against: else a proof that makes confirmations unparseable (by holding the
    sentence that confirms) would leave the refutations a majority among the rest.
    """
    parsed = [score for score in judged.reviews if score is not None]
    confirming = sum(score >= confirm_at for score in parsed)
    if 2 * confirming > len(judged.reviews):
        return "confirmed"
    if 2 * (len(parsed) - confirming) > len(judged.reviews):
        return "refuted"
    return "open"


def tally(analyses: Sequence[Judged], config: AggregateConfig) -> Tally:
    """Aggregate the analyses of one proof."""
    parsed = [judged for judged in analyses if judged.score is not None]
    kept = [
        judged
        for judged in parsed
        if config.use_reviews != "filter" or validity(judged, config.confirm_at) != "refuted"
    ]
    scores = [judged.score for judged in kept if judged.score is not None]
    weights = [_weight(judged) if config.use_reviews == "weight" else 1.0 for judged in kept]
    total = sum(weights)
    return Tally(
        mean=sum(w * s for w, s in zip(weights, scores, strict=True)) / total if total else None,
        std=pstdev(scores) if scores else None,
        verdicts=sum(weight > 0 for weight in weights),
        perfect=sum(score == 1.0 and weight > 0 for score, weight in zip(scores, weights, strict=True)),
        unparseable=len(analyses) - len(parsed),
        refuted=len(parsed) - len(kept),
    )


def _weight(judged: Judged) -> float:
    """Mean of the parsed reviews; an analysis without any counts in full.

    An issue keeps the weight that an unparseable review may have confirmed, for the reason given in `validity`.
    """
    reports_issue = judged.score is not None and judged.score < 1.0
    ratings = [1.0 if score is None and reports_issue else score for score in judged.reviews]
    known = [rating for rating in ratings if rating is not None]
    return sum(known) / len(known) if known else 1.0


def is_accepted(result: Tally, config: AggregateConfig) -> bool:
    """A proof is accepted when at least ``min_verdicts`` verdicts are valid and every one of them is perfect."""
    return result.verdicts >= config.min_verdicts and result.perfect == result.verdicts
