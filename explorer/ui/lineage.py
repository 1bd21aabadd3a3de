"""Lineage page: the proofs of a problem as a graph, and the refinements that lead to one proof."""

from html import escape

import streamlit as st

from explorer.index import LogIndex
from explorer.lineage import chain, critique_rows, graph, shown_nodes
from explorer.metrics import ProofMetrics, proof_metrics
from explorer.runs import RunInfo
from explorer.ui.context import chosen_log, chosen_run, query
from explorer.ui.problem import crumbs_below, problem_of, title_of
from explorer.ui.style import score_color
from explorer.ui.widgets import badge, href, link, note, notes, number, page_title, table


def show() -> None:
    """Page of the lineage of one problem."""
    run = chosen_run()
    log = chosen_log(run)
    problem = problem_of(log)
    name = title_of(problem, log)
    crumbs_below(run, log, name, "lineage")
    page_title(f"{name}: lineage of proofs")
    notes(log.messages)
    proofs = proof_metrics(log)
    if not proofs:
        note("There are no proofs yet.")
        return
    target = _target(proofs)
    shown = shown_nodes(proofs, log, target)
    if len(shown) < len(proofs):
        st.caption(
            f"{len(shown)} of {len(proofs)} proofs: those that lead to the chosen one and those that were refined."
        )
    addresses = {
        proof.row.id: href("proof", run=run.name, problem=log.problem_id, proof=proof.row.id) for proof in shown
    }
    colors = {proof.row.id: score_color(proof.judged) for proof in shown}
    st.graphviz_chart(graph(shown, log, colors, addresses, target))
    st.caption("Each box is a proof with its judges' mean; rounds go from left to right. The chosen proof is framed.")
    _steps(run, log, {proof.row.id: proof for proof in proofs}, target)


def _target(proofs: list[ProofMetrics]) -> str:
    """Id of the proof in the address, otherwise of the chosen one, otherwise of the best judged one."""
    asked = query("proof")
    if any(proof.row.id == asked for proof in proofs):
        return asked
    chosen = next((proof for proof in proofs if proof.selected), None)
    return (chosen or max(proofs, key=lambda proof: -1.0 if proof.judged is None else proof.judged)).row.id


def _steps(run: RunInfo, log: LogIndex, proofs: dict[str, ProofMetrics], target: str) -> None:
    steps = chain(log, target)
    if not steps:
        st.caption("The chosen proof does not refine another one.")
        return
    st.subheader("Step by step")
    rows = []
    for edge in steps:
        critiques = critique_rows(log, edge)
        scores = ", ".join(number(row.score) for row in critiques) if critiques else "self-evaluation"
        rows.append([
            f"round {proofs[edge.new].row.round}",
            f"{badge(proofs[edge.old].judged)} → {badge(proofs[edge.new].judged)}",
            escape(f"critique, score {scores}" if critiques else scores),
            link("changes", "diff", run=run.name, problem=log.problem_id, proof=edge.new),
        ])  # fmt: skip
    table(["", "judges' mean", "refined by", ""], rows)
