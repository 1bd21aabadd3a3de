"""One problem of a run: statement, reference, guidelines, and the attempts, to be filtered."""

from html import escape

import streamlit as st

from core.records import Problem
from explorer.figures import ProofFigures, proof_figures
from explorer.index import LogIndex
from explorer.runs import Found
from explorer.ui.parts import (
    badge,
    crumbs,
    folded,
    link,
    links,
    model_text,
    note,
    notes,
    number,
    paged,
    plain_badge,
    table,
)
from explorer.ui.run import dots
from explorer.ui.site import chosen_log, chosen_run


def show() -> None:
    """Page: a problem."""
    run = chosen_run()
    log = chosen_log(run)
    problem = problem_of(log)
    title = title_of(problem, log)
    crumbs(link("Runs", ""), link(run.name, "run", run=run.name), escape(title))
    st.title(title)
    notes(log.messages)
    if problem:
        _statement(problem)
    proofs = proof_figures(log)
    st.html(dots(run, log.problem_id, proofs))
    links(
        link("Lineage, from the first proof to the last", "lineage", run=run.name, problem=log.problem_id),
        link("Raw record", "record", run=run.name, problem=log.problem_id, id=log.problem_id),
    )
    _selection(log)
    _refusals(log)
    _attempts(run, log, proofs)


def problem_of(log: LogIndex) -> Problem | None:
    """The problem itself; None where its line is damaged."""
    row = next(iter(log.of_kind("problem")), None)
    record = log.read(row) if row else None
    return record if isinstance(record, Problem) else None


def title_of(problem: Problem | None, log: LogIndex) -> str:
    """What a problem is called."""
    return problem.name or problem.id if problem else log.problem_id


def crumbs_below(run: Found, log: LogIndex, title: str, here: str) -> None:
    """The way to a page below a problem's."""
    crumbs(
        link("Runs", ""),
        link(run.name, "run", run=run.name),
        link(title, "problem", run=run.name, problem=log.problem_id),
        here,
    )


def _statement(problem: Problem) -> None:
    with st.container(border=True):
        model_text(problem.statement, "statement")
    if problem.answer:
        st.html(f'<span class="lm-soft">Answer</span> &nbsp; {escape(problem.answer)}')
    for name, text in (("Reference solution", problem.reference), ("Grading guidelines", problem.guidelines)):
        if text:
            with st.expander(name):
                model_text(text, name.split()[0].lower())
    if problem.extra:
        folded("Other columns", "\n".join(f"{key}: {value}" for key, value in problem.extra.items()))


def _selection(log: LogIndex) -> None:
    for row in log.of_kind("selection")[-1:]:
        st.html(f'<span class="lm-soft">Chosen</span> &nbsp; {escape(str(row.value.get("reason", "")))}')


def _refusals(log: LogIndex) -> None:
    refused = log.of_kind("refusal")
    if refused:
        note(f"{len(refused)} calls were refused by the server, the first: {refused[0].value.get('error', '')}")


def _attempts(run: Found, log: LogIndex, proofs: list[ProofFigures]) -> None:
    st.subheader("Attempts")
    if not proofs:
        note("There is no proof yet.")
        return
    shown = _filtered(proofs) if len(proofs) > 1 else proofs
    rows = [_row(run, log, proof) for proof in paged(shown, "attempts")]
    table(["proof", "round", "judges", "verdicts", "self", "people", "automatic", "characters", ""], rows)


def _filtered(proofs: list[ProofFigures]) -> list[ProofFigures]:
    """The attempts that the reader wants to see."""
    with st.expander("Filter"), st.container(horizontal=True, gap="large"):
        low, high = st.slider("Judges' score", 0.0, 1.0, (0.0, 1.0), 0.05, width=220)
        apart = st.slider("Disagreement at least", 0.0, 1.0, 0.0, 0.1, width=220)
        longest = max(proof.row.size for proof in proofs)
        length = st.slider("Characters at least", 0, max(longest, 1), 0, width=220)
        faulty = st.checkbox("only with what could not be read")
    return [
        proof
        for proof in proofs
        if (proof.judged is None or low <= proof.judged <= high)
        and proof.disagreement >= apart
        and proof.row.size >= length
        and (not faulty or bool(proof.row.fault) or proof.unreadable_verdicts > 0)
    ]


def _row(run: Found, log: LogIndex, proof: ProofFigures) -> list[str]:
    marks = [plain_badge("chosen")] if proof.selected else []
    marks += [plain_badge("over-accepted")] if proof.over_accepted else []
    marks += [f'<span class="lm-soft lm-small">{escape(proof.row.fault)}</span>'] if proof.row.fault else []
    unread = (
        f' <span class="lm-soft lm-small">+{proof.unreadable_verdicts} unreadable</span>'
        if proof.unreadable_verdicts
        else ""
    )
    return [
        link(proof.row.id[:10], "proof", run=run.name, problem=log.problem_id, proof=proof.row.id),
        str(proof.row.round),
        badge(proof.mean),
        f"{len(proof.verdicts)}{unread}",
        badge(proof.self_score),
        badge(proof.human, proof.points or None) if proof.human is not None else "–",
        number(proof.automatic),
        f"{proof.row.size:,}",
        " ".join(marks),
    ]
