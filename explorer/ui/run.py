"""One run: its totals and its problems, each with its attempts as colored squares."""

from html import escape

import streamlit as st

from explorer.figures import ProblemFigures, ProofFigures, problem_figures, proof_figures
from explorer.index import LogIndex
from explorer.runs import Found, is_running
from explorer.ui.parts import badge, crumbs, dot, facts, folded, href, link, notes, number, paged, plain_badge, table
from explorer.ui.runs import progress_words, settings_text
from explorer.ui.site import chosen_run, indexed, query

SHOWN = {
    "all": "All",
    "accepted": "Accepted",
    "rejected": "Not accepted",
    "over": "Over-accepted",
    "unjudged": "No verdict",
}
MAX_DOTS = 128


def show() -> None:
    """Page: the problems of a run."""
    run = chosen_run()
    crumbs(link("Runs", ""), escape(run.name))
    st.title(run.name)
    logs = list(indexed(run).logs.values())
    figures = sorted(((log, problem_figures(log)) for log in logs), key=lambda pair: (pair[1].source, pair[1].name))
    _totals(run, [figure for _, figure in figures])
    notes([message for log in logs for message in log.messages])
    if is_running(run.folder):
        st.html(f'<span class="lm-live">● running</span> {escape(progress_words(run))}')
    folded("Settings, versions, commit", settings_text(run))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        start = query("show", "all")
        chosen = st.segmented_control(
            "Show", list(SHOWN), default=start if start in SHOWN else "all", format_func=lambda name: SHOWN[name]
        )
        words = st.text_input("Find a problem", placeholder="name or source", width=260)
    shown = [
        (log, figure)
        for log, figure in figures
        if _fits(figure, chosen or "all")
        and words.lower() in f"{figure.name} {figure.source} {figure.problem_id}".lower()
    ]
    table(
        ["problem", "source", "attempts", "best judged", "people", "", "rounds"],
        [_row(run, log, figure) for log, figure in paged(shown, "problems")],
    )


def _totals(run: Found, figures: list[ProblemFigures]) -> None:
    accepted = sum(figure.accepted for figure in figures)
    over = sum(figure.over_accepted for figure in figures)
    values = {
        "problems": f"{len(figures):,}",
        "proofs": f"{sum(figure.proofs for figure in figures):,}",
        "analyses": f"{sum(figure.analyses for figure in figures):,}",
        "accepted": f"{accepted:,}",
    }
    if any(figure.human is not None for figure in figures):
        values["over-accepted"] = link(str(over), "run", run=run.name, show="over") if over else "0"
    if tokens := sum(figure.tokens for figure in figures):
        values["tokens"] = f"{tokens:,}"
    if cost := sum(figure.cost for figure in figures):
        values["cost"] = f"{cost:,.2f}"
    facts(values)


def _fits(figure: ProblemFigures, chosen: str) -> bool:
    return {
        "all": True,
        "accepted": figure.accepted,
        "rejected": not figure.accepted,
        "over": figure.over_accepted,
        "unjudged": figure.best is None,
    }[chosen]


def _row(run: Found, log: LogIndex, figure: ProblemFigures) -> list[str]:
    name = figure.name or figure.problem_id
    state = plain_badge("over-accepted") if figure.over_accepted else plain_badge("accepted") if figure.accepted else ""
    return [
        link(name, "problem", run=run.name, problem=figure.problem_id),
        f'<span class="lm-soft lm-small">{escape(figure.source)}</span>',
        dots(run, log.problem_id, proof_figures(log)),
        badge(figure.best),
        badge(figure.human) if figure.human is not None else '<span class="lm-soft">–</span>',
        state,
        str(figure.rounds),
    ]


def dots(run: Found, problem_id: str, proofs: list[ProofFigures]) -> str:
    """The attempts at a problem, colored by what judges say, as HTML."""
    squares = [
        dot(
            proof.judged,
            href("proof", run=run.name, problem=problem_id, proof=proof.row.id),
            f"round {proof.row.round}: judged {number(proof.judged)}, self {number(proof.self_score)}",
            selected=proof.selected,
        )
        for proof in proofs[:MAX_DOTS]
    ]
    more = f'<span class="lm-soft lm-small">+{len(proofs) - MAX_DOTS}</span>' if len(proofs) > MAX_DOTS else ""
    return f'<div class="lm-dots">{"".join(squares)}{more}</div>'
