"""Proof page: the text, its scores by prover, judges and people, and every analysis with its reviews."""

from collections.abc import Mapping
from html import escape

import streamlit as st

from core.records import Analysis, Generated, Problem, Proof, Review
from explorer.index import LogIndex, RecordRow, children
from explorer.math_markdown import plain_text
from explorer.metrics import DISAGREEMENT, ProofMetrics, proof_metrics, review_validity
from explorer.prompts import prompt_of
from explorer.quotes import JudgeText, quoted_passages
from explorer.runs import RunInfo
from explorer.trace import trace_rows
from explorer.ui.acceptance import show_acceptance
from explorer.ui.context import chosen_log, chosen_run, query, record_row
from explorer.ui.lab import show_checked
from explorer.ui.neighbors import neighbor_links
from explorer.ui.problem import crumbs_below, problem_of, title_of
from explorer.ui.reader import link_quotes
from explorer.ui.tables import paged
from explorer.ui.trace import show_trace
from explorer.ui.widgets import (
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
    page_title,
    plain_badge,
    raw,
)  # fmt: skip
from lab.checker import check_statement
from lab.defects import CheckResult

ANALYSES_PER_PAGE = 8
MAX_QUOTING = 64  # analyses whose quotations are looked for
VALIDITY = {"confirmed": ("valid", 1.0), "refuted": ("invalid", 0.0), "open": ("open", None)}


def show() -> None:
    """Page of one proof."""
    run = chosen_run()
    log = chosen_log(run)
    row = record_row(log, "proof", "proof")
    metrics = next(found for found in proof_metrics(log) if found.row.id == row.id)
    problem = problem_of(log)
    name = title_of(problem, log)
    crumbs_below(run, log, name, f"proof {escape(row.id[:10])}")
    page_title(f"{name}: proof of round {row.round}" if row.round or row.parents else f"{name}: proof")
    notes(log.messages)
    _facts(metrics)
    _links(run, log, row)
    proof = log.read(row)
    assert isinstance(proof, Proof)
    left, right = st.columns([3, 2], gap="large")
    with left:
        if problem:
            with st.expander("Statement", expanded=True):
                model_text(problem.statement, "statement")
        _text(run, log, problem, proof)
    with right, st.container(key="pane"):
        _pane(run, log, row, metrics, problem)


def _pane(run: RunInfo, log: LogIndex, row: RecordRow, metrics: ProofMetrics, problem: Problem | None) -> None:
    """Tabs beside the proof, which scroll on their own."""
    why = "Why accepted?" if metrics.accepted else "Why not accepted?"
    about = children(log).get(row.id, [])
    labels = [child for child in about if child.kind == "label"]
    texts = {"Reference": problem.reference, "Guidelines": problem.guidelines} if problem else {}
    given = {name: text for name, text in texts.items() if text}
    judged = any(child.kind == "analysis" for child in about)
    names = [*(["Analyses"] if judged else []), why, *given, *([f"Labels ({len(labels)})"] if labels else [])]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    if judged:
        with tabs["Analyses"]:
            _analyses(run, log, row, metrics)
    with tabs[why]:
        show_acceptance(run, log, metrics)
    for name, text in given.items():
        with tabs[name]:
            model_text(text, name.lower())
    if labels:
        with tabs[names[-1]]:
            _labels(labels)


def _facts(metrics: ProofMetrics) -> None:
    people = badge(metrics.human, metrics.points or None) if metrics.human is not None else "–"
    values = {
        "self-score": badge(metrics.self_score),
        "judges' mean": badge(metrics.mean),
        "verdicts": f"{len(metrics.verdicts)}",
        "human labels": people,
    }
    if metrics.automatic is not None:
        values["imported judges"] = badge(metrics.automatic)
    if metrics.auto is not None or metrics.undecided:
        values["automatic label"] = plain_badge("undecided") if metrics.undecided else badge(metrics.auto)
    facts(values)
    if metrics.over_accepted:
        note(f"Over-accepted: the judges give 1, people give {metrics.points or number(metrics.human)}.")
    elif metrics.disagreement >= DISAGREEMENT:
        note("The scores of this proof disagree.")


def _links(run: RunInfo, log: LogIndex, row: RecordRow) -> None:
    where = {"run": run.name, "problem": log.problem_id}
    before = any(parent in log.by_id and log.by_id[parent].kind == "proof" for parent in row.parents)
    links(
        link("Label it", "label", **where, proof=row.id, what="proof"),
        link("Lineage", "lineage", **where, proof=row.id),
        link("Changes and their critiques", "diff", **where, proof=row.id) if before else "",
        link("Raw record", "record", **where, id=row.id),
        neighbor_links(
            "proof", log.problem_id, row.id, [proof.id for proof in log.of_kind("proof")],
            lambda name: {"page": "proof", **where, "proof": name},
        ),
    )  # fmt: skip


