"""Problem page: statement, reference solution, grading guidelines, and the proofs with a filter."""

from html import escape

import streamlit as st

from core.document import counted
from core.records import Problem
from explorer.index import LogIndex
from explorer.metrics import ProofMetrics, proof_metrics
from explorer.runs import RunInfo
from explorer.ui.context import chosen_log, chosen_run
from explorer.ui.run import dots
from explorer.ui.widgets import (
    badge,
    crumbs,
    folded,
    link,
    links,
    model_text,
    note,
    notes,
    number,
    page_title,
    paged,
    plain_badge,
    table,
)

COLUMNS = (
    "proof", "round", "judges' mean", "verdicts", "self-score", "human labels", "automatic", "characters", "",
)  # fmt: skip


def show() -> None:
    """Page of one problem."""
    run = chosen_run()
    log = chosen_log(run)
    problem = problem_of(log)
    title = title_of(problem, log)
    crumbs(link("Runs", ""), link(run.name, "run", run=run.name), escape(title))
    page_title(title)
    notes(log.messages)
    if problem:
        _statement(problem)
    proofs = proof_metrics(log)
    st.html(dots(run, log.problem_id, proofs))
    links(
        link("Lineage", "lineage", run=run.name, problem=log.problem_id),
        link("Raw record", "record", run=run.name, problem=log.problem_id, id=log.problem_id),
    )
    _selection(log)
    _refusals(log)
    _proofs(run, log, proofs)


def problem_of(log: LogIndex) -> Problem | None:
    """Record of the problem; None where its line is damaged."""
    row = next(iter(log.of_kind("problem")), None)
    record = log.read(row) if row else None
    return record if isinstance(record, Problem) else None


def title_of(problem: Problem | None, log: LogIndex) -> str:
    """Title of a problem."""
    return problem.name or problem.id if problem else log.problem_id


def crumbs_below(run: RunInfo, log: LogIndex, title: str, here: str) -> None:
    """Shows the path to a page below that of a problem."""
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
        note(f"The server refused {counted(len(refused), 'call')}; the first: {refused[0].value.get('error', '')}")


def _proofs(run: RunInfo, log: LogIndex, proofs: list[ProofMetrics]) -> None:
    st.subheader("Proofs")
    if not proofs:
        note("There are no proofs yet.")
        return
    shown = _filtered(proofs) if len(proofs) > 1 else proofs
    rows = [_row(run, log, proof) for proof in paged(shown, "proofs")]
    table(COLUMNS, rows)


def _filtered(proofs: list[ProofMetrics]) -> list[ProofMetrics]:
    """Proofs that pass the filter of the page."""
    with st.expander("Filter"), st.container(horizontal=True, gap="large"):
        low, high = st.slider("Judges' mean", 0.0, 1.0, (0.0, 1.0), 0.05, width=220)
        apart = st.slider("Minimum disagreement", 0.0, 1.0, 0.0, 0.1, width=220)
        longest = max(proof.row.size for proof in proofs)
        length = st.slider("Minimum characters", 0, max(longest, 1), 0, width=220)
        faulty = st.checkbox("only proofs with something unparseable")
    return [
        proof
        for proof in proofs
        if (proof.judged is None or low <= proof.judged <= high)
        and proof.disagreement >= apart
        and proof.row.size >= length
        and (not faulty or bool(proof.row.fault) or proof.unparseable_verdicts > 0)
    ]


def _row(run: RunInfo, log: LogIndex, proof: ProofMetrics) -> list[str]:
    badges = [plain_badge("chosen")] if proof.selected else []
    badges += [plain_badge("over-accepted")] if proof.over_accepted else []
    badges += [f'<span class="lm-soft lm-small">{escape(proof.row.fault)}</span>'] if proof.row.fault else []
    unparseable = (
        f' <span class="lm-soft lm-small">+{proof.unparseable_verdicts} unparseable</span>'
        if proof.unparseable_verdicts
        else ""
    )
    return [
        link(proof.row.id[:10], "proof", run=run.name, problem=log.problem_id, proof=proof.row.id),
        str(proof.row.round),
        badge(proof.mean),
        f"{len(proof.verdicts)}{unparseable}",
        badge(proof.self_score),
        badge(proof.human, proof.points or None) if proof.human is not None else "–",
        number(proof.automatic),
        f"{proof.row.size:,}",
        " ".join(badges),
    ]
