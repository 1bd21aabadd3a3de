"""Run page: totals, and the problems with their proofs as colored squares."""

from html import escape

import streamlit as st

from explorer.index import LogIndex
from explorer.metrics import ProblemMetrics, ProofMetrics, problem_metrics, proof_metrics
from explorer.runs import RunInfo, is_running
from explorer.ui import address
from explorer.ui.context import chosen_run, indexed
from explorer.ui.runs import progress_words, settings_text
from explorer.ui.widgets import (
    badge,
    crumbs,
    dot,
    facts,
    folded,
    href,
    link,
    notes,
    number,
    page_title,
    paged,
    plain_badge,
    table,
)

SHOWN = {
    "all": "All",
    "accepted": "Accepted",
    "rejected": "Not accepted",
    "over": "Over-accepted",
    "unjudged": "No verdict",
}
MAX_DOTS = 128


def show() -> None:
    """Page of the problems of a run."""
    run = chosen_run()
    crumbs(link("Runs", ""), escape(run.name))
    page_title(run.name)
    logs = list(indexed(run).logs.values())
    problems = sorted(((log, problem_metrics(log)) for log in logs), key=lambda pair: (pair[1].source, pair[1].name))
    _totals(run, [metrics for _, metrics in problems])
    notes([message for log in logs for message in log.messages])
    if is_running(run.folder):
        st.html(f'<span class="lm-live">● running</span> {escape(progress_words(run))}')
    folded("Settings, versions, commit", settings_text(run))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = address.choice("Show", "show", SHOWN, "all")
        words = address.text_input("Find a problem", "find", placeholder="name or source", width=260)
    shown = [
        (log, metrics)
        for log, metrics in problems
        if _fits(metrics, chosen) and words.lower() in f"{metrics.name} {metrics.source} {metrics.problem_id}".lower()
    ]
    table(
        ["problem", "source", "proofs", "best judges' mean", "human labels", "", "rounds"],
        [_row(run, log, metrics) for log, metrics in paged(shown, "problems")],
    )


def _totals(run: RunInfo, problems: list[ProblemMetrics]) -> None:
    accepted = sum(problem.accepted for problem in problems)
    over = sum(problem.over_accepted for problem in problems)
    values = {
        "problems": f"{len(problems):,}",
        "proofs": f"{sum(problem.proofs for problem in problems):,}",
        "analyses": f"{sum(problem.analyses for problem in problems):,}",
        "accepted": f"{accepted:,}",
    }
    if any(problem.human is not None for problem in problems):
        values["over-accepted"] = link(str(over), "run", run=run.name, show="over") if over else "0"
    if tokens := sum(problem.tokens for problem in problems):
        values["tokens"] = f"{tokens:,}"
    if cost := sum(problem.cost for problem in problems):
        values["cost"] = f"{cost:,.2f}"
    facts(values)


def _fits(metrics: ProblemMetrics, chosen: str) -> bool:
    return {
        "all": True,
        "accepted": metrics.accepted,
        "rejected": not metrics.accepted,
        "over": metrics.over_accepted,
        "unjudged": metrics.best is None,
    }[chosen]


def _row(run: RunInfo, log: LogIndex, metrics: ProblemMetrics) -> list[str]:
    name = metrics.name or metrics.problem_id
    state = "over-accepted" if metrics.over_accepted else "accepted" if metrics.accepted else ""
    return [
        link(name, "problem", run=run.name, problem=metrics.problem_id),
        f'<span class="lm-soft lm-small">{escape(metrics.source)}</span>',
        dots(run, log.problem_id, proof_metrics(log)),
        badge(metrics.best),
        badge(metrics.human) if metrics.human is not None else '<span class="lm-soft">–</span>',
        plain_badge(state) if state else "",
        str(metrics.rounds),
    ]


def dots(run: RunInfo, problem_id: str, proofs: list[ProofMetrics]) -> str:
    """Proofs of a problem as squares colored by their judges' mean, as HTML."""
    squares = [
        dot(
            proof.judged,
            href("proof", run=run.name, problem=problem_id, proof=proof.row.id),
            f"round {proof.row.round}: judges' mean {number(proof.judged)}, self-score {number(proof.self_score)}",
            selected=proof.selected,
        )
        for proof in proofs[:MAX_DOTS]
    ]
    more = f'<span class="lm-soft lm-small">+{len(proofs) - MAX_DOTS}</span>' if len(proofs) > MAX_DOTS else ""
    return f'<div class="lm-dots">{"".join(squares)}{more}</div>'
