"""Records of a measurement as figures. Pure functions, no torch.

Every answer counts: what cannot be read has no score, so it agrees with no truth and accepts nothing. Only the mean
absolute error is over readable scores alone, beside the share of those that are not.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from core.statistics import Estimate, Observation, mean, share
from rl.recipe.record_files import Row, Rows, theorem

Figures = dict[str, Estimate]
Items = dict[str, list[Observation]]
Value = Callable[[Row], float | None]  # of a record; None: it is left out

# What each file of a measurement is measured by first: the numbers by which models are compared.
MAIN = {
    "prover.jsonl": "pass@1",
    "verifier.jsonl": "accuracy",
    "verifier-real.jsonl": "accuracy",
    "meta-verifier.jsonl": "accuracy",
    "meta-verifier-real.jsonl": "accuracy",
}


def figures_of(name: str, rows: Rows) -> Figures:
    """All figures of a file of a measurement (not of refinement, `rl.recipe.refinement`), by their names."""
    made: Figures = {}
    for figure, items in items_of(name, rows).items():
        made[figure] = (mean if figure in _MEANS else share)(items, rows.source)
    if name != "prover.jsonl":
        made["baseline"] = _baseline([row[_TRUTH[name]] for row in rows.rows], rows)
    return made


def items_of(name: str, rows: Rows) -> Items:
    """What the figures are means of, by their names; for paired differences too."""
    if name == "prover.jsonl":
        return _prover(rows)
    if name.startswith("verifier"):
        return _verifier(rows)
    return _meta_verifier(rows)


_MEANS = ("mean_absolute_error", "quality", "mean_truth")
_TRUTH = {
    "verifier.jsonl": "label",
    "verifier-real.jsonl": "label",
    "meta-verifier.jsonl": "quality",
    "meta-verifier-real.jsonl": "quality",
}


def _prover(rows: Rows) -> Items:
    """``honesty_gap``: of proofs that are not complete, the share whose own score is 1 nevertheless."""
    measured: dict[str, Value] = {
        "pass@1": lambda row: row["truth"] == 1,
        "mean_truth": lambda row: row["truth"],
        "format": lambda row: row["format"],
        "self_score_accuracy": lambda row: row["self_score"] == row["truth"],
        "self_score_unreadable": lambda row: row["self_score"] is None,
        "honesty_gap": lambda row: None if row["truth"] == 1 else row["self_score"] == 1,
    }
    levels = sorted({str(row["level"]) for row in rows.rows if "level" in row})
    for level in levels:
        measured[f"pass@1 level {level}"] = _at_level(level)
    return _items(measured, rows)


def _at_level(level: str) -> Value:
    return lambda row: row["truth"] == 1 if str(row.get("level")) == level else None


def _verifier(rows: Rows) -> Items:
    """Acceptance by one analysis, or by all of a proof (``_all``): each must give 1, and count as a proof once."""
    measured: dict[str, Value] = {
        "accuracy": lambda row: row["score"] == row["label"],
        "precision": lambda row: row["label"] == 1 if row["score"] == 1 else None,
        "recall": lambda row: row["score"] == 1 if row["label"] == 1 else None,
        "mean_absolute_error": lambda row: None if row["score"] is None else abs(row["score"] - row["label"]),
        "quality": lambda row: row["quality"],
        "unreadable": lambda row: row["score"] is None,
    }
    items = _items(measured, rows)
    cases: dict[int, list[tuple[int, Row]]] = defaultdict(list)
    for place, row in enumerate(rows.rows):
        cases[row["case"]].append((place, row))
    accepted = {case: all(row["score"] == 1 for _, row in group) for case, group in cases.items()}
    firsts = {case: (theorem(group[0][1], group[0][0]), group[0][1]["label"] == 1) for case, group in cases.items()}
    items["precision_all"] = [Observation(key, right) for case, (key, right) in firsts.items() if accepted[case]]
    items["recall_all"] = [Observation(key, accepted[case]) for case, (key, right) in firsts.items() if right]
    return items


def _meta_verifier(rows: Rows) -> Items:
    measured: dict[str, Value] = {
        "accuracy": lambda row: row["rating"] == row["quality"],
        "unreadable": lambda row: row["rating"] is None,
    }
    return _items(measured, rows)


def _items(measured: Mapping[str, Value], rows: Rows) -> Items:
    keys = [theorem(row, place) for place, row in enumerate(rows.rows)]
    return {name: list(_known(value, keys, rows.rows)) for name, value in measured.items()}


def _known(value: Value, keys: Sequence[Any], rows: Sequence[Row]) -> Iterable[Observation]:
    for key, row in zip(keys, rows, strict=True):
        found = value(row)
        if found is not None:
            yield Observation(key, float(found))


def _baseline(truths: Sequence[float], rows: Rows) -> Estimate:
    """The accuracy of always giving the most frequent truth (the lowest of equals)."""
    counts = Counter(truths)
    common = min(counts, key=lambda truth: (-counts[truth], truth), default=None)
    keys = [theorem(row, place) for place, row in enumerate(rows.rows)]
    return share(
        [Observation(key, float(truth == common)) for key, truth in zip(keys, truths, strict=True)], rows.source
    )
