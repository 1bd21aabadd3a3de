"""Search page: statements, proofs, analyses and reviews of a run that contain some words."""

from html import escape

import streamlit as st

from core.document import counted
from explorer.index import LogIndex
from explorer.metrics import problem_metrics
from explorer.runs import RunInfo
from explorer.text_search import Hit, search
from explorer.ui import address
from explorer.ui.context import chosen_run, indexed
from explorer.ui.tables import paged
from explorer.ui.widgets import crumbs, link, note, page_title

KINDS = {
    "all": "All",
    "problem": "Statements",
    "proof": "Proofs",
    "analysis": "Analyses",
    "review": "Reviews",
}
MAX_HITS = 500
SECONDS = 1.5  # of searching for one drawing of the page


def show() -> None:
    """Page of a search in one run."""
    run = chosen_run()
    crumbs(link("Runs", ""), link(run.name, "run", run=run.name), "search")
    page_title(f"{run.name}: search")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = address.text_input("Words", "words", placeholder="as they stand in the text or its TeX", width=420)
        kind = address.choice("In", "in", KINDS, "all")
    if not words.strip():
        st.caption("Finds the words as they are written in the source, in any case: also TeX such as \\\\binom.")
        return
    logs = list(indexed(run).logs.values())
    kinds = set(KINDS) - {"all"} if kind == "all" else {kind}
    start = address.number("from")
    hits, searched = search(logs[start:], words.strip(), kinds, limit=MAX_HITS, seconds=SECONDS)
    names = {log.problem_id: _title(log) for log in logs}
    _found(run, hits, names)
    if start + searched < len(logs):
        note(f"{counted(start + searched, 'problem')} of {len(logs)} searched so far.")
        st.html(
            link("Search the others", "search", run=run.name, words=words, **{"in": kind, "from": start + searched})
        )


def _title(log: LogIndex) -> str:
    metrics = problem_metrics(log)
    return metrics.name or metrics.problem_id


def _found(run: RunInfo, hits: list[Hit], names: dict[str, str]) -> None:
    st.caption(f"{counted(len(hits), 'text')} of {counted(len({hit.problem_id for hit in hits}), 'problem')}.")
    for hit in paged(hits):
        more = f' <span class="lm-soft">{counted(hit.count, "place")}</span>' if hit.count > 1 else ""
        st.html(
            f'<div class="lm-hit">{_link(run, hit, names[hit.problem_id])}{more}<br>'
            f"<span>… {escape(hit.before)}<mark>{escape(hit.found)}</mark>{escape(hit.after)} …</span></div>"
        )


def _link(run: RunInfo, hit: Hit, title: str) -> str:
    where = {"run": run.name, "problem": hit.problem_id}
    if hit.kind == "proof":
        return link(f"{title}: proof {hit.id[:10]}", "proof", **where, proof=hit.id)
    if hit.kind == "analysis":
        return link(f"{title}: analysis {hit.id[:8]}", "proof", **where, proof=hit.about, analysis=hit.id)
    if hit.kind == "review":
        return link(f"{title}: review {hit.id[:8]}", "record", **where, id=hit.id)
    return link(f"{title}: statement", "problem", **where)
