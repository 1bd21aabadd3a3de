"""Record page: any record by its id, as JSON, with a link to its page."""

import json
from html import escape

import streamlit as st

from core.errors import LemmataError
from explorer.index import LogIndex, RecordRow
from explorer.ui.context import chosen_run, index_of, query
from explorer.ui.widgets import crumbs, link, page_title, raw


def show() -> None:
    """Page of one record, verbatim."""
    run = chosen_run()
    log, row = _find()
    crumbs(link("Runs", ""), link(run.name, "run", run=run.name), f"{row.kind} {escape(row.id[:10])}")
    page_title(f"{row.kind.capitalize()} {row.id[:10]}")
    st.html(_page_of(run.name, log, row))
    raw(json.dumps(log.value(row), ensure_ascii=False, indent=2))


def _find() -> tuple[LogIndex, RecordRow]:
    index = index_of(chosen_run())
    name = query("id")
    if query("problem"):
        log = index.problem(query("problem"))
        if name in log.by_id:
            return log, log.by_id[name]
    found = index.find(name) if name else None
    if found is None:
        raise LemmataError(f"this run has no record {name!r}, or several whose ids start so; give more of the id")
    return found


def _page_of(run: str, log: LogIndex, row: RecordRow) -> str:
    """Link to the page that shows the record."""
    where = {"run": run, "problem": log.problem_id}
    if row.kind == "proof":
        return link("Read the proof", "proof", **where, proof=row.id)
    if row.kind == "analysis":
        return link("Read it beside its proof", "proof", **where, proof=row.about, analysis=row.id)
    if row.kind == "review" and row.about in log.by_id:
        return link(
            "Read it below its analysis", "proof", **where, proof=log.by_id[row.about].about, analysis=row.about
        )
    answer = log.by_id.get(str(row.value.get("answer_id", "")))
    if answer is not None and answer.id != row.id:
        return _page_of(run, log, answer)
    return link("Read the problem", "problem", **where)
