"""One proof: the text, what the prover, the judges and people say of it, and every analysis with its reviews."""

from collections.abc import Mapping
from html import escape

import streamlit as st

from core.records import Analysis, Generated, Problem, Proof, Review
from explorer.figures import ProofFigures, proof_figures, review_validity
from explorer.index import LogIndex, Row, children
from explorer.laboratory import exact
from explorer.prompts import prompt_of
from explorer.runs import Found
from explorer.ui.laboratory import checked
from explorer.ui.parts import (
    badge,
    facts,
    folded,
    histogram,
    link,
    links,
    model_text,
    note,
    notes,
    number,
    paged,
    plain_badge,
    raw,
)  # fmt: skip
from explorer.ui.problem import crumbs_below, problem_of, title_of
from explorer.ui.site import chosen_log, chosen_run, query, record_row
from lab.defects import Verdict

ANALYZES_PER_PAGE = 8
VALIDITY = {"confirmed": ("valid", 1.0), "refuted": ("invalid", 0.0), "open": ("open", None)}


def show() -> None:
    """Page: a proof."""
    run = chosen_run()
    log = chosen_log(run)
    row = record_row(log, "proof", "proof")
    figures = next(found for found in proof_figures(log) if found.row.id == row.id)
    problem = problem_of(log)
    name = title_of(problem, log)
    crumbs_below(run, log, name, f"proof {escape(row.id[:10])}")
    st.title(f"{name}: proof of round {row.round}" if row.round or row.parents else f"{name}: proof")
    notes(log.messages)
    _facts(figures)
    _links(run, log, row)
    proof = log.read(row)
    assert isinstance(proof, Proof)
    if problem:
        with st.expander("Statement", expanded=True):
            model_text(problem.statement, "statement")
    _text(run, log, problem, proof)
    _analyses(run, log, row, figures)


def _facts(figures: ProofFigures) -> None:
    people = badge(figures.human, figures.points or None) if figures.human is not None else "–"
    values = {
        "prover itself": badge(figures.self_score),
        "judges' mean": badge(figures.mean),
        "verdicts": f"{len(figures.verdicts)}",
        "people": people,
    }
    if figures.automatic is not None:
        values["imported judges"] = badge(figures.automatic)
    if figures.auto is not None or figures.undecided:
        values["automatic label"] = plain_badge("undecided") if figures.undecided else badge(figures.auto)
    facts(values)
    if figures.over_accepted:
        note(f"Over-accepted: the judges give full marks, people give {figures.points or number(figures.human)}.")
    elif figures.disagreement >= 0.5:
        note("Prover, judges and people do not agree about this proof.")


def _links(run: Found, log: LogIndex, row: Row) -> None:
    where = {"run": run.name, "problem": log.problem_id}
    before = any(parent in log.by_id and log.by_id[parent].kind == "proof" for parent in row.parents)
    links(
        link("Label it", "label", **where, proof=row.id),
        link("Lineage", "lineage", **where, proof=row.id),
        link("What changed, and why", "diff", **where, proof=row.id) if before else "",
        link("Raw record", "record", **where, id=row.id),
    )


def _text(run: Found, log: LogIndex, problem: Problem | None, proof: Proof) -> None:
    decided = (
        problem is not None and proof.body is not None and isinstance(exact(problem.statement, proof.body), Verdict)
    )
    titles = ["Proof", "The prover's own evaluation", "Raw", *(["Exact check"] if decided else [])]
    tabs = st.tabs(titles)
    with tabs[0]:
        if proof.body is None:
            note("This answer holds no proof: " + "; ".join(proof.faults or ("cut off at the token limit",)))
        model_text(proof.body or proof.text, "proof")
    with tabs[1]:
        if proof.self_evaluation:
            model_text(proof.self_evaluation, "self")
        else:
            st.caption("There is none." + (f" ({'; '.join(proof.faults)})" if proof.faults else ""))
    with tabs[2]:
        raw(proof.text)
    if decided and problem is not None:
        with tabs[3]:
            checked(problem.statement, proof.body or "")
    behind(run, log, proof)


