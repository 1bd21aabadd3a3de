"""Outcomes page: accepted and wrong, rejected and right, with the reason; false accepts by rule."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

import streamlit as st

from core.document import counted
from explorer.index import LogIndex
from explorer.outcomes import Kind, ProofOutcome, all_analyses, candidates, confusion, false_accepts, outcome
from explorer.runs import RunInfo
from explorer.training_log import Curve
from explorer.ui import address
from explorer.ui.acceptance import rule_words
from explorer.ui.context import chosen_run, indexed, rerun_soon
from explorer.ui.curves import CurveLine, show_curves
from explorer.ui.problem import problem_of, title_of
from explorer.ui.tables import Column, sorted_table
from explorer.ui.widgets import badge, crumbs, link, note, page_title, plain_badge, table
from refine.acceptance import AcceptanceConfig

KINDS: Mapping[Kind, str] = {
    "false accept": "Accepted and wrong",
    "false reject": "Rejected and right",
    "true accept": "Accepted and right",
    "true reject": "Rejected and wrong",
}
MAX_SECONDS = 1.5  # of checking for one drawing of the page
MAX_N = 16


def show() -> None:
    """Page of the outcomes of a run."""
    run = chosen_run()
    crumbs(link("Runs", ""), link(run.name, "run", run=run.name), "outcomes")
    page_title(f"{run.name}: outcomes")
    index = indexed(run)
    if index.rule_error:
        note(f"The rule of this run cannot be read, so the plain mean is shown: {index.rule_error}")
    logs = list(index.logs.values())
    searched = any(log.rule.searched for log in logs)
    scopes = {"final": "Final proofs", "all": "All proofs"}
    scope = address.choice("Proofs", "proofs", scopes, "final") if searched else "all"
    found, unknown = _outcomes(logs, chosen=scope == "final")
    rule = next((log.rule.acceptance for log in logs if log.rule.acceptance), None)
    st.caption(
        f"Rule of the run: {rule_words(rule)}. " if rule else "This run has no rule: full points of its judges accept. "
    )
    if not found:
        note("Nothing is known to be right or wrong: no human labels, and the lab cannot decide the statements.")
        return
    _confusion(found, unknown)
    kind = address.choice("Show", "kind", {**KINDS}, "false accept")
    _list(run, [one for one in found if one.kind == kind])
    if rule is not None:
        _curves(found, rule)


def _outcomes(logs: Sequence[LogIndex], *, chosen: bool) -> tuple[list[ProofOutcome], int]:
    """Outcomes that are known within the time of one drawing, and the number of proofs without a truth."""
    deadline = time.monotonic() + MAX_SECONDS
    found, unknown = [], 0
    for position, log in enumerate(logs):
        if time.monotonic() > deadline:
            note(f"Checking proofs: {position / len(logs):.0%} of the problems so far. The page updates by itself.")
            rerun_soon()
            break
        for proof in candidates(log, chosen=chosen):
            known = outcome(log, proof)
            unknown += known is None
            found += [known] if known else []
    return found, unknown


def _confusion(found: Sequence[ProofOutcome], unknown: int) -> None:
    counts = confusion(found)
    table(
        ["", "right", "wrong"],
        [
            ["<b>accepted</b>", str(counts["true accept"]), f"<b>{counts['false accept']}</b>"],
            ["<b>rejected</b>", f"<b>{counts['false reject']}</b>", str(counts["true reject"])],
        ],
    )
    by = Counter(one.source for one in found)
    without = f" {counted(unknown, 'proof')} without a known truth left out." if unknown else ""
    st.caption(f"Truth: {', '.join(f'{number} by {name}' for name, number in by.items())}.{without}")


def _list(run: RunInfo, found: Sequence[ProofOutcome]) -> None:
    if not found:
        st.caption("There are none.")
        return
    columns: list[Column[ProofOutcome]] = [
        Column("problem", lambda one: link(_title(one), "problem", run=run.name, problem=one.log.problem_id),
               lambda one: _title(one).lower()),
        Column("proof", lambda one: link(one.metrics.row.id[:10], "proof", run=run.name, problem=one.log.problem_id,
                                         proof=one.metrics.row.id), lambda one: one.metrics.row.id),
        Column("judges' mean", lambda one: badge(one.metrics.judged), lambda one: one.metrics.judged, numeric=True),
        Column("self-score", lambda one: badge(one.metrics.self_score), lambda one: one.metrics.self_score,
               numeric=True),
        Column("reason", lambda one: " ".join(plain_badge(reason) for reason in one.reasons),
               lambda one: ", ".join(one.reasons) or None),
        Column("truth by", lambda one: f'<span class="lm-soft lm-small">{escape(one.source)}</span>',
               lambda one: one.source),
    ]  # fmt: skip
    sorted_table(columns, found)


def _title(one: ProofOutcome) -> str:
    return title_of(problem_of(one.log), one.log)


def _curves(found: Sequence[ProofOutcome], rule: AcceptanceConfig) -> None:
    """False-accept and accept rates by rule, as the number of analyses grows."""
    cases = [(one.right, all_analyses(one)) for one in found]
    most = min(max((len(analyses) for _, analyses in cases), default=0), MAX_N)
    if most < 1 or all(right for right, _ in cases):
        return
    rules = {
        "the run's rule": rule,
        "unanimous, no reviews": replace(rule, rule="unanimous", use_reviews="ignore"),
        "unanimous, reviews filter": replace(rule, rule="unanimous", use_reviews="filter"),
        f"mean at least {rule.min_mean:g}": replace(rule, rule="mean", use_reviews="ignore"),
    }
    counts = {name: [false_accepts(cases, one, n) for n in range(1, most + 1)] for name, one in rules.items()}
    columns = st.columns(2, gap="large")
    for column, title, place in zip(columns, ("Wrong proofs accepted", "Right proofs accepted"), (0, 2), strict=True):
        curves = [
            Curve(name, tuple((n, row[place] / row[place + 1]) for n, row in enumerate(rows, 1) if row[place + 1]))
            for name, rows in counts.items()
        ]
        lines = [CurveLine(curve.name, curve, curve.name) for curve in curves if curve.points]
        with column:
            show_curves(f"{title}, by the number of analyses", lines, low=0.0, high=1.0, unit="analyses")
    st.caption(f"Each rule over the first n analyses of {counted(len(cases), 'proof')}.")
