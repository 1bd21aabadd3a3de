"""Comparison of two recipes from one base, such as laptop and speciale: accuracy and lengths of proofs. No torch."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from core.document import Table
from core.statistics import Estimate, Observation, difference, mean, share
from rl.report.record_files import Row, Rows, cluster, read_rows
from rl.report.tables import MISSING, format_estimates

Value = Callable[[Row], float | None]
Compared = dict[str, dict[str, tuple[Estimate, Estimate, Estimate]]]  # by model and metric: both, and the difference

SHARES: Mapping[str, Value] = {
    "pass@1": lambda row: row["truth"] == 1,
    "format": lambda row: row["format"],
    "self-score accuracy": lambda row: row["self_score"] == row["truth"],
    "overclaim rate": lambda row: None if row["truth"] == 1 else row["self_score"] == 1,
}
MEANS: Mapping[str, Value] = {
    "tokens of a proof": lambda row: row["tokens"],
    "tokens of a complete proof": lambda row: row["tokens"] if row["truth"] == 1 else None,
}
OF_CHAINS: Mapping[str, tuple[bool, Value]] = {
    "refinement, pass@1 of the last round": (True, lambda row: row["rounds"][-1]["truth"] == 1),
    "refinement, rounds": (False, lambda row: len(row["rounds"])),
    "refinement, tokens of a chain": (False, lambda row: sum(one["tokens"] for one in row["rounds"])),
}
OF_PROOFS = {name: (True, value) for name, value in SHARES.items()} | {n: (False, v) for n, v in MEANS.items()}


def compare_runs(run: Path, other: Path, models: list[str]) -> Compared:
    """Estimates of both runs and of the other less the run, paired by left side, for models that both measured."""
    found: Compared = {}
    for model in models:
        for file, metrics in (("prover.jsonl", OF_PROOFS), ("refinement.jsonl", OF_CHAINS)):
            pair = [read_rows(folder, f"measure-{model}", file) for folder in (run, other)]
            if pair[0] is not None and pair[1] is not None:
                for name, (is_share, value) in metrics.items():
                    found.setdefault(model, {})[name] = _compare(pair[0], pair[1], value, is_share)
    return found


def _compare(rows: Rows, others: Rows, value: Value, is_share: bool) -> tuple[Estimate, Estimate, Estimate]:
    own, other = (list(_observed(each, value)) for each in (rows, others))
    estimate = share if is_share else mean
    return estimate(own, rows.source), estimate(other, others.source), difference(other, own, others.source)


def _observed(rows: Rows, value: Value) -> Iterator[Observation]:
    for place, row in enumerate(rows.rows):
        known = value(row)
        if known is not None:
            yield Observation(cluster(row, place), float(known))


def beside_table(found: Compared, name: str, other: str) -> Table:
    """One row for each model and metric: both runs, and the difference."""
    rows = [
        [model, metric, *(_shown(one, metric, signed=place == 2) for place, one in enumerate(estimates))]
        for model, metrics in found.items()
        for metric, estimates in metrics.items()
    ]
    caption = "Percent and points, or numbers; [95 % interval] (n); differences paired by left side."
    return Table(["model", "metric", name, other, "difference"], rows, caption)


def _shown(one: Estimate, metric: str, *, signed: bool) -> str:
    if metric in SHARES or "pass@1" in metric:
        return format_estimates([one], "", n=True, signed=signed)
    if one.value is None:
        return MISSING
    sign = "+" if signed else ""
    interval = "" if one.low is None or one.high is None else f" [{one.low:{sign}.1f}, {one.high:{sign}.1f}]"
    return f"{one.value:{sign}.1f}{interval} ({one.n})"


def as_json(found: Compared) -> Any:
    """The estimates by model, metric and run, for JSON."""
    names = ("run", "beside", "difference")
    return {
        model: {
            metric: {name: one.as_dict() for name, one in zip(names, estimates, strict=True)}
            for metric, estimates in metrics.items()
        }
        for model, metrics in found.items()
    }
