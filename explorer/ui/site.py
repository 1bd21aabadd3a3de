"""What all pages share: settings, the runs, the indexes, and the query that says what is shown."""

import sys
import time
from pathlib import Path
from typing import Protocol

import streamlit as st

from core.errors import LemmataError
from explorer.config import ExplorerConfig, from_arguments
from explorer.index import LogIndex, Row
from explorer.runs import Found, RunIndex, find_runs
from explorer.ui.parts import note


class Page(Protocol):
    """A page."""

    def __call__(self) -> None: ...


@st.cache_resource
def _index(folder: str) -> RunIndex:
    return RunIndex(Path(folder))


@st.cache_data(ttl=4, show_spinner=False)
def _found(root: str) -> list[Found]:
    return find_runs(Path(root))


def config() -> ExplorerConfig:
    """The settings that the command gave."""
    return from_arguments(sys.argv[1:])


def runs() -> list[Found]:
    """All runs, the newest first."""
    return _found(str(Path(config().runs).expanduser().resolve()))


def query(name: str, default: str = "") -> str:
    """A parameter of the address."""
    return str(st.query_params.get(name, default))


def run_named(name: str) -> Found:
    """The run of a name. Raises LemmataError for a name that is no run's, and for a run that cannot be read."""
    found = next((run for run in runs() if run.name == name), None)
    if found is None:
        raise LemmataError(
            f"there is no run {name!r} below {config().runs}: it was moved or deleted, or the link is wrong"
        )
    if found.trouble:
        raise LemmataError(found.trouble)
    return found


def chosen_run() -> Found:
    """The run that the address names, else the newest one with proofs."""
    name = query("run")
    if name:
        return run_named(name)
    usable = [run for run in runs() if not run.trouble and not run.trains]
    if not usable:
        raise LemmataError(
            f"there are no runs with proofs below {config().runs}; `lemmata refine` or `lemmata import` makes one"
        )
    return usable[0]


def index_of(run: Found) -> RunIndex:
    """The index of a run, which lives as long as the app."""
    return _index(str(run.folder))


def indexed(run: Found) -> RunIndex:
    """The index of a whole run; where it takes longer than a moment, the page shows what there is and comes back."""
    index = index_of(run)
    share = index.refresh()
    if share < 1:
        note(f"Reading the run: {share:.0%} of its problems so far. The page goes on by itself.")
        _come_back()
    return index


def _come_back() -> None:
    st.session_state.came = time.monotonic()
    _again()


@st.fragment(run_every=1.0)
def _again() -> None:
    """Runs alone every second; with the page itself it does nothing."""
    if time.monotonic() - st.session_state.came > 0.9:
        st.rerun()


def chosen_log(run: Found) -> LogIndex:
    """The log of the problem that the address names. Raises LemmataError where there is none."""
    log = index_of(run).problem(query("problem"))
    if log.share < 1:
        note(f"Reading this problem: {log.share:.0%} so far. The page goes on by itself.")
        _come_back()
    return log


def record_row(log: LogIndex, name: str, kind: str) -> Row:
    """The record of a kind that the address names. Raises LemmataError where there is none."""
    row = log.by_id.get(query(name))
    if row is None or row.kind != kind:
        raise LemmataError(
            f"this problem holds no {kind} {query(name)!r}; the link is of another run, or its line was damaged"
        )
    return row


def shown(page: Page) -> None:
    """Show a page; what the reader can mend is one message on it."""
    try:
        page()
    except LemmataError as error:
        note(str(error), bad=True)


def read_only() -> bool:
    """Whether nothing may be written."""
    try:
        return config().read_only
    except LemmataError:
        return True
