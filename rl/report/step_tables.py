"""Tables of a run's steps: rounds of refinement, labels, judges against the truth, choices, and costs."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from core.document import Table
from rl.report.record_files import VALIDATED
from rl.report.summary import Summary
from rl.report.tables import MISSING, format_estimates


def refinement_table(runs: Sequence[Summary], model: str) -> Table:
    """Rounds of self-refinement beside the same tokens spent on independent samples."""
    measured = [run.refinement[model] for run in runs if model in run.refinement]
    rows = []
    for entries in zip(*measured, strict=True):
        shown = [
            format_estimates([entry[key] for entry in entries], "", n=True, signed=key in ("since_first", "gain"))
            for key in ("pass@1", "since_first", "best", "independent", "gain")
        ]
        ratios = [entry["ratio"] for entry in entries if entry["ratio"] is not None]
        tokens = fmean(entry["tokens"] for entry in entries)
        rows.append([str(entries[0]["round"]), *shown, f"{tokens:.0f}", f"{fmean(ratios):.2f}" if ratios else MISSING])
    chains = measured[0][0]["chains"] if measured and measured[0] else 0
    gains = ["pass@1", "since round 1", f"best of {chains}", "same tokens, independent", "gain over it"]
    return Table(["round", *gains, "tokens", "k"], rows, f"From steps/measure-{model}/refinement.jsonl.")


def labels_table(runs: Sequence[Summary]) -> Table:
    """Automatic labels with the recipe's n, m and k against the truth."""
    rows = []
    for step in dict.fromkeys(step for run in runs for step in run.labels):
        chosen = [run.labels[step]["chosen"] for run in runs if step in run.labels]
        settings = f"n={chosen[0]['n']}, m={chosen[0]['m']}, k={chosen[0]['k']}"
        shown = [format_estimates([one[key] for one in chosen], "", n=True) for key in ("share", "accuracy")]
        rows.append([step, settings, *shown])
    return Table(["step", "settings", "share labeled", "accuracy"], rows, "From steps/STEP/examined.jsonl.")


def judges_table(runs: Sequence[Summary]) -> Table:
    """The trained judge's score beside the truth, in the first and the last fifth of training."""
    rows = []
    for run in runs:
        for step, training in run.training.items():
            for one in training["judges"]:
                shown = [
                    format_estimates([one[key]], "mean_truth", signed=key == "gap") for key in ("judge", "truth", "gap")
                ]
                part = f"{one['part']} fifth"
                rows.append([_named(step, run, runs), one["kind"] or "all", part, *shown, str(one["steps"])])
    columns = ["step", "kind", "of training", "judge's score", "truth", "gap", "steps"]
    caption = (
        "Means over steps, from steps/STEP/metrics.jsonl: the judge's over answers in the right format, the truth's "
        "over all answers."
    )
    return Table(columns, rows, caption)


def choices_table(runs: Sequence[Summary]) -> Table:
    """Scores of the candidates on the validation stream, with the chosen one marked."""
    rows = []
    for run in runs:
        for step, choice in run.choices.items():
            for name, scores in choice["validation"].items():
                mark = "chosen" if name == choice["chosen"] else ""
                shown = (MISSING if scores[role] is None else f"{100 * scores[role]:.1f}" for role in VALIDATED)
                rows.append([step, _named(name, run, runs), *shown, mark])
    return Table(["step", "candidate", *VALIDATED, ""], rows, "Percent, from steps/STEP/choice.json.")


def costs_table(runs: Sequence[Summary]) -> Table:
    """Seconds and tokens of each step, mean over the runs that have it."""
    rows = []
    for step in runs[0].costs:
        costs = [run.costs[step] for run in runs if run.costs[step]["seconds"] is not None]
        if costs:
            rows.append([step, costs[0]["kind"], *(_mean_of(costs, key) for key in ("steps", "seconds", "tokens"))])
    total = fmean(sum(cost["seconds"] or 0 for cost in run.costs.values()) for run in runs)
    rows.append(["all", "", "", f"{total:,.1f}", ""])
    caption = (
        "Training: steps, seconds and trained tokens by its metrics. Other steps: seconds by `done`, tokens of the "
        "recorded answers."
    )
    return Table(["step", "kind", "steps", "seconds", "tokens"], rows, caption)


def _mean_of(costs: Sequence[Mapping[str, Any]], key: str) -> str:
    values = [cost[key] for cost in costs if cost.get(key) is not None]
    return f"{fmean(values):,.{1 if key == 'seconds' else 0}f}" if values else ""


def _named(name: str, run: Summary, runs: Sequence[Summary]) -> str:
    return f"{name} (seed {run.seed})" if len(runs) > 1 else name
