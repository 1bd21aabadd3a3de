"""Labeling page: one proof or analysis at a time, labeled by keyboard."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from core.errors import LemmataError
from core.records import Analysis, Proof
from explorer.index import LogIndex
from explorer.label_queue import QueueItem, Shares, queue
from explorer.labels import (
    HumanLabel,
    Subject,
    WrittenLabel,
    last_label,
    report_statement,
    reports,
    withdraw,
    write_label,
    written_labels,
)
from explorer.math_markdown import plain_text
from explorer.metrics import proof_metrics
from explorer.passages import find_passage
from explorer.runs import RunInfo
from explorer.ui import address
from explorer.ui.context import chosen_run, config, index_of, indexed, query, read_only
from explorer.ui.label_bar import SHOWN, acted, item_mark, show_label_bar
from explorer.ui.problem import problem_of, title_of
from explorer.ui.widgets import badge, crumbs, facts, link, model_text, note, page_title

SUBJECTS = {"proof": "Proofs", "analysis": "Analyses"}


def show() -> None:
    """Page of the label queue, at the proof or analysis of the address."""
    run = chosen_run()
    crumbs(link("Runs", ""), link(run.name, "run", run=run.name), "label")
    if read_only():
        page_title("Label")
        note("This explorer is read-only: labels are shown but cannot be added.")
        return
    author, subject, blind = label_settings()
    if not author:
        page_title("Label")
        note("Enter your name to label. It is kept in the address of the page.")
        return
    logs = list(indexed(run).logs.values())
    items = _ordered(queue(logs, subject, author, shares()), run, subject, author)
    item = _chosen(items, logs, subject)
    _show_item(run, item, subject, author, blind=blind) if item else _show_end(run, items, author, subject)
    _bar(run, items, item, subject, author)


def label_settings() -> tuple[str, Subject, bool]:
    """Name of the labeler, kind of item and blind mode, from the address."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        author = address.text_input("Your name", "labeler", config().author, width=220, max_chars=80).strip()
        subject = address.choice("Label", "what", SUBJECTS, "proof")
        blind = address.toggle("Blind: hide the scores of others", "blind", default=True)
    return author, "analysis" if subject == "analysis" else "proof", blind


def shares() -> Shares:
    """Division of the work by the settings."""
    return Shares(config().labelers, config().labels_per_item)


def _ordered(items: list[QueueItem], run: RunInfo, subject: Subject, author: str) -> list[QueueItem]:
    """Items in the order in which this session saw them first: left and right lead to the same ones again."""
    orders: dict[tuple[str, str, str], dict[str, int]] = st.session_state.setdefault("orders", {})
    known = orders.setdefault((run.name, subject, author), {})
    for item in items:
        known.setdefault(item.row.id, len(known))
    return sorted(items, key=lambda item: known[item.row.id])


def _chosen(items: Sequence[QueueItem], logs: Sequence[LogIndex], subject: Subject) -> QueueItem | None:
    """Item of the address, in the queue or not, otherwise the first one that waits.

    Raises:
        LemmataError: the address names an item that the run does not have.
    """
    asked = query("analysis" if subject == "analysis" else "proof")
    if asked:
        found = next((item for item in items if item.row.id == asked), None)
        return found or _outside(logs, asked, subject)
    item = next((item for item in items if item.waiting and item.row.id not in _skipped()), None)
    item = item or next((item for item in items if item.waiting), None)
    if item:
        _open(item.log, item.row.id, subject)
    return item


def _outside(logs: Sequence[LogIndex], record_id: str, subject: Subject) -> QueueItem:
    """Item outside of the queue: of another share, or without a proof that could be parsed."""
    for log in logs:
        row = log.by_id.get(record_id)
        if row is not None and row.kind == subject:
            return QueueItem(log, row, "opened by its address", labeled=False, waiting=False)
    raise LemmataError(f"this run has no {subject} {record_id!r}: the link belongs to another run, or it is cut off")


def _open(log: LogIndex, record_id: str, subject: Subject) -> None:
    """Makes the address that of an item."""
    names = {"proof": record_id, "analysis": None}
    if subject == "analysis":
        names = {"proof": log.by_id[record_id].about, "analysis": record_id}
    address.set_parameters(problem=log.problem_id, **names)


def _skipped() -> set[str]:
    return st.session_state.setdefault("skipped", set())


