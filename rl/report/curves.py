"""Curves of training from its metrics: rewards, the judge's score beside the truth, seconds and tokens. No torch."""

from collections.abc import Mapping, Sequence
from math import ceil, isfinite
from typing import Any

from core.statistics import Observation, mean
from rl.report.record_files import Row, Rows

# Metrics that are drawn besides rewards, and those of every teacher or kind of task.
WATCHED = ("entropy", "kl", "mismatch_kl", "truncated", "length", "loss", "token_accuracy", "grad_norm")
WINDOW = 5  # the first and last fifth of training are compared
Curve = list[tuple[int, float]]  # (step, value)


def curves(rows: Rows) -> dict[str, Curve]:
    """Rewards with their parts and the metrics in `WATCHED`, by name; steps without a value are left out."""
    found: dict[str, Curve] = {}
    for row in rows.rows:
        for name, value in row.items():
            if _wanted(name) and isinstance(value, int | float) and isfinite(value):
                found.setdefault(name, []).append((row["step"], float(value)))
    return found


def _wanted(name: str) -> bool:
    metric = name.removeprefix("validation/")
    return metric in WATCHED or metric.startswith(("reward", "kl/"))


def judged_kinds(found: Mapping[str, Curve]) -> list[str]:
    """Kinds of task, "" for a role alone, whose proofs were scored by a judge beside the truth."""
    starts = [name.removesuffix("proof") for name in found if name.startswith("reward/") and name.endswith("/proof")]
    return [start.removeprefix("reward/").rstrip("/") for start in starts if f"{start}truth" in found]


def over_optimization(rows: Rows) -> list[dict[str, Any]]:
    """For each kind of judged proofs: mean ``judge`` score, ``truth`` and their ``gap`` in the first and last fifth.

    Means over steps that have both; the judge's is over answers in the right format, the truth's over all.
    """
    found, made = curves(rows), []
    for kind in judged_kinds(found):
        start = f"reward/{kind}/" if kind else "reward/"
        judge, truth = dict(found[f"{start}proof"]), dict(found[f"{start}truth"])
        steps = sorted(judge.keys() & truth.keys())
        size = ceil(len(steps) / WINDOW)
        for part, chosen in (("first", steps[:size]), ("last", steps[-size:] if size else [])):
            observed = {
                "judge": [Observation(step, judge[step]) for step in chosen],
                "truth": [Observation(step, truth[step]) for step in chosen],
                "gap": [Observation(step, judge[step] - truth[step]) for step in chosen],
            }
            values = {name: mean(observations, rows.source) for name, observations in observed.items()}
            made.append({"kind": kind, "part": part, "steps": len(chosen), **values})
    return made


def training_cost(rows: Rows) -> dict[str, Any]:
    """``steps``, their ``seconds``, and the ``tokens`` that were trained on (prompts included)."""
    return {
        "steps": len(rows.rows),
        "seconds": sum(_seconds(row) for row in rows.rows),
        "tokens": int(sum(_number(row.get("tokens")) for row in rows.rows)),
    }


def written_tokens(rows: Sequence[Row]) -> int:
    """Tokens that a model wrote for records of a measurement."""
    own = sum(row.get("tokens", 0) for row in rows)
    return own + sum(one["tokens"] for row in rows for one in row.get("rounds", ()))


def _seconds(row: Row) -> float:
    time = row.get("time")
    return _number(time.get("seconds")) if isinstance(time, dict) else 0.0


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and isfinite(value) else 0.0
