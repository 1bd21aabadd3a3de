"""Matrix page: the result of each run on each problem."""

from html import escape

import streamlit as st

from explorer.metrics import ProblemMetrics, problem_metrics
from explorer.runs import RunInfo
from explorer.ui.context import indexed, query, runs
from explorer.ui.tables import paged
from explorer.ui.widgets import badge, href, note, number, table

MAX_RUNS = 8


def show() -> None:
    """Page with one row per problem and one column per run."""
    st.title("Problems × runs")
    usable = [run for run in runs() if not run.error and not run.is_training]
    asked = [name for name in query("runs").split(",") if name in {run.name for run in usable}]
    names = st.multiselect("Runs", [run.name for run in usable], default=asked or [run.name for run in usable[:3]])
    chosen = [run for run in usable if run.name in names][:MAX_RUNS]
    if not chosen:
        note("Choose at least one run.")
        return
    by_run = {run.name: {log.problem_id: problem_metrics(log) for log in indexed(run).logs.values()} for run in chosen}
    titles: dict[str, ProblemMetrics] = {}
    for problems in by_run.values():
        titles |= problems
    common = sorted(
        titles, key=lambda problem: (-sum(problem in by_run[run.name] for run in chosen), titles[problem].name)
    )
    rows = [
        [escape(titles[problem].name or problem), *(_cell(run, by_run[run.name].get(problem)) for run in chosen)]
        for problem in paged(common)
    ]
    st.caption("Judges' mean for the chosen proof of each run; ✓ accepted; after the bar: mean human label.")
    table(["problem", *(run.name for run in chosen)], rows)


def _cell(run: RunInfo, metrics: ProblemMetrics | None) -> str:
    if metrics is None:
        return '<span class="lm-soft">·</span>'
    shown = metrics.chosen
    judged = shown.judged if shown else None
    words = f"{number(judged)}{' ✓' if metrics.accepted else ''}"
    people = f' <span class="lm-soft">| {number(metrics.human)}</span>' if metrics.human is not None else ""
    address = escape(href("problem", run=run.name, problem=metrics.problem_id))
    return f'<a href="{address}">{badge(judged, words)}</a>{people}'
