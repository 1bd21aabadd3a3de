"""Labels without truth, held against it: how many proofs get one, and how many of these are right. No torch."""

from collections.abc import Iterator
from typing import Any

from core.statistics import Estimate, Observation, share
from rl.recipe.config import LabelsConfig
from rl.recipe.record_files import Row, Rows, theorem
from verifier.aggregate import Judged
from verifier.autolabel import LabelConfig, auto_label

MAX_K = 4


def label_figures(rows: Rows, wanted: LabelsConfig) -> dict[str, Any]:
    """``chosen``: with the recipe's n, m and k; ``curve``: the same for every smaller n and m, and k up to 4.

    The first n analyses of a proof are taken, and of each the first m reviews.
    """
    chosen = labeled(rows, wanted.analyses, wanted.reviews, wanted.rule)
    counts = {str(score): sum(row["truth"] == score for row in rows.rows) for score in (0.0, 0.5, 1.0)}
    return {"chosen": chosen, "truths": counts, "curve": list(_curve(rows, wanted))}


def labeled(rows: Rows, analyses: int, reviews: int, rule: LabelConfig) -> dict[str, Any]:
    """The ``share`` of proofs that get a label by n ``analyses`` and m ``reviews``, and the labels' ``accuracy``."""
    found = [
        (theorem(row, place), row["truth"], _label(row, analyses, reviews, rule)) for place, row in enumerate(rows.rows)
    ]
    return {
        "n": analyses,
        "m": reviews,
        "k": rule.k,
        "share": share([Observation(key, float(given is not None)) for key, _, given in found], rows.source),
        "accuracy": _accuracy(found, rows.source),
    }


def _accuracy(found: list[tuple[Any, float, float | None]], source: str) -> Estimate:
    return share([Observation(key, float(given == truth)) for key, truth, given in found if given is not None], source)


def _curve(rows: Rows, wanted: LabelsConfig) -> Iterator[dict[str, Any]]:
    for k in range(1, max(MAX_K, wanted.rule.k) + 1):
        for analyses in range(k, wanted.analyses + 1):
            for reviews in range(1, wanted.reviews + 1):
                yield labeled(rows, analyses, reviews, LabelConfig(k, wanted.rule.confirm_at))


def _label(row: Row, analyses: int, reviews: int, rule: LabelConfig) -> float | None:
    judged = [
        Judged(str(place), one["score"], tuple(one["reviews"][:reviews]))
        for place, one in enumerate(row["analyses"][:analyses])
    ]
    return auto_label(judged, rule).score
