"""Metrics of a measured model: estimates from the records of its proofs, analyses and reviews. No torch.

Every answer counts: an unparseable one has no score, so it agrees with no truth and accepts nothing. Only the mean
absolute error is over parseable scores alone, beside the share of unparseable ones.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from core.statistics import Estimate, Observation, mean, share
from rl.report.record_files import Row, Rows, cluster

Estimates = dict[str, Estimate]  # by metric
Observations = dict[str, list[Observation]]  # by metric
Value = Callable[[Row], float | None]  # of a record; None: it does not count

# The main metric of each file of a measurement: models are compared by it.
MAIN = {
    "prover.jsonl": "pass@1",
    "verifier.jsonl": "accuracy",
    "verifier-real.jsonl": "accuracy",
    "meta-verifier.jsonl": "accuracy",
    "meta-verifier-real.jsonl": "accuracy",
}
_MEANS = ("mean_absolute_error", "quality", "mean_truth")  # the others are shares
_TRUTH = {
    "verifier.jsonl": "label",
    "verifier-real.jsonl": "label",
    "meta-verifier.jsonl": "quality",
    "meta-verifier-real.jsonl": "quality",
}


def estimates_of(name: str, rows: Rows) -> Estimates:
    """All metrics of file ``name`` of a measurement; `rl.report.refinement` has those of ``refinement.jsonl``."""
    found = {
        metric: (mean if metric in _MEANS else share)(observations, rows.source)
        for metric, observations in observations_of(name, rows).items()
    }
    if name != "prover.jsonl":
        found["baseline"] = _baseline([row[_TRUTH[name]] for row in rows.rows], rows)
    return found


def observations_of(name: str, rows: Rows) -> Observations:
    """The observations that each metric of file ``name`` is the mean of; also for paired differences."""
    if name == "prover.jsonl":
        return _prover(rows)
    if name.startswith("verifier"):
        return _verifier(rows)
    return _meta_verifier(rows)


def _prover(rows: Rows) -> Observations:
    """``overclaim_rate``: of the proofs that are not complete, the share that the prover scores 1 nevertheless."""
    values: dict[str, Value] = {
        "pass@1": lambda row: row["truth"] == 1,
        "mean_truth": lambda row: row["truth"],
        "format": lambda row: row["format"],
        "self_score_accuracy": lambda row: row["self_score"] == row["truth"],
        "self_score_unparseable": lambda row: row["self_score"] is None,
        "overclaim_rate": lambda row: None if row["truth"] == 1 else row["self_score"] == 1,
    }
    levels = sorted({str(row["level"]) for row in rows.rows if "level" in row})
    return _observe(values | {f"pass@1 level {level}": _pass_at_level(level) for level in levels}, rows)


def overclaims(rows: Rows) -> list[Observation]:
    """Proofs that claim 1 and are not complete, of weight 1; complete ones have weight 0, so that all theorems count.

    Differences of `observations_of` are over theorems of which both models have incomplete proofs, which may be few.
    """
    found = []
    for place, row in enumerate(rows.rows):
        wrong = row["truth"] != 1
        found.append(Observation(cluster(row, place), float(wrong and row["self_score"] == 1), float(wrong)))
    return found


def _pass_at_level(level: str) -> Value:
    return lambda row: row["truth"] == 1 if str(row.get("level")) == level else None


def _verifier(rows: Rows) -> Observations:
    """Acceptance by one analysis, or by all analyses of a proof (``_all``), where each proof counts once."""
    values: dict[str, Value] = {
        "accuracy": lambda row: row["score"] == row["label"],
        "precision": lambda row: row["label"] == 1 if row["score"] == 1 else None,
        "recall": lambda row: row["score"] == 1 if row["label"] == 1 else None,
        "mean_absolute_error": lambda row: None if row["score"] is None else abs(row["score"] - row["label"]),
        "quality": lambda row: row["quality"],
        "unparseable": lambda row: row["score"] is None,
    }
    cases: dict[int, list[tuple[int, Row]]] = defaultdict(list)
    for place, row in enumerate(rows.rows):
        cases[row["case"]].append((place, row))
    precision, recall = [], []
    for (place, first), *others in cases.values():
        accepted = all(row["score"] == 1 for row in (first, *(row for _, row in others)))
        if accepted:
            precision.append(Observation(cluster(first, place), float(first["label"] == 1)))
        if first["label"] == 1:
            recall.append(Observation(cluster(first, place), float(accepted)))
    return {**_observe(values, rows), "precision_all": precision, "recall_all": recall}


def _meta_verifier(rows: Rows) -> Observations:
    values: dict[str, Value] = {
        "accuracy": lambda row: row["rating"] == row["quality"],
        "unparseable": lambda row: row["rating"] is None,
    }
    return _observe(values, rows)


def _observe(values: Mapping[str, Value], rows: Rows) -> Observations:
    clusters = [cluster(row, place) for place, row in enumerate(rows.rows)]
    return {metric: list(_counted(value, clusters, rows.rows)) for metric, value in values.items()}


def _counted(value: Value, clusters: Sequence[Any], rows: Sequence[Row]) -> Iterable[Observation]:
    for own, row in zip(clusters, rows, strict=True):
        found = value(row)
        if found is not None:
            yield Observation(own, float(found))


def _baseline(truths: Sequence[float], rows: Rows) -> Estimate:
    """The accuracy of always giving the most frequent truth (the lowest of equals)."""
    counts = Counter(truths)
    common = min(counts, key=lambda truth: (-counts[truth], truth), default=None)
    return share(
        [Observation(cluster(row, place), float(truths[place] == common)) for place, row in enumerate(rows.rows)],
        rows.source,
    )
