"""Difference page: a proof against the one that it refines, paragraph by paragraph, with the critiques beside it."""

from collections.abc import Sequence

import streamlit as st
from streamlit.components.v2 import component

from core.document import counted
from core.records import Analysis, Proof
from explorer.index import LogIndex
from explorer.lineage import critique_rows, edges
from explorer.metrics import proof_metrics
from explorer.paragraphs import Paragraph, ParagraphChange, ParagraphComplaint, changes, complaints
from explorer.quotes import JudgeText
from explorer.runs import RunInfo
from explorer.ui.context import chosen_log, chosen_run, record_row
from explorer.ui.label_bar import static_text
from explorer.ui.problem import crumbs_below, problem_of, title_of
from explorer.ui.widgets import badge, link, model_text, note, page_title


def show() -> None:
    """Page of one refinement."""
    run = chosen_run()
    log = chosen_log(run)
    row = record_row(log, "proof", "proof")
    edge = next((found for found in edges(log) if found.new == row.id), None)
    crumbs_below(run, log, title_of(problem_of(log), log), "changes")
    page_title("Changes and their critiques")
    if edge is None:
        note("This proof does not refine another one.")
        return
    old, new = log.read(log.by_id[edge.old]), log.read(row)
    assert isinstance(old, Proof)
    assert isinstance(new, Proof)
    judged = {metrics.row.id: metrics.judged for metrics in proof_metrics(log)}
    before, after = (
        link(f"round {proof.round}", "proof", run=run.name, problem=log.problem_id, proof=proof.id)
        for proof in (old, new)
    )
    st.html(f"{before} {badge(judged[old.id])} &nbsp;→&nbsp; {after} {badge(judged[new.id])}")
    critiques = [log.read(critique) for critique in critique_rows(log, edge)]
    _show_changes(run, log, old, new, [critique for critique in critiques if isinstance(critique, Analysis)])


def _show_changes(run: RunInfo, log: LogIndex, old: Proof, new: Proof, critiques: Sequence[Analysis]) -> None:
    text = old.body or old.text
    found = changes(text, new.body or new.text)
    judges = [JudgeText(one.id, one.score, one.text) for one in critiques]
    by_change, silent = complaints(found, text, judges)
    if all(change.same for change in found):
        note("The two proofs are the same but for spaces.")
    else:
        _bar()
    for number, change in enumerate(found):
        if change.same:
            _unchanged(change, number)
        else:
            _changed(run, log, change, number, by_change.get(number, []))
    _others(run, log, old, [critique for critique in critiques if critique.id in silent], any_critique=bool(critiques))


def _bar() -> None:
    bar = component(
        "lemmata_changes",
        html='<div class="changes"></div>',
        css=static_text("changes.css"),
        js=static_text("passages.js", "changes.js"),
    )
    with st.container(key="changes-bar"):
        bar(key="changes")


def _unchanged(change: ParagraphChange, number: int) -> None:
    words = f"{counted(len(change.new), 'unchanged paragraph')}"
    with st.expander(words, key=f"same-{number}", on_change="rerun") as opened:
        if opened.open:
            model_text(_joined(change.new), f"same-{number}")


def _changed(
    run: RunInfo, log: LogIndex, change: ParagraphChange, number: int, about: Sequence[ParagraphComplaint]
) -> None:
    with st.container(key=f"change-{number}"):
        before, after, beside = st.columns([5, 5, 4], gap="medium")
        for column, side, parts in ((before, "before", change.old), (after, "after", change.new)):
            with column:
                st.caption(side if parts else f"{side}: nothing")
                if parts:
                    model_text(_joined(parts), f"{side}-{number}")
        with beside:
            for complaint in about:
                _complaint(run, log, complaint, number)
            if not about:
                st.caption("No critique names this passage." if change.old else "Added.")


def _complaint(run: RunInfo, log: LogIndex, complaint: ParagraphComplaint, number: int) -> None:
    where = {"run": run.name, "problem": log.problem_id, "proof": log.by_id[complaint.analysis].about}
    opened = link(f"analysis {complaint.analysis[:8]}", "proof", **where, analysis=complaint.analysis)
    with st.container(border=True, key=f"complaint-{number}-{complaint.analysis}"):
        st.html(f"{badge(complaint.score)} {opened}")
        model_text("\n\n".join(complaint.excerpts), f"complaint-{number}-{complaint.analysis}")


def _others(run: RunInfo, log: LogIndex, old: Proof, silent: Sequence[Analysis], *, any_critique: bool) -> None:
    """Critiques that name no changed passage, or the proof's own evaluation where there was none."""
    if not any_critique:
        st.subheader("The prover's own evaluation", anchor=False)
        model_text(old.self_evaluation or "It is empty.", "own")
    elif silent:
        st.subheader("Critiques that name no changed passage", anchor=False)
    for critique in silent:
        with st.container(border=True, key=f"critique-{critique.id}"):
            where = {"run": run.name, "problem": log.problem_id, "proof": old.id}
            st.html(f"{badge(critique.score)} {link(critique.id[:8], 'proof', **where, analysis=critique.id)}")
            model_text(critique.text, f"critique-{critique.id}")


def _joined(parts: Sequence[Paragraph]) -> str:
    return "\n\n".join(part.text for part in parts)