def _show_end(run: RunInfo, items: Sequence[QueueItem], author: str, subject: Subject) -> None:
    page_title("Label")
    done = sum(item.labeled for item in items)
    note(f"Nothing waits for {author}: {done} of {len(items)} {SUBJECTS[subject].lower()} of this share are labeled.")
    st.html(link("My labels", "labels", run=run.name))


def _show_item(run: RunInfo, item: QueueItem, subject: Subject, author: str, *, blind: bool) -> None:
    problem = problem_of(item.log)
    page_title(f"{title_of(problem, item.log)}: {subject} {item.row.id[:10]}")
    record = item.log.read(item.row)
    assert isinstance(record, Analysis | Proof)
    proof = item.log.read(item.log.by_id[record.proof_id]) if isinstance(record, Analysis) else record
    assert isinstance(proof, Proof)
    left, right = st.columns([3, 2], gap="large")
    with left:
        if problem:
            with st.expander("Statement", expanded=True):
                model_text(problem.statement, "statement")
        if not blind and subject == "proof":
            _others(item)
        with st.container(key="labeled-item"):
            model_text(_labeled_text(record), subject)
            st.html(item_mark(escape(record.id)))
    with right, st.container(key="pane"):
        _pane(run, item, proof, author)


def _labeled_text(record: Analysis | Proof) -> str:
    return (record.body or record.text) if isinstance(record, Proof) else record.text


def _pane(run: RunInfo, item: QueueItem, proof: Proof, author: str) -> None:
    problem = problem_of(item.log)
    texts = {
        "The proof": (proof.body or proof.text) if item.row.kind == "analysis" else None,
        "Reference solution": problem.reference if problem else None,
        "Grading guidelines": problem.guidelines if problem else None,
    }
    given = {name: text for name, text in texts.items() if text}
    tabs = st.tabs([*given, "My labels", "Report"])
    for tab, (name, text) in zip(tabs, given.items(), strict=False):
        with tab:
            model_text(text, f"pane-{name.split()[-1].lower()}")
    with tabs[-2]:
        show_written(run, [label for label in written_labels([item.log], author) if label.row.about == item.row.id])
    with tabs[-1]:
        _report(item.log, author)


def show_written(run: RunInfo, labels: Sequence[WrittenLabel]) -> None:
    """Shows labels of one person on one item, the newest first."""
    if not labels:
        st.caption("You have not labeled this one.")
    for label in labels:
        state = "" if label.current else "withdrawn" if label.withdrawn else "superseded"
        value = label.row.value
        passage = f"<q>{escape(str(value['passage']))}</q>" if value.get("passage") else ""
        st.html(
            f'{badge(label.row.score)} <span class="lm-soft lm-small">{escape(label.row.created[:19])} {state}</span> '
            f"{escape(str(value.get('reason', '')))} {passage}"
        )


def _report(log: LogIndex, author: str) -> None:
    """Reports of the statement, and the field for one more."""
    for row in reports(log):
        by = str(row.value.get("author", ""))
        st.html(f'<b>{escape(by)}</b> <span class="lm-soft">{escape(str(row.value.get("reason", "")))}</span>')
        if by == author and st.button("Withdraw my report", key=f"withdraw-{row.id}"):
            withdraw(log, row.id, author)
            st.rerun()
    st.caption(
        "A statement that is false, unclear or cut off. Its proofs leave your queue and the tables for training."
    )
    with st.form(f"report-{log.problem_id}", clear_on_submit=True):
        reason = st.text_area("Fault of the statement", key=f"report-reason-{log.problem_id}", height=80)
        if st.form_submit_button("Report this statement"):
            report_statement(log, author, reason)
            st.rerun()


def _others(item: QueueItem) -> None:
    metrics = next(found for found in proof_metrics(item.log) if found.row.id == item.row.id)
    facts({
        "self-score": badge(metrics.self_score),
        "judges' mean": badge(metrics.judged),
        "human labels": badge(metrics.human, metrics.points or None),
    })  # fmt: skip


def _bar(run: RunInfo, items: Sequence[QueueItem], item: QueueItem | None, subject: Subject, author: str) -> None:
    labeled, waiting = sum(entry.labeled for entry in items), sum(entry.waiting for entry in items)
    message = st.session_state.get("label-message", "")  # until the next action
    state = f"as {author} · {labeled} of {len(items)} labeled · {waiting} left"
    data = {
        "run": run.name,
        "item": item.row.id if item else "",
        "problem": item.log.problem_id if item else "",
        "labeler": author,
        "mine": _mine(item, author) if item else None,
        "status": f"{message} · {state}" if message else state,
        "can_undo": last_label([entry.log for entry in items], author, subject) is not None,
        "nonce": st.session_state.setdefault("label-nonce", 0),
    }
    st.session_state["label-order"] = [(entry.log.problem_id, entry.row.id, entry.waiting) for entry in items]
    show_label_bar(data, subject, lambda: _act(run))


