"""Automatic labels (DeepSeekMath-V2, section 2.3): decided by analyses that reviews confirm, else undecided."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.config import STRICT, Positive, Share, settings
from verifier.aggregate import Judged, validity


@settings(frozen=True, config=STRICT)
class LabelConfig:
    """``k``: how many valid analyses must agree on a low score. ``confirm_at``: the least review that confirms."""

    k: Positive
    confirm_at: Share


@dataclass(frozen=True, slots=True)
class AutoLabel:
    """``score`` is None where the analyses do not decide; ``reason`` says why in either case."""

    score: float | None
    reason: str


def auto_label(analyses: Sequence[Judged], config: LabelConfig) -> AutoLabel:
    """The lowest score that at least ``k`` confirmed analyses give; 1 when no issue stands; else undecided.

    An issue (score below 1) stands until its reviews refute it, so that unparseable reviews never turn into a label 1.
    At least ``k`` parsed analyses are needed for any label.
    """
    parsed = [judged for judged in analyses if judged.score is not None]
    if len(parsed) < config.k:
        return AutoLabel(None, f"only {len(parsed)} of {len(analyses)} analyses have a verdict, {config.k} are needed")
    issues = [judged for judged in parsed if judged.score is not None and judged.score < 1.0]
    for score in (0.0, 0.5):
        confirmed = [j for j in issues if j.score == score and validity(j, config.confirm_at) == "confirmed"]
        if len(confirmed) >= config.k:
            return AutoLabel(score, f"{len(confirmed)} confirmed analyses give {score:g}")
    standing = [judged for judged in issues if validity(judged, config.confirm_at) != "refuted"]
    if not standing:
        return AutoLabel(1.0, f"no issue stands in {len(parsed)} analyses ({len(issues)} refuted)")
    return AutoLabel(None, f"{len(standing)} issues stand, but fewer than {config.k} confirmed at one score")
