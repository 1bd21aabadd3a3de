"""Automatic labels against the truth: the share of proofs that get one, and the accuracy of these. No torch."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from core.statistics import Observation, share
from rl.recipe.config import LabelsConfig
from rl.recipe.labeling import automatic_label
from rl.report.record_files import Rows, cluster
from verifier.autolabel import LabelConfig

MAX_K = 4


def label_metrics(rows: Rows, config: LabelsConfig) -> dict[str, Any]:
    """``chosen``: with the recipe's n, m and k; ``curve``: with every smaller n and m, and k up to `MAX_K`.

    ``truths``: the number of proofs by their exact score.
    """
    truths = {str(score): sum(row["truth"] == score for row in rows.rows) for score in (0.0, 0.5, 1.0)}
    curve = [labeled(rows, smaller) for smaller in _smaller(config)]
    return {"chosen": labeled(rows, config), "truths": truths, "curve": curve}


def labeled(rows: Rows, config: LabelsConfig) -> dict[str, Any]:
    """The ``share`` of proofs that get a label by ``config``, and the ``accuracy`` of these labels."""
    shares, accuracies = [], []
    for place, row in enumerate(rows.rows):
        own = cluster(row, place)
        label = automatic_label(((one["score"], one["reviews"]) for one in row["analyses"]), config)
        shares.append(Observation(own, float(label is not None)))
        if label is not None:
            accuracies.append(Observation(own, float(label == row["truth"])))
    return {
        "n": config.analyses,
        "m": config.reviews,
        "k": config.rule.k,
        "share": share(shares, rows.source),
        "accuracy": share(accuracies, rows.source),
    }


def _smaller(config: LabelsConfig) -> Iterator[LabelsConfig]:
    for k in range(1, max(MAX_K, config.rule.k) + 1):
        for analyses in range(k, config.analyses + 1):
            for reviews in range(1, config.reviews + 1):
                yield replace(config, analyses=analyses, reviews=reviews, rule=LabelConfig(k, config.rule.confirm_at))