def _mine(item: QueueItem, author: str) -> dict[str, Any] | None:
    """The labeler's current label of an item."""
    labels = written_labels([item.log], author)
    label = next((found for found in labels if found.current and found.row.about == item.row.id), None)
    if label is None:
        return None
    value = label.row.value
    near = value["passage_start"] / max(item.row.size, 1) if value.get("passage") else 0.0
    passage = {"text": value["passage"], "near": min(near, 1.0)} if value.get("passage") else None
    return {"score": label.row.score, "reason": value.get("reason", ""), "passage": passage}


def _act(run: RunInfo) -> None:
    """Handles an action of the bar: before the page is drawn again, and for the item that the action names."""
    action = acted()
    if action.get("nonce") != st.session_state["label-nonce"]:
        return  # it arrived twice
    st.session_state["label-nonce"] += 1
    try:
        words = _ACTIONS[str(action.get("kind"))](run, action)
    except (LemmataError, KeyError) as error:
        words = f"not saved: {error}"
        st.toast(plain_text(words), icon=":material/error:", duration="long")
    st.session_state["label-message"] = words


def _label(run: RunInfo, action: Mapping[str, Any]) -> str:
    log = index_of(run).problem(str(action["problem"]))
    log.refresh()
    row = log.by_id[str(action["item"])]
    is_analysis = row.kind == "analysis"
    record = log.read(row)
    assert isinstance(record, Analysis | Proof)
    marked = action.get("passage") or {}
    text = str(marked.get("text", ""))
    passage = find_passage(_labeled_text(record), text, float(marked.get("near", 0.0))) if text else None
    if text and passage is None:
        raise LemmataError("the marked passage is not in the text; mark it again within one text, or remove it (m)")
    given = HumanLabel(
        proof_id=row.about if is_analysis else row.id,
        author=str(action["labeler"]),
        score=float(action["score"]),
        reason=str(action.get("reason", "")),
        analysis_id=row.id if is_analysis else None,
        passage=passage,
    )
    label = write_label(log, given)
    _skipped().discard(row.id)
    _move(run, action, 1, waiting=True)
    return f"saved {SHOWN[given.score]} for {row.id[:10]} by {label.author}"


def _skip(run: RunInfo, action: Mapping[str, Any]) -> str:
    _skipped().add(str(action["item"]))
    _move(run, action, 1, waiting=True)
    return f"skipped {str(action['item'])[:10]}"


def _undo(run: RunInfo, action: Mapping[str, Any]) -> str:
    author, subject = str(action["labeler"]), action["subject"]
    logs = list(index_of(run).logs.values())
    label = last_label(logs, author, subject)
    if label is None:
        return "no label to undo"
    withdraw(label.log, label.row.id, author)
    _open(label.log, label.row.about, subject)
    return f"withdrew {SHOWN.get(label.row.score or 0.0)} for {label.row.about[:10]}"


def _previous(run: RunInfo, action: Mapping[str, Any]) -> str:
    _move(run, action, -1, waiting=False)
    return ""


def _next(run: RunInfo, action: Mapping[str, Any]) -> str:
    _move(run, action, 1, waiting=False)
    return ""


def _move(run: RunInfo, action: Mapping[str, Any], step: int, *, waiting: bool) -> None:
    """Opens the item before or after that of the action; ``waiting``: the next one that waits and is not skipped."""
    order: list[tuple[str, str, bool]] = st.session_state["label-order"]
    here = next((place for place, (_, name, _) in enumerate(order) if name == action["item"]), -1 if step > 0 else 0)
    following = [order[(here + step * distance) % len(order)] for distance in range(1, len(order) + 1)] if order else []
    usable = [entry for entry in following if entry[1] != action["item"]]
    if waiting:
        usable = [entry for entry in usable if entry[2] and entry[1] not in _skipped()]
    if usable:
        problem, name, _ = usable[0]
        _open(index_of(run).problem(problem), name, action["subject"])
    elif waiting:
        address.set_parameters(problem=None, proof=None, analysis=None)


_ACTIONS = {"label": _label, "skip": _skip, "undo": _undo, "previous": _previous, "next": _next}
