"""Page of one's own labels: each with its reason and passage, and a link that opens it to be changed."""

from html import escape

import streamlit as st

from explorer.labels import WrittenLabel, written_labels
from explorer.runs import RunInfo
from explorer.ui.context import chosen_run, indexed, query
from explorer.ui.labeling import label_settings
from explorer.ui.problem import problem_of, title_of
from explorer.ui.tables import paged
from explorer.ui.widgets import badge, crumbs, link, note, page_title, table


def show() -> None:
    """Page of the labels by the labeler of the address."""
    run = chosen_run()
    crumbs(link("Runs", ""), link(run.name, "run", run=run.name), "my labels")
    page_title("My labels")
    author, subject, _ = label_settings()
    if not author:
        note("Enter your name to see your labels.")
        return
    with_history = query("history") == "1"
    labels = [
        label
        for label in written_labels(list(indexed(run).logs.values()), author)
        if label.subject == subject and (label.current or with_history)
    ]
    if not labels:
        note(f"{author} has no labels of this kind in this run.")
        return
    st.caption("A changed mind is a further record: open a label and give another score. All records stay on file.")
    table(
        ["time", "problem", subject, "score", "reason and passage", ""],
        [_row(run, label) for label in paged(labels)],
    )


def _row(run: RunInfo, label: WrittenLabel) -> list[str]:
    value, log = label.row.value, label.log
    passage = f" <q>{escape(str(value['passage']))}</q>" if value.get("passage") else ""
    names = {"proof": value.get("proof_id"), "analysis": value.get("analysis_id")}
    return [
        f'<span class="lm-small">{escape(label.row.created[:19].replace("T", " "))}</span>',
        escape(title_of(problem_of(log), log)),
        escape(label.row.about[:10]),
        badge(label.row.score),
        f"{escape(str(value.get('reason', '')))}{passage}",
        link("open and change", "label", run=run.name, problem=log.problem_id, what=label.subject, **names),
    ]
