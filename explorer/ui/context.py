"""Page context: settings, runs, indexes, and the query parameters of the address."""

import sys
import time
from pathlib import Path
from typing import Protocol

import streamlit as st

from core.errors import LemmataError
from explorer.config import ExplorerConfig, from_arguments
from explorer.evaluation_results import EvaluationReader
from explorer.index import LogIndex, RecordRow
from explorer.runs import RunIndex, RunInfo, find_runs
from explorer.ui.widgets import note


class Page(Protocol):
    """Function that draws a page."""

    def __call__(self) -> None: ...


@st.cache_resource
def _index(folder: str) -> RunIndex:
    return RunIndex(Path(folder))


@st.cache_resource
def _reader(folder: str) -> EvaluationReader:
    return EvaluationReader(Path(folder))


@st.cache_data(ttl=4, show_spinner=False)
def _found(root: str) -> list[RunInfo]:
    return find_runs(Path(root))


def config() -> ExplorerConfig:
    """Settings from the command."""
    return from_arguments(sys.argv[1:])


def runs() -> list[RunInfo]:
    """All runs, newest first."""
    return _found(str(Path(config().runs).expanduser().resolve()))


def query(name: str, default: str = "") -> str:
    """Query parameter of the address."""
    return str(st.query_params.get(name, default))


def run_named(name: str) -> RunInfo:
    """Run with a name. Raises LemmataError where there is no such run, or where it cannot be read."""
    found = next((run for run in runs() if run.name == name), None)
    if found is None:  # it may be newer than the cached list
        _found.clear()
        found = next((run for run in runs() if run.name == name), None)
    if found is None:
        raise LemmataError(
            f"there is no run {name!r} below {config().runs}: it was moved or deleted, or the link is wrong"
        )
    if found.error:
        raise LemmataError(found.error)
    return found


def chosen_run() -> RunInfo:
    """Run that the address names, otherwise the newest one with proofs."""
    name = query("run")
    if name:
        return run_named(name)
    usable = [run for run in runs() if not run.error and not run.is_training]
    if not usable:
        raise LemmataError(
            f"there are no runs with proofs below {config().runs}; `lemmata refine` or `lemmata import` writes one"
        )
    return usable[0]


def index_of(run: RunInfo) -> RunIndex:
    """Index of a run, cached as long as the app runs."""
    return _index(str(run.folder))


def reader_of(run: RunInfo) -> EvaluationReader:
    """Reader of an evaluation, cached as long as the app runs."""
    return _reader(str(run.folder))


def indexed(run: RunInfo) -> RunIndex:
    """Index of a whole run. If that takes too long, the page shows what is indexed and reruns by itself."""
    index = index_of(run)
    share = index.refresh()
    if share < 1:
        note(f"Indexing the run: {share:.0%} of its problems so far. The page updates by itself.")
        rerun_soon()
    return index


def rerun_soon() -> None:
    """Draws the page again after a second, when more of it is known."""
    st.session_state.drawn_at = time.monotonic()
    _rerun_later()


@st.fragment(run_every=1.0)
def _rerun_later() -> None:
    """Reruns the page when the fragment runs by its timer; does nothing while the page itself runs."""
    if time.monotonic() - st.session_state.drawn_at > 0.9:
        st.rerun()


def chosen_log(run: RunInfo) -> LogIndex:
    """Log of the problem that the address names. Raises LemmataError where there is none."""
    log = index_of(run).problem(query("problem"))
    if log.share < 1:
        note(f"Indexing this problem: {log.share:.0%} so far. The page updates by itself.")
        rerun_soon()
    return log


def record_row(log: LogIndex, name: str, kind: str) -> RecordRow:
    """Row of the record that the address names. Raises LemmataError where there is none of this kind."""
    row = log.by_id.get(query(name))
    if row is None or row.kind != kind:
        raise LemmataError(
            f"this problem has no {kind} {query(name)!r}; the link belongs to another run, or its line is damaged"
        )
    return row


def show_page(page: Page) -> None:
    """Draws a page; an error that the user can fix becomes a message on it."""
    try:
        page()
    except LemmataError as error:
        note(str(error), bad=True)


def read_only() -> bool:
    """True where the explorer writes nothing."""
    try:
        return config().read_only
    except LemmataError:
        return True
