"""The runs: command, models, date, how far they are."""

import json
from html import escape
from pathlib import Path

import streamlit as st

from explorer.runs import Found, is_running
from explorer.training import last_line
from explorer.ui.parts import link, note, number, paged, table
from explorer.ui.site import config, runs


def show() -> None:
    """Page: all runs, the newest first."""
    st.title("Runs")
    found = runs()
    if not found:
        note(f"There are no runs below {config().runs}. `lemmata refine`, `prove`, `import` and `train` make them.")
        return
    wanted = st.text_input("Find", placeholder="name, command or model", label_visibility="collapsed").lower()
    shown = [run for run in found if wanted in f"{run.name} {run.command} {run.models}".lower()]
    table(["run", "command", "model", "made", "problems", "state", "cost"], [_row(run) for run in paged(shown, "runs")])
    if any(is_running(run.folder) for run in shown):
        _follow()


@st.fragment(run_every=3.0)
def _follow() -> None:
    """The progress of running runs, kept fresh."""
    st.subheader("Running now")
    for run in runs():
        if is_running(run.folder):
            st.html(f'<span class="lm-live">●</span> <b>{escape(run.name)}</b> &nbsp; {escape(progress_words(run))}')


def _row(run: Found) -> list[str]:
    if run.trouble:
        return [escape(run.name), "", "", "", "", f'<span class="lm-soft">{escape(run.trouble)}</span>', ""]
    metrics = last_line(run.folder / "metrics.jsonl")
    page = "training" if run.trains else "run"
    problems = _count(run.folder / "problems")
    state = '<span class="lm-live">● running</span>' if is_running(run.folder) else ""
    return [
        link(run.name, page, run=run.name),
        escape(run.command),
        escape(run.models),
        f'<span class="lm-small">{escape(run.created[:16].replace("T", " "))}</span>',
        str(problems) if problems else "",
        f'{state} <span class="lm-soft lm-small">{escape(progress_words(run))}</span>',
        number(metrics["cost"], 4) if metrics.get("cost") else "",
    ]


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.jsonl"))


def progress_words(run: Found) -> str:
    """How far a run is, by its last line of metrics."""
    last = last_line(run.folder / "metrics.jsonl")
    if "step" in last:
        reward = f", reward {number(last['reward'])}" if "reward" in last else ""
        return f"{last.get('stage', '')} step {last['step']}{reward}"
    if "problems" in last:
        words = f"{last.get('finished', 0)} of {last['problems']} problems finished, {last.get('accepted', 0)} accepted"
        return f"{words}, {last.get('in_flight', 0)} calls in flight" if is_running(run.folder) else words
    return ""


def settings_text(run: Found) -> str:
    """The settings of a run, letter by letter."""
    return json.dumps(run.manifest, indent=2, ensure_ascii=False, default=str)
