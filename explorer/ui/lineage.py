"""The lineage of a problem's proofs as a graph, and the chosen line step by step."""

from html import escape

import streamlit as st

from explorer.figures import ProofFigures, proof_figures
from explorer.index import LogIndex
from explorer.lineage import chain, critique_rows, graph, shown_nodes
from explorer.runs import Found
from explorer.ui.parts import badge, href, link, note, notes, number, table
from explorer.ui.problem import crumbs_below, problem_of, title_of
from explorer.ui.site import chosen_log, chosen_run, query
from explorer.ui.style import score_color


def show() -> None:
    """Page: which proof came from which."""
    run = chosen_run()
    log = chosen_log(run)
    problem = problem_of(log)
    name = title_of(problem, log)
    crumbs_below(run, log, name, "lineage")
    st.title(f"{name}: from the first proof to the last")
    notes(log.messages)
    proofs = proof_figures(log)
    if not proofs:
        note("There is no proof yet.")
        return
    target = _target(proofs)
    shown = shown_nodes(proofs, log, target)
    if len(shown) < len(proofs):
        st.caption(
            f"{len(shown)} of {len(proofs)} proofs: those on the way to the chosen one and those that were refined."
        )
    addresses = {
        proof.row.id: href("proof", run=run.name, problem=log.problem_id, proof=proof.row.id) for proof in shown
    }
    colors = {proof.row.id: score_color(proof.judged) for proof in shown}
    st.graphviz_chart(graph(shown, log, colors, addresses, target))
    st.caption("Each box is a proof with its judges' mean, rounds from left to right; the chosen proof has a frame.")
    _steps(run, log, {proof.row.id: proof for proof in proofs}, target)


def _target(proofs: list[ProofFigures]) -> str:
    """The proof of the address, else the chosen one, else the best judged."""
    asked = query("proof")
    if any(proof.row.id == asked for proof in proofs):
        return asked
    chosen = next((proof for proof in proofs if proof.selected), None)
    return (chosen or max(proofs, key=lambda proof: -1.0 if proof.judged is None else proof.judged)).row.id


def _steps(run: Found, log: LogIndex, proofs: dict[str, ProofFigures], target: str) -> None:
    steps = chain(log, target)
    if not steps:
        st.caption("The chosen proof was written at once: it refines no other.")
        return
    st.subheader("Step by step")
    rows = []
    for edge in steps:
        critiques = critique_rows(log, edge)
        scores = ", ".join(number(row.score) for row in critiques) if critiques else "its own evaluation"
        rows.append([
            f"round {proofs[edge.new].row.round}",
            f"{badge(proofs[edge.old].judged)} → {badge(proofs[edge.new].judged)}",
            escape(f"critiques with score {scores}" if critiques else scores),
            link("what changed", "diff", run=run.name, problem=log.problem_id, proof=edge.new),
        ])  # fmt: skip
    table(["", "judges", "by", ""], rows)
