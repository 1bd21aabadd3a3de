"""Runs page: command, models, date and progress of every run."""

import json
from html import escape
from pathlib import Path

import streamlit as st

from core.document import counted
from explorer.runs import RunInfo, is_running
from explorer.training_log import last_line
from explorer.ui import address
from explorer.ui.context import config, runs
from explorer.ui.widgets import link, note, number, paged, table


def show() -> None:
    """Page of all runs, newest first."""
    st.title("Runs")
    found = runs()
    if not found:
        note(f"There are no runs below {config().runs}. `lemmata refine`, `prove`, `import` and `train` write runs.")
        return
    wanted = address.text_input(
        "Find", "find", placeholder="name, command or model", label_visibility="collapsed"
    ).lower()
    shown = [run for run in found if wanted in f"{run.name} {run.command} {run.models}".lower()]
    rows = [_row(run) for run in paged(shown, "runs")]
    table(["run", "command", "model", "started", "problems", "state", "cost"], rows)
    if any(is_running(run.folder) for run in shown):
        _progress()


@st.fragment(run_every=3.0)
def _progress() -> None:
    """Shows the progress of running runs, updated every three seconds."""
    st.subheader("Running now")
    for run in runs():
        if is_running(run.folder):
            st.html(f'<span class="lm-live">●</span> <b>{escape(run.name)}</b> &nbsp; {escape(progress_words(run))}')


def _row(run: RunInfo) -> list[str]:
    if run.error:
        return [escape(run.name), "", "", "", "", f'<span class="lm-soft">{escape(run.error)}</span>', ""]
    metrics = last_line(run.folder / "metrics.jsonl")
    page = "training" if run.is_training else "run"
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


def progress_words(run: RunInfo) -> str:
    """Progress of a run, by its last line of metrics."""
    last = last_line(run.folder / "metrics.jsonl")
    if "step" in last:
        reward = f", reward {number(last['reward'])}" if "reward" in last else ""
        return f"{last.get('stage', '')} step {last['step']}{reward}"
    if "problems" in last:
        total, accepted = counted(last["problems"], "problem"), last.get("accepted", 0)
        words = f"{last.get('finished', 0)} of {total} finished, {accepted} accepted"
        return f"{words}, {last.get('in_flight', 0)} calls in flight" if is_running(run.folder) else words
    return ""


def settings_text(run: RunInfo) -> str:
    """Manifest of a run (settings, versions, commit) as JSON."""
    return json.dumps(run.manifest, indent=2, ensure_ascii=False, default=str)
