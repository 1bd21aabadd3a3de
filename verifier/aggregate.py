"""Aggregation of n analyses with m reviews each into one tally of a proof. Pure functions."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import pstdev
from typing import Literal

from core.config import STRICT, Share, settings
from core.records import Analysis

Validity = Literal["confirmed", "refuted", "open"]
Exclusion = Literal["unparseable", "identical", "refuted", "weightless"]


@dataclass(frozen=True, slots=True)
class Judged:
    """Score of an analysis and of its reviews, as aggregation takes them; None where a verdict could not be parsed.

    ``text_digest`` is that of `text_digest`: analyses that share one are copies. Empty: unknown, and like no other.
    """

    analysis_id: str
    score: float | None
    reviews: tuple[float | None, ...] = ()
    text_digest: str = ""


@settings(frozen=True, config=STRICT)
class AggregateConfig:
    """``use_reviews``: ``ignore`` them, ``filter`` refuted analyses out, or ``weight`` each analysis by their mean.

    A review of at least ``confirm_at`` confirms its analysis.
    """

    use_reviews: Literal["ignore", "filter", "weight"]
    confirm_at: Share


@dataclass(frozen=True, slots=True)
class Counted:
    """An analysis whose verdict counts, with its ``weight`` in the mean. Copies of it give it their reviews."""

    judged: Judged
    score: float
    weight: float


@dataclass(frozen=True, slots=True)
class Excluded:
    """An analysis whose verdict does not count. ``of``: the analysis that it is a copy of; empty in the other cases."""

    judged: Judged
    exclusion: Exclusion
    of: str = ""

    @property
    def reason(self) -> str:
        """The reason in words."""
        parsed = sum(score is not None for score in self.judged.reviews)
        return {
            "unparseable": "no verdict could be parsed",
            "identical": f"identical to analysis {self.of}, which counts once",
            "refuted": f"refuted: most of {parsed} {'review does' if parsed == 1 else 'reviews do'} not confirm it",
            "weightless": "its reviews give it a weight of 0",
        }[self.exclusion]


@dataclass(frozen=True, slots=True)
class Tally:
    """Aggregate of the analyses of one proof.

    ``mean`` is over the ``verdicts`` that count (None when there is none); ``std`` their standard deviation.
    ``unparseable`` analyses had no verdict, ``identical`` ones are copies of another one, ``refuted`` ones were left
    out because their reviews found them wrong.
    """

    mean: float | None
    std: float | None
    verdicts: int
    perfect: int
    unparseable: int
    identical: int
    refuted: int


def judged(analysis: Analysis, reviews: Sequence[float | None]) -> Judged:
    """A recorded analysis with the scores of its reviews."""
    return Judged(analysis.id, analysis.score, tuple(reviews), text_digest(analysis.text, analysis.reasoning))


def text_digest(text: str, reasoning: str | None) -> str:
    """Names an answer by its words and those of its reasoning, whatever white space is between them."""
    words = "\0".join(" ".join(part.split()) for part in (text, reasoning or ""))
    return hashlib.sha256(words.encode(errors="replace")).hexdigest()[:16]


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


def sift(analyses: Sequence[Judged], config: AggregateConfig) -> tuple[list[Counted], list[Excluded]]:
    """The analyses whose verdicts count, and the others with the reason.

    Identical analyses count once, as the first of them with the reviews of all: some servers answer every sample of a
    request alike.
    """
    counted: list[Counted] = []
    excluded: list[Excluded] = []
    for one, first in zip(*distinct(analyses), strict=True):
        status = validity(one, config.confirm_at) if config.use_reviews == "filter" else "open"
        weight = _weight(one) if config.use_reviews == "weight" else 1.0
        if one.score is None:
            excluded.append(Excluded(one, "unparseable"))
        elif first != one.analysis_id:
            excluded.append(Excluded(one, "identical", first))
        elif status == "refuted":
            excluded.append(Excluded(one, "refuted"))
        elif weight == 0:
            excluded.append(Excluded(one, "weightless"))
        else:
            counted.append(Counted(one, one.score, weight))
    return counted, excluded


def distinct(analyses: Sequence[Judged]) -> tuple[list[Judged], list[str]]:
    """The analyses, the first of identical ones with the reviews of all, and the id of the first one for each."""
    firsts: dict[tuple[str, float | None], str] = {}
    reviews: dict[str, tuple[float | None, ...]] = {}
    # Only verdicts are copied: an analysis cut off at the token limit is no copy of a whole one with the same words.
    keys = [(one.text_digest or one.analysis_id, one.score) for one in analyses]
    ids = [firsts.setdefault(key, one.analysis_id) for key, one in zip(keys, analyses, strict=True)]
    for one, first in zip(analyses, ids, strict=True):
        reviews[first] = reviews.get(first, ()) + one.reviews
    return [
        replace(one, reviews=reviews[first]) if first == one.analysis_id else one
        for one, first in zip(analyses, ids, strict=True)
    ], ids


def tally(analyses: Sequence[Judged], config: AggregateConfig) -> Tally:
    """Aggregate the analyses of one proof."""
    counted, excluded = sift(analyses, config)
    number = {name: sum(one.exclusion == name for one in excluded) for name in ("unparseable", "identical", "refuted")}
    total = sum(one.weight for one in counted)
    return Tally(
        mean=sum(one.weight * one.score for one in counted) / total if counted else None,
        std=pstdev([one.score for one in counted]) if counted else None,
        verdicts=len(counted),
        perfect=sum(one.score == 1.0 for one in counted),
        **number,
    )


def _weight(judged: Judged) -> float:
    """Mean of the parsed reviews; an analysis without any counts in full.

    An issue keeps the weight that an unparseable review may have confirmed, for the reason given in `validity`.
    """
    reports_issue = judged.score is not None and judged.score < 1.0
    ratings = [1.0 if score is None and reports_issue else score for score in judged.reviews]
    known = [rating for rating in ratings if rating is not None]
    return sum(known) / len(known) if known else 1.0
