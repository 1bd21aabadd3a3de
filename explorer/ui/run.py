"""Run page: totals, and the problems with their proofs as colored squares; it moves while the run is on."""

from dataclasses import dataclass
from html import escape

import streamlit as st

from explorer.index import LogIndex
from explorer.metrics import ProblemMetrics, ProofMetrics, problem_metrics, proof_metrics
from explorer.runs import RunInfo, is_evaluation, is_running
from explorer.text_search import statement_of
from explorer.ui import address
from explorer.ui.context import chosen_run, indexed
from explorer.ui.evaluation import show_evaluation
from explorer.ui.neighbors import keep_order
from explorer.ui.runs import LIVE_SECONDS, progress_of, settings_text
from explorer.ui.tables import Column, sorted_table
from explorer.ui.widgets import (
    badge,
    crumbs,
    dot,
    facts,
    folded,
    href,
    link,
    links,
    notes,
    number,
    page_title,
    plain_badge,
)

SHOWN = {
    "all": "All",
    "accepted": "Accepted",
    "rejected": "Not accepted",
    "over": "Over-accepted",
    "unjudged": "No verdict",
}
LABELED = {"all": "All", "labeled": "Labeled", "unlabeled": "Not labeled"}
ALL = "all"
MAX_DOTS = 128


@dataclass(frozen=True, slots=True)
class _Listed:
    """Problem in the list: its log and its metrics."""

    log: LogIndex
    metrics: ProblemMetrics

    @property
    def title(self) -> str:
        return self.metrics.name or self.metrics.problem_id

    @property
    def group(self) -> str:
        return " · ".join(self.metrics.groups.values())


def show() -> None:
    """Page of the problems of a run."""
    run = chosen_run()
    if is_evaluation(run):
        show_evaluation(run)
        return
    crumbs(link("Runs", ""), escape(run.name))
    page_title(run.name)
    st.fragment(_live, run_every=LIVE_SECONDS if is_running(run.folder) else None)(run)
    folded("Settings, versions, commit", settings_text(run))


def _live(run: RunInfo) -> None:
    listed = [_Listed(log, problem_metrics(log)) for log in indexed(run).logs.values()]
    listed.sort(key=lambda one: (one.metrics.source, one.metrics.name))
    _totals(run, [one.metrics for one in listed])
    notes([message for one in listed for message in one.log.messages])
    state, words = progress_of(run)
    if state == "running":
        st.html(f'<span class="lm-live">● running</span> {escape(words)}')
    elif state == "unfinished":
        st.html(f'<span class="lm-stopped">not finished</span> {escape(words)}.')
    links(link("Search in all texts", "search", run=run.name), link("Outcomes", "outcomes", run=run.name))
    found = sorted_table(_columns(run, listed), _filtered(listed))
    keep_order("problem", run.name, [one.metrics.problem_id for one in found])


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


def _filtered(listed: list[_Listed]) -> list[_Listed]:
    """Problems that pass the filters of the page."""
    groups = sorted({one.group for one in listed if one.group})
    labels = any(one.metrics.labels for one in listed)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = address.choice("Show", "show", SHOWN, ALL)
        group = address.select("Category", "group", [ALL, *groups], ALL, width=220) if len(groups) > 1 else ALL
        labeled = address.choice("Human labels", "labeled", LABELED, ALL) if labels else ALL
        words = address.text_input("Find a problem", "find", placeholder="name, source or statement", width=260)
    return [
        one
        for one in listed
        if _fits(one.metrics, chosen)
        and group in {ALL, one.group}
        and (labeled == ALL or (one.metrics.labels > 0) == (labeled == "labeled"))
        and _has(one, words.lower())
    ]


def _has(one: _Listed, words: str) -> bool:
    metrics = one.metrics
    if words in f"{metrics.name} {metrics.source} {metrics.problem_id}".lower():
        return True
    return words in statement_of(one.log).lower()


def _fits(metrics: ProblemMetrics, chosen: str) -> bool:
    return {
        "all": True,
        "accepted": metrics.accepted,
        "rejected": not metrics.accepted,
        "over": metrics.over_accepted,
        "unjudged": metrics.best is None,
    }[chosen]


def _columns(run: RunInfo, listed: list[_Listed]) -> list[Column[_Listed]]:
    """Columns of the list; those of categories and labels only where there are any."""
    grouped = any(one.group for one in listed)
    labeled = any(one.metrics.labels for one in listed)
    group: Column[_Listed] = Column("category", lambda one: _small(one.group), lambda one: one.group or None)
    labels: Column[_Listed] = Column(
        "human labels",
        lambda one: badge(one.metrics.human) if one.metrics.human is not None else _small("–"),
        lambda one: one.metrics.human,
        numeric=True,
    )
    return [
        Column("problem", lambda one: _name(run, one), lambda one: one.title.lower()),
        Column("source", lambda one: _small(one.metrics.source), lambda one: one.metrics.source or None),
        *([group] if grouped else []),
        Column("proofs", lambda one: dots(run, one.log.problem_id, proof_metrics(one.log)),
               lambda one: one.metrics.proofs, numeric=True),
        Column("best judges' mean", lambda one: badge(one.metrics.best), lambda one: one.metrics.best, numeric=True),
        *([labels] if labeled else []),
        Column("disagreement", lambda one: f"{one.metrics.disagreement:.2g}", lambda one: one.metrics.disagreement,
               numeric=True),
        Column("state", _state, lambda one: not one.metrics.accepted),
        Column("rounds", lambda one: str(one.metrics.rounds), lambda one: one.metrics.rounds, numeric=True),
    ]  # fmt: skip


def _name(run: RunInfo, one: _Listed) -> str:
    return link(one.title, "problem", run=run.name, problem=one.metrics.problem_id)


def _small(words: str) -> str:
    return f'<span class="lm-soft lm-small">{escape(words)}</span>'


def _state(one: _Listed) -> str:
    metrics = one.metrics
    state = "over-accepted" if metrics.over_accepted else "accepted" if metrics.accepted else ""
    return plain_badge(state) if state else ""


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
