"""Matrix page: the result of each run on each problem."""

from collections.abc import Mapping
from html import escape

import streamlit as st

from explorer.metrics import ProblemMetrics, problem_metrics
from explorer.runs import RunInfo
from explorer.ui import address
from explorer.ui.context import indexed, runs
from explorer.ui.tables import Column, sorted_table
from explorer.ui.widgets import badge, href, note, number

MAX_RUNS = 8


def show() -> None:
    """Page with one row per problem and one column per run."""
    st.title("Problems × runs")
    usable = [run for run in runs() if not run.error and not run.is_training]
    every = [run.name for run in usable]
    names = address.several("Runs", "runs", every, every[:3])
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
    st.caption("Judges' mean for the chosen proof of each run; ✓ accepted; after the bar: mean human label.")
    columns: list[Column[str]] = [
        Column("problem", lambda problem: escape(titles[problem].name or problem),
               lambda problem: (titles[problem].name or problem).lower()),
        *(_column(run, by_run[run.name]) for run in chosen),
    ]  # fmt: skip
    sorted_table(columns, common)


def _column(run: RunInfo, problems: Mapping[str, ProblemMetrics]) -> Column[str]:
    def score(problem: str) -> float | None:
        shown = problems[problem].chosen if problem in problems else None
        return shown.judged if shown else None

    return Column(run.name, lambda problem: _cell(run, problems.get(problem)), score, numeric=True)


def _cell(run: RunInfo, metrics: ProblemMetrics | None) -> str:
    if metrics is None:
        return '<span class="lm-soft">·</span>'
    shown = metrics.chosen
    judged = shown.judged if shown else None
    words = f"{number(judged)}{' ✓' if metrics.accepted else ''}"
    people = f' <span class="lm-soft">| {number(metrics.human)}</span>' if metrics.human is not None else ""
    address = escape(href("problem", run=run.name, problem=metrics.problem_id))
    return f'<a href="{address}">{badge(judged, words)}</a>{people}'
