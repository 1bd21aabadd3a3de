"""Evaluation page: leaderboard, the matrix of problems and models with links to proofs, and the attempts."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import streamlit as st

from core.document import counted
from explorer.evaluation_results import EvaluationReader, EvaluationResults, MatrixCell, MatrixRow
from explorer.run_tree import RunNode
from explorer.runs import RunInfo
from explorer.ui import address
from explorer.ui.context import chosen_run, reader_of, rerun_soon
from explorer.ui.runs import LIVE_SECONDS, node_counts, node_of, run_state, settings_text
from explorer.ui.tables import Column, document_table, sorted_table
from explorer.ui.widgets import badge, crumbs, dot, facts, folded, href, link, note, number, page_title, table

READ_SECONDS = 1.0  # of reading for one drawing of the page
ALL = "all"


def show() -> None:
    """Page of one evaluation."""
    show_evaluation(chosen_run())


def show_evaluation(run: RunInfo) -> None:
    """Shows an evaluation; drawn again by itself while it runs."""
    crumbs(link("Runs", ""), escape(run.name))
    page_title(run.name)
    running = node_of(run).running
    st.fragment(_live, run_every=LIVE_SECONDS if running else None)(run)
    folded("Settings, versions, commit", settings_text(run))


def _live(run: RunInfo) -> None:
    node = node_of(run)
    reader: EvaluationReader = reader_of(run)
    share = reader.refresh(READ_SECONDS)
    results = reader.results()
    counts = node_counts(node)
    facts({
        "entrants": str(len(results.entrants)),
        "problems": str(len(results.matrix)),
        "finished": f"{counts.finished:,} of {counts.problems:,}",
        "accepted": f"{counts.accepted:,}",
    })  # fmt: skip
    if node.running:
        st.html(f'<span class="lm-live">● running</span> {escape(run_state(node)[1])}')
    if share < 1:
        note(f"Reading the proofs: {share:.0%} so far. The page updates by itself.")
        rerun_soon()
    for title, shown in results.tables.items():
        st.subheader(title if share == 1 else f"{title}, so far", anchor=False)
        document_table(shown, title.split()[0].lower())
    if "Leaderboard" not in results.tables:
        note("No final proof has a grade yet, so there is no leaderboard; the matrix shows what was accepted.")
    _matrix(results, {child.folder: child for child in _runs_below(node)})
    _attempts(node)


def _runs_below(node: RunNode) -> list[RunInfo]:
    found = [node.run] if node.run else []
    return found + [run for child in node.children for run in _runs_below(child)]


def _matrix(results: EvaluationResults, runs: Mapping[Path, RunInfo]) -> None:
    if not results.matrix:
        return
    st.subheader("Problems and entrants", anchor=False)
    groups = sorted({row.groups for row in results.matrix if row.groups})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = address.text_input("Find a problem", "find", placeholder="name or source", width=260).lower()
        group = address.select("Category", "group", [ALL, *groups], ALL, width=260) if len(groups) > 1 else ALL
    shown = [
        row for row in results.matrix if words in f"{row.problem} {row.source}".lower() and group in {ALL, row.groups}
    ]
    columns: list[Column[MatrixRow]] = [
        Column("problem", lambda row: escape(row.problem), lambda row: row.problem.lower()),
        Column("category", lambda row: f'<span class="lm-soft lm-small">{escape(row.groups or row.source)}</span>',
               lambda row: row.groups or row.source),
        *(_entrant(name, results, runs) for name in results.entrants),
        Column("spread", lambda row: number(row.spread), lambda row: row.spread, numeric=True),
    ]  # fmt: skip
    sorted_table(columns, shown, "matrix-")
    by = f"Scores by {results.grader}" if results.grader else "No grades yet"
    st.caption(f"{by}; a square is the final proof of an attempt and opens it, framed where the run accepted it.")


def _entrant(name: str, results: EvaluationResults, runs: Mapping[Path, RunInfo]) -> Column[MatrixRow]:
    def cell(row: MatrixRow) -> str:
        squares = "".join(_square(row, one, runs) for one in row.cells.get(name, ()))
        return f'<div class="lm-dots">{badge(row.mean(name))}{squares}</div>'

    title = name.partition("/")[2] or name
    model = results.models[name]
    words = title if model in (title, "not stated") or len(model) > 40 else f"{title} ({model})"
    return Column(words, cell, lambda row: row.mean(name), numeric=True)


def _square(row: MatrixRow, cell: MatrixCell, runs: Mapping[Path, RunInfo]) -> str:
    run = runs.get(cell.part.run.folder)
    if run is None:
        return ""
    where = {"run": run.name, "problem": row.problem_id}
    target = href("proof", **where, proof=cell.proof_id) if cell.proof_id else href("problem", **where)
    state = "accepted" if cell.accepted else "not accepted"
    words = f"attempt {cell.part.attempt}: {number(cell.score)}, {state}" if cell.proof_id else "no final proof"
    return dot(cell.score, target, words, selected=cell.accepted)


def _attempts(node: RunNode) -> None:
    runs = [run for run in _runs_below(node) if node.run is not None and run.folder != node.run.folder]
    if not runs:
        return
    st.subheader("Attempts", anchor=False)
    rows = []
    for run in runs:
        counts = node_counts(RunNode(run.name, run))
        control = run.folder.name == "control"
        rows.append([
            link(f"{run.folder.parent.name}/{run.folder.name}", "run", run=run.name),
            str(counts.problems),
            "–" if control else f"{counts.finished} of {counts.problems}",
            "–" if control else str(counts.accepted),
            link("outcomes", "outcomes", run=run.name),
        ])  # fmt: skip
    table(["attempt", "problems", "finished", "accepted", ""], rows)
    st.caption(f"{counted(len(runs), 'run')}; a control holds junk proofs, which no judge should accept.")