def behind(run: Found, log: LogIndex, record: Generated) -> None:
    """Reasoning and prompt of an answer, collapsed."""
    folded("Reasoning", record.reasoning)
    if record.prompt:
        with st.expander("Prompt", key=f"prompt-{record.id}", on_change="rerun") as opened:
            if opened.open:
                raw(prompt_of(run.manifest, log, record))


def _analyses(run: Found, log: LogIndex, row: Row, figures: ProofFigures) -> None:
    judged = children(log)
    about = judged.get(row.id, [])
    _labels([child for child in about if child.kind == "label"])
    analyses = sorted(
        (child for child in about if child.kind == "analysis"),
        key=lambda child: 2.0 if child.score is None else child.score,
    )
    st.subheader("Analyses")
    if not analyses:
        st.caption("No analysis of this proof is in this run.")
        return
    scores = {"0": 0.0, "½": 0.5, "1": 1.0}
    counts: dict[str, tuple[int, float | None]] = {
        name: (figures.verdicts.count(value), value) for name, value in scores.items()
    }
    histogram(counts | {"unreadable": (figures.unreadable_verdicts, None)})
    asked = query("analysis")
    if asked in log.by_id:
        analyses.sort(key=lambda child: child.id != asked)
    for place, child in enumerate(paged(analyses, "analyses", ANALYZES_PER_PAGE)):
        _analysis(run, log, child, judged, opened=child.id == asked or (not asked and place == 0))


def _labels(labels: list[Row]) -> None:
    if labels:
        st.subheader("Labels")
    for label in labels:
        value = label.value
        words = (
            f"{value['points']:g} of {value['max_points']:g}" if "points" in value and "max_points" in value else None
        )
        who = f"{value.get('grader', '')}: {value.get('author', '')}"
        shown = badge(label.score, words) if label.score is not None else plain_badge("undecided")
        st.html(
            f'{shown} &nbsp; <b>{escape(who)}</b> <span class="lm-soft">{escape(label.created[:16].replace("T", " "))} '
            f"{escape(str(value.get('reason', '')))}</span>"
        )


def _analysis(run: Found, log: LogIndex, row: Row, judged: Mapping[str, list[Row]], *, opened: bool) -> None:
    verdict = review_validity(log, row, judged)
    shown = "no verdict" if row.score is None else f"score {row.score:g}"
    word = f", {VALIDITY[verdict][0]}" if verdict else ""
    with st.expander(f"{shown}{word} · {row.id[:8]}", expanded=opened):
        record = log.read(row)
        assert isinstance(record, Analysis)
        marks = badge(row.score) + (f" {badge(VALIDITY[verdict][1], VALIDITY[verdict][0])}" if verdict else "")
        raw_link = link("raw", "record", run=run.name, problem=log.problem_id, id=row.id)
        here = link("link", "proof", run=run.name, problem=log.problem_id, proof=row.about, analysis=row.id)
        st.html(f'{marks} &nbsp; <span class="lm-small">{here} &nbsp; {raw_link}</span>')
        if record.fault:
            note(f"No verdict: {record.fault}")
        model_text(record.text, f"analysis-{row.id}")
        behind(run, log, record)
        _reviews(log, [child for child in judged.get(row.id, []) if child.kind == "review"])
        _labels([child for child in judged.get(row.id, []) if child.kind == "label"])


def _reviews(log: LogIndex, reviews: list[Row]) -> None:
    for row in reviews:
        record = log.read(row)
        assert isinstance(record, Review)
        valid = None if row.score is None else row.score >= 1.0
        said = "unreadable" if valid is None else "finds it valid" if valid else "finds it invalid"
        st.html(f"{badge(row.score)} &nbsp; <b>Review</b> {escape(said)}")
        with st.container(key=f"review-{row.id}", border=True):
            model_text(record.text, f"review-{row.id}")
