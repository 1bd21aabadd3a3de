"""Trace of an answer: its tool calls as cells with code and output, as text only."""

from html import escape

import streamlit as st

from core.document import counted
from explorer.index import LogIndex
from explorer.runs import RunInfo
from explorer.trace import TraceCell, calls_of, read_trace
from explorer.ui.widgets import link, model_text, plain_badge, raw

MAX_SHOWN = 20_000  # characters of one output
GOOD = ("ok", "")


def show_trace(run: RunInfo, log: LogIndex, answer: str) -> None:
    """Shows the turns, calls and outputs that led to an answer."""
    cells = list(read_trace(log, answer))
    calls = calls_of(cells)
    seconds = sum(cell.seconds or 0.0 for cell in cells)
    st.caption(f"{counted(calls, 'tool call')}" + (f", {seconds:.1f} s in tools" if seconds else ""))
    for place, cell in enumerate(cells):
        with st.container(key=f"cell-{cell.id}"):
            _cell(run, log, cell, place)


def _cell(run: RunInfo, log: LogIndex, cell: TraceCell, place: int) -> None:
    opened = link("raw", "record", run=run.name, problem=log.problem_id, id=cell.id)
    if cell.tool:
        state = "" if cell.status in GOOD else f" {plain_badge(cell.status)}"
        took = f" {cell.seconds:.2g} s" if cell.seconds is not None else ""
        words = f"<b>{escape(cell.tool)}</b>{state}{took}"
    else:
        words = escape(cell.kind)
    st.html(f'<span class="lm-soft lm-small">{place + 1}. {words} &nbsp; {opened}</span>')
    if cell.text and not cell.tool:
        model_text(cell.text, f"cell-{cell.id}")
    for code in cell.code:
        _verbatim(code, "lm-code")
    if cell.tool:
        _verbatim(cell.text or "(no output)", "lm-output")
    if cell.details:
        raw("\n".join(f"{name}: {item}" for name, item in cell.details.items()))


def _verbatim(text: str, kind: str) -> None:
    shown = text[:MAX_SHOWN]
    more = f"\n… {len(text) - MAX_SHOWN:,} more characters in the raw record" if len(text) > MAX_SHOWN else ""
    st.html(f'<pre class="lm-raw {kind}">{escape(shown + more)}</pre>')
