"""Problem page: statement, reference solution, grading guidelines, and the proofs with a filter."""

from html import escape

import streamlit as st

from core.document import counted
from core.records import Problem
from explorer.index import LogIndex
from explorer.metrics import ProofMetrics, proof_metrics
from explorer.runs import RunInfo
from explorer.text_search import search
from explorer.ui import address
from explorer.ui.context import chosen_log, chosen_run, index_of, query
from explorer.ui.neighbors import keep_order, neighbor_links
from explorer.ui.run import ALL, LABELED, dots
from explorer.ui.tables import Column, sorted_table
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
    plain_badge,
)

FAULTS = {"all": "All", "truncated": "Cut off", "unparseable": "Something unparseable"}


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
        _neighbors(run, log),
    )
    _selection(log)
    _refusals(log)
    _proofs(run, log, proofs)


def _neighbors(run: RunInfo, log: LogIndex) -> str:
    """Links to the problems before and after this one in the list of the run."""
    return neighbor_links(
        "problem", run.name, log.problem_id, list(index_of(run).logs),
        lambda name: {"page": "problem", "run": run.name, "problem": name},
    )  # fmt: skip


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
    st.subheader("Proofs", anchor=False)
    if not proofs:
        note("There are no proofs yet.")
        return
    shown = _filtered(log, proofs) if len(proofs) > 1 else proofs
    found = sorted_table(_columns(run, log, proofs), shown)
    keep_order("proof", log.problem_id, [proof.row.id for proof in found])


def _filtered(log: LogIndex, proofs: list[ProofMetrics]) -> list[ProofMetrics]:
    """Proofs that pass the filters of the address."""
    models = sorted({str(proof.row.value.get("model", "")) for proof in proofs} - {""})
    longest = max(1, *(proof.row.size for proof in proofs))
    names = ("judged", "apart", "length", "faults", "model", "labeled", "words")
    active = any(query(name) for name in names)
    with st.expander("Filter", expanded=active), st.container(horizontal=True):
        low, high = address.span("Judges' mean", "judged", 0.0, 1.0, 0.05, width=220)
        apart = address.share("Minimum disagreement", "apart", 0.0, 0.1, width=220)
        length = address.whole("Minimum characters", "length", 0, longest, 0, width=220)
        faults = address.choice("Answers", "faults", FAULTS, ALL)
        model = address.select("Model", "model", [ALL, *models], ALL, width=220) if len(models) > 1 else ALL
        labeled = address.choice("Human labels", "labeled", LABELED, ALL)
        words = address.text_input("Words in the proof", "words", width=220).strip()
    with_words = {hit.id for hit in search([log], words, {"proof"}, limit=len(proofs), seconds=5)[0]} if words else None
    return [
        proof
        for proof in proofs
        if (proof.judged is None or low <= proof.judged <= high)
        and (proof.judged is not None or (low, high) == (0.0, 1.0))
        and proof.disagreement >= apart
        and proof.row.size >= length
        and _has_fault(proof, faults)
        and model in {ALL, proof.row.value.get("model")}
        and (labeled == ALL or (proof.human is not None) == (labeled == "labeled"))
        and (with_words is None or proof.row.id in with_words)
    ]


def _has_fault(proof: ProofMetrics, wanted: str) -> bool:
    return {
        ALL: True,
        "truncated": proof.truncated,
        "unparseable": bool(proof.row.fault) or proof.unparseable_verdicts > 0,
    }[wanted]


def _columns(run: RunInfo, log: LogIndex, proofs: list[ProofMetrics]) -> list[Column[ProofMetrics]]:
    several = len({proof.row.value.get("model") for proof in proofs}) > 1
    model: Column[ProofMetrics] = Column(
        "model",
        lambda proof: f'<span class="lm-small">{escape(str(proof.row.value.get("model", "")))}</span>',
        lambda proof: str(proof.row.value.get("model", "")) or None,
    )
    human: Column[ProofMetrics] = Column("human labels", _human, lambda proof: proof.human, numeric=True)
    automatic: Column[ProofMetrics] = Column(
        "automatic", lambda proof: number(proof.automatic), lambda proof: proof.automatic, numeric=True
    )
    return [
        Column("proof", lambda proof: link(proof.row.id[:10], "proof", run=run.name, problem=log.problem_id,
                                           proof=proof.row.id), lambda proof: proof.row.id),
        *([model] if several else []),
        Column("round", lambda proof: str(proof.row.round), lambda proof: proof.row.round, numeric=True),
        Column("judges' mean", lambda proof: badge(proof.mean), lambda proof: proof.mean, numeric=True),
        Column("verdicts", _verdicts, lambda proof: len(proof.verdicts), numeric=True),
        Column("self-score", lambda proof: badge(proof.self_score), lambda proof: proof.self_score, numeric=True),
        Column("disagreement", lambda proof: f"{proof.disagreement:.2g}", lambda proof: proof.disagreement,
               numeric=True),
        *([human] if any(proof.human is not None for proof in proofs) else []),
        *([automatic] if any(proof.automatic is not None for proof in proofs) else []),
        Column("characters", lambda proof: f"{proof.row.size:,}", lambda proof: proof.row.size, numeric=True),
        Column("", _states),
    ]  # fmt: skip


def _verdicts(proof: ProofMetrics) -> str:
    bad = proof.unparseable_verdicts
    return f"{len(proof.verdicts)}" + (f' <span class="lm-soft lm-small">+{bad} unparseable</span>' if bad else "")


def _human(proof: ProofMetrics) -> str:
    return badge(proof.human, proof.points or None) if proof.human is not None else "–"


def _states(proof: ProofMetrics) -> str:
    badges = [plain_badge("chosen")] if proof.selected else []
    badges += [plain_badge("over-accepted")] if proof.over_accepted else []
    badges += [plain_badge("cut off")] if proof.truncated else []
    badges += [f'<span class="lm-soft lm-small">{escape(proof.row.fault)}</span>'] if proof.row.fault else []
    return " ".join(badges)
