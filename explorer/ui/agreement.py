"""Agreement page: progress of the labelers, agreement between them, and the tables of labels for training."""

import tempfile
from collections.abc import Sequence
from html import escape
from itertools import combinations
from pathlib import Path

import streamlit as st

from core.document import counted
from core.labeled_cases import write_cases
from explorer.index import LogIndex
from explorer.label_export import Export, agreement, labeled_analyses, labeled_proofs, scores_by_author
from explorer.label_queue import progress
from explorer.labels import Subject, reports
from explorer.ui.context import chosen_run, indexed
from explorer.ui.labeling import SUBJECTS, shares
from explorer.ui.problem import problem_of, title_of
from explorer.ui.widgets import crumbs, link, note, number, page_title, table

SUBJECT_NAMES: tuple[Subject, Subject] = ("proof", "analysis")


def show() -> None:
    """Page of agreement between people, and of the labels as tables for training."""
    run = chosen_run()
    crumbs(link("Runs", ""), link(run.name, "run", run=run.name), "agreement and export")
    page_title("Agreement and export")
    logs = list(indexed(run).logs.values())
    for subject in SUBJECT_NAMES:
        st.subheader(SUBJECTS[subject], anchor=False)
        _labelers(logs, subject)
    _reports(run.name, logs)
    st.subheader("Tables for training", anchor=False)
    st.caption("One row per proof or analysis on whose score all its labelers agree; `lemmata train` reads the tables.")
    _download("D_v", "labeled-proofs.jsonl", labeled_proofs(logs))
    _download("D_mv", "labeled-analyses.jsonl", labeled_analyses(logs))


def _labelers(logs: Sequence[LogIndex], subject: Subject) -> None:
    found = progress(logs, subject, shares())
    if not found:
        st.caption("No labels yet.")
        return
    table(["labeler", "labeled", "share"], [[escape(one.author), str(one.labeled), str(one.total)] for one in found])
    scores = scores_by_author(logs, subject)
    rows = []
    for first, second in combinations(sorted(scores), 2):
        kappa, common = agreement(scores[first], scores[second])
        rows.append([escape(f"{first} and {second}"), str(common), f"<b>{number(kappa)}</b>"])
    if rows:
        table(["pair", "both labeled", "Cohen's kappa"], rows)


def _reports(run: str, logs: Sequence[LogIndex]) -> None:
    """Statements that people report as flawed."""
    found = [(log, row) for log in logs for row in reports(log)]
    if not found:
        return
    st.subheader("Reported statements", anchor=False)
    note(f"Proofs of {counted(len({log.problem_id for log, _ in found}), 'reported statement')} are not exported.")
    rows = [
        [
            link(title_of(problem_of(log), log), "problem", run=run, problem=log.problem_id),
            escape(str(row.value.get("author", ""))),
            escape(str(row.value.get("reason", ""))),
        ]
        for log, row in found
    ]
    table(["problem", "by", "fault"], rows)


def _download(title: str, name: str, export: Export) -> None:
    left_out = [
        f"{export.disputed} disputed" if export.disputed else "",
        f"{export.off_rubric} with a score that is not 0, 0.5 or 1" if export.off_rubric else "",
        f"{export.reported} of reported statements" if export.reported else "",
    ]
    words = ", ".join(part for part in left_out if part)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(
            f"<b>{title}</b> &nbsp; {counted(len(export.cases), 'row')} "
            f'<span class="lm-soft">{escape(f"(left out: {words})" if words else "")}</span>'
        )
        if export.cases:
            st.download_button(
                "Download", _jsonl(export), file_name=name, mime="application/jsonl", key=f"download-{title}"
            )


def _jsonl(export: Export) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.jsonl"
        write_cases(path, export.cases)
        return path.read_bytes()