def _text(run: RunInfo, log: LogIndex, problem: Problem | None, proof: Proof) -> None:
    verdict = check_statement(problem.statement, proof.body) if problem and proof.body is not None else None
    decided = isinstance(verdict, CheckResult)
    traced = bool(trace_rows(log, proof.id))
    titles = ["Proof", "Self-evaluation", "Raw", *(["Exact check"] if decided else []), *(["Trace"] if traced else [])]
    tabs = st.tabs(titles)
    with tabs[0]:
        if proof.body is None:
            note("This answer contains no proof: " + "; ".join(proof.faults or ("cut off at the token limit",)))
        with st.container(key="proof-column"):
            model_text(proof.body or proof.text, "proof")
            _quotes(log, proof)
    with tabs[1]:
        if proof.self_evaluation:
            model_text(proof.self_evaluation, "self")
        else:
            st.caption("There is no self-evaluation." + (f" ({'; '.join(proof.faults)})" if proof.faults else ""))
    with tabs[2]:
        raw(proof.text)
    if decided and problem is not None:
        with tabs[3]:
            show_checked(problem.statement, proof.body or "")
    if traced:
        with tabs[-1]:
            show_trace(run, log, proof.id)
    prompt_and_reasoning(run, log, proof)


def _quotes(log: LogIndex, proof: Proof) -> None:
    """Links the passages that analyses quote."""
    judges = log.computed(f"judges of {proof.id}", lambda index: _judge_texts(index, proof.id))
    text = proof.body or proof.text
    found = log.computed(f"quotes of {proof.id}", lambda _: quoted_passages(text, judges))
    if found:
        link_quotes(found, len(judges), len(text))


def _judge_texts(log: LogIndex, proof_id: str) -> list[JudgeText]:
    rows = [child for child in children(log).get(proof_id, ()) if child.kind == "analysis"][:MAX_QUOTING]
    return [JudgeText(row.id, row.score, record.text) for row in rows if isinstance(record := log.read(row), Analysis)]


def prompt_and_reasoning(run: RunInfo, log: LogIndex, record: Generated) -> None:
    """Shows reasoning and prompt of an answer, collapsed."""
    folded("Reasoning", record.reasoning)
    if record.prompt:
        with st.expander("Prompt", key=f"prompt-{record.id}", on_change="rerun") as opened:
            if opened.open:
                raw(prompt_of(run.manifest, log, record))


def _analyses(run: RunInfo, log: LogIndex, row: RecordRow, metrics: ProofMetrics) -> None:
    judged = children(log)
    about = judged.get(row.id, [])
    analyses = sorted(
        (child for child in about if child.kind == "analysis"),
        key=lambda child: 2.0 if child.score is None else child.score,
    )
    scores = {"0": 0.0, "½": 0.5, "1": 1.0}
    counts: dict[str, tuple[int, float | None]] = {
        name: (metrics.verdicts.count(value), value) for name, value in scores.items()
    }
    histogram(counts | {"unparseable": (metrics.unparseable_verdicts, None)})
    asked = query("analysis")
    if asked in log.by_id:
        analyses.sort(key=lambda child: child.id != asked)
    for position, child in enumerate(paged(analyses, "part", ANALYSES_PER_PAGE)):
        _analysis(run, log, child, judged, opened=child.id == asked or (not asked and position == 0))


def _labels(labels: list[RecordRow]) -> None:
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


def _analysis(
    run: RunInfo, log: LogIndex, row: RecordRow, judged: Mapping[str, list[RecordRow]], *, opened: bool
) -> None:
    verdict = review_validity(log, row)
    shown = "no verdict" if row.score is None else f"score {row.score:g}"
    word = f", {VALIDITY[verdict][0]}" if verdict else ""
    with st.expander(f"{shown}{word} · {plain_text(row.id[:8])}", expanded=opened):
        record = log.read(row)
        assert isinstance(record, Analysis)
        badges = badge(row.score) + (f" {badge(VALIDITY[verdict][1], VALIDITY[verdict][0])}" if verdict else "")
        raw_link = link("raw", "record", run=run.name, problem=log.problem_id, id=row.id)
        here = link("link", "proof", run=run.name, problem=log.problem_id, proof=row.about, analysis=row.id)
        st.html(f'{badges} &nbsp; <span class="lm-small">{here} &nbsp; {raw_link}</span>')
        if record.fault:
            note(f"No verdict: {record.fault}")
        model_text(record.text, f"analysis-{row.id}")
        _trace_of(run, log, row.id)
        prompt_and_reasoning(run, log, record)
        _reviews(run, log, [child for child in judged.get(row.id, []) if child.kind == "review"])
        _labels([child for child in judged.get(row.id, []) if child.kind == "label"])


def _trace_of(run: RunInfo, log: LogIndex, answer: str) -> None:
    """Shows the trace of an analysis or a review, collapsed, if there is one."""
    if trace_rows(log, answer):
        with st.expander("Tool calls", key=f"trace-{answer}", on_change="rerun") as opened:
            if opened.open:
                show_trace(run, log, answer)


def _reviews(run: RunInfo, log: LogIndex, reviews: list[RecordRow]) -> None:
    for row in reviews:
        record = log.read(row)
        assert isinstance(record, Review)
        valid = None if row.score is None else row.score >= 1.0
        finding = "unparseable" if valid is None else "the analysis is valid" if valid else "the analysis is invalid"
        st.html(f"{badge(row.score)} &nbsp; <b>Review</b>: {finding}")
        with st.container(key=f"review-{row.id}", border=True):
            model_text(record.text, f"review-{row.id}")
            _trace_of(run, log, row.id)
