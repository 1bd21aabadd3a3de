"""Problems by runs: what each run came to on each problem."""

from html import escape

import streamlit as st

from explorer.figures import ProblemFigures, problem_figures
from explorer.runs import Found
from explorer.ui.parts import badge, href, note, number, paged, table
from explorer.ui.site import indexed, query, runs

MAX_RUNS = 8


def show() -> None:
    """Page: one row a problem, one column a run."""
    st.title("Problems × runs")
    usable = [run for run in runs() if not run.trouble and not run.trains]
    asked = [name for name in query("runs").split(",") if name in {run.name for run in usable}]
    names = st.multiselect("Runs", [run.name for run in usable], default=asked or [run.name for run in usable[:3]])
    chosen = [run for run in usable if run.name in names][:MAX_RUNS]
    if not chosen:
        note("Choose one run or more.")
        return
    by_run = {run.name: {log.problem_id: problem_figures(log) for log in indexed(run).logs.values()} for run in chosen}
    titles: dict[str, ProblemFigures] = {}
    for figures in by_run.values():
        titles |= figures
    common = sorted(
        titles, key=lambda problem: (-sum(problem in by_run[run.name] for run in chosen), titles[problem].name)
    )
    rows = [
        [escape(titles[problem].name or problem), *(_cell(run, by_run[run.name].get(problem)) for run in chosen)]
        for problem in paged(common, "matrix")
    ]
    st.caption("The chosen proof of each run, by its judges' mean; ✓ accepted; people's score after the bar.")
    table(["problem", *(run.name for run in chosen)], rows)


def _cell(run: Found, figure: ProblemFigures | None) -> str:
    if figure is None:
        return '<span class="lm-soft">·</span>'
    shown = figure.chosen
    judged = shown.judged if shown else None
    words = f"{number(judged)}{' ✓' if figure.accepted else ''}"
    people = f' <span class="lm-soft">| {number(figure.human)}</span>' if figure.human is not None else ""
    address = escape(href("problem", run=run.name, problem=figure.problem_id))
    return f'<a href="{address}">{badge(judged, words)}</a>{people}'
