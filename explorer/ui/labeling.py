"""Labeling pages: the label queue (by keyboard), agreement between people, export for training."""

import getpass
import tempfile
from html import escape
from itertools import combinations
from pathlib import Path

import streamlit as st

from core.document import counted
from core.labeled_cases import write_cases
from core.records import Analysis, Proof
from explorer.label_queue import QueueItem, analysis_queue, proof_queue
from explorer.labels import (
    Export,
    HumanLabel,
    Subject,
    agreement,
    labeled_analyses,
    labeled_proofs,
    scores_by_author,
    write_label,
)  # fmt: skip
from explorer.metrics import proof_metrics
from explorer.runs import RunInfo
from explorer.ui.context import chosen_run, config, indexed, query
from explorer.ui.problem import problem_of
from explorer.ui.widgets import badge, crumbs, facts, link, model_text, note, number, table

RUBRIC = {
    "proof": {0.0: "wrong, or a fatal gap", 0.5: "correct overall, details missing", 1.0: "complete and rigorous"},
    "analysis": {0.0: "its issues do not exist", 0.5: "some exist, or the score is off", 1.0: "its issues are real"},
}
KEYS = {0.0: "1", 0.5: "2", 1.0: "3"}


def show() -> None:
    """Page of the label queue."""
    run = chosen_run()
    crumbs(link("Runs", ""), link(run.name, "run", run=run.name), "label")
    st.title("Label")
    if config().read_only:
        note("This explorer is read-only: labels are shown but cannot be added.")
        return
    logs = list(indexed(run).logs.values())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        author = st.text_input("Your name", value=config().author or _user(), width=220).strip()
        subject = st.segmented_control(
            "Label", ["proof", "analysis"], default="proof", required=True, format_func=_plural
        )
        blind = st.toggle("Blind: hide the scores of others", value=True)
    kind: Subject = "analysis" if subject == "analysis" else "proof"
    queue = (analysis_queue if kind == "analysis" else proof_queue)(logs, author)
    skipped: set[str] = st.session_state.setdefault("skipped", set())
    waiting = [item for item in queue if item.row.id not in skipped] or queue
    asked = query("proof")
    if not queue:
        note(f"The queue is empty: {author} has labeled every {kind} of this run.")
        return
    item = next((item for item in waiting if item.row.id == asked), waiting[0])
    _item(run, item, kind, author, len(queue), blind=blind)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _plural(subject: str) -> str:
    return {"proof": "Proofs", "analysis": "Analyses"}[subject]


def _item(run: RunInfo, item: QueueItem, subject: Subject, author: str, left: int, *, blind: bool) -> None:
    st.html(
        f'<span class="lm-soft">{left} in the queue{"" if blind else f" &nbsp;·&nbsp; {escape(item.reason)}"}</span>'
    )
    reason = st.text_input(
        "Reason", key=f"reason-{item.row.id}", placeholder="optional; press Enter, then the key of a score"
    )
    _buttons(run, item, subject, author, reason)
    problem = problem_of(item.log)
    if problem:
        with st.expander("Statement", expanded=True):
            model_text(problem.statement, "statement")
        with st.container(horizontal=True):
            for name, text in (("Reference solution", problem.reference), ("Grading guidelines", problem.guidelines)):
                if text:
                    with st.popover(name):
                        model_text(text, name.split()[0].lower())
    record = item.log.read(item.row)
    if isinstance(record, Analysis):
        proof = item.log.read(item.log.by_id[record.proof_id])
        assert isinstance(proof, Proof)
        columns = st.columns(2, gap="large")
        with columns[0]:
            st.subheader("The analysis")
            model_text(record.text, "analysis")
        with columns[1]:
            st.subheader("The proof that it evaluates")
            model_text(proof.body or proof.text, "proof")
    else:
        assert isinstance(record, Proof)
        st.subheader("The proof")
        model_text(record.body or record.text, "proof")
        if not blind:
            _others(item)


def _buttons(run: RunInfo, item: QueueItem, subject: Subject, author: str, reason: str) -> None:
    with st.container(horizontal=True):
        for score, words in RUBRIC[subject].items():
            pressed = st.button(f"**{number(score)}** &nbsp; {words}", shortcut=KEYS[score], key=f"score-{score:g}")
            if pressed:
                _write(run, item, author, score, reason)
        if st.button("Skip for now", shortcut="0", key="later"):
            st.session_state.skipped.add(item.row.id)
            st.rerun()


def _write(run: RunInfo, item: QueueItem, author: str, score: float, reason: str) -> None:
    is_analysis = item.row.kind == "analysis"
    given = HumanLabel(
        problem_id=item.log.problem_id,
        proof_id=item.row.about if is_analysis else item.row.id,
        author=author,
        score=score,
        reason=reason,
        analysis_id=item.row.id if is_analysis else None,
    )
    label = write_label(run.folder, given)
    st.toast(f"{label.author}: {label.score:g}")
    if "proof" in st.query_params:
        del st.query_params["proof"]
    st.rerun()


def _others(item: QueueItem) -> None:
    metrics = next(found for found in proof_metrics(item.log) if found.row.id == item.row.id)
    facts({
        "self-score": badge(metrics.self_score),
        "judges' mean": badge(metrics.judged),
        "human labels": badge(metrics.human, metrics.points or None),
    })  # fmt: skip


def show_agreement() -> None:
    """Page of agreement between people, and of the labels as tables for training."""
    run = chosen_run()
    crumbs(link("Runs", ""), link(run.name, "run", run=run.name), "agreement and export")
    st.title("Agreement and export")
    logs = list(indexed(run).logs.values())
    for subject in ("proof", "analysis"):
        scores = scores_by_author(logs, subject)
        st.subheader(_plural(subject))
        if not scores:
            st.caption("No labels yet.")
            continue
        table(["labeler", "labels"], [[escape(author), str(len(given))] for author, given in sorted(scores.items())])
        rows = []
        for first, second in combinations(sorted(scores), 2):
            kappa, common = agreement(scores[first], scores[second])
            rows.append([escape(f"{first} and {second}"), str(common), f"<b>{number(kappa)}</b>"])
        if rows:
            table(["pair", "both labeled", "Cohen's kappa"], rows)
    st.subheader("Tables for training")
    st.caption("One row per proof or analysis on whose score all its labelers agree; `lemmata train` reads the tables.")
    _download("D_v", "labeled-proofs.jsonl", labeled_proofs(logs))
    _download("D_mv", "labeled-analyses.jsonl", labeled_analyses(logs))


def _download(title: str, name: str, export: Export) -> None:
    left_out = [
        f"{export.disputed} disputed" if export.disputed else "",
        f"{export.off_rubric} with a score that is not 0, 0.5 or 1" if export.off_rubric else "",
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
