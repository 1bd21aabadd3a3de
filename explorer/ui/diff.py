"""Difference page: a proof against the one that it refines, and the critiques behind the change."""

from html import escape

import streamlit as st

from core.records import Analysis, Proof
from explorer.lineage import critique_rows, differences, edges
from explorer.metrics import proof_metrics
from explorer.ui.context import chosen_log, chosen_run, record_row
from explorer.ui.widgets import badge, crumbs, link, model_text, note


def show() -> None:
    """Page of one refinement."""
    run = chosen_run()
    log = chosen_log(run)
    row = record_row(log, "proof", "proof")
    edge = next((found for found in edges(log) if found.new == row.id), None)
    crumbs(
        link(run.name, "run", run=run.name),
        link("problem", "problem", run=run.name, problem=log.problem_id),
        "changes",
    )
    st.title("Changes and their critiques")
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
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("The proof")
        st.html(f'<pre class="lm-raw">{_marked(old.body or old.text, new.body or new.text)}</pre>')
    with right:
        st.subheader("Critiques shown to the prover")
        critiques = critique_rows(log, edge)
        for critique in critiques:
            record = log.read(critique)
            assert isinstance(record, Analysis)
            with st.container(border=True, key=f"critique-{critique.id}"):
                st.html(badge(critique.score))
                model_text(record.text, f"critique-{critique.id}")
        if not critiques:
            model_text(old.self_evaluation or "The proof's own evaluation is empty.", "own")


def _marked(old: str, new: str) -> str:
    """Differences as HTML: removed text is red, added text is green."""
    tags = {"same": "{}", "minus": '<del class="minus">{}</del>', "plus": '<ins class="plus">{}</ins>'}
    return "".join(tags[kind].replace("{}", escape(text)) for kind, text in differences(old, new))
