"""Acceptance panel of the proof page: every verdict, those that do not count and why, the rule and the result."""

from html import escape

import streamlit as st

from explorer.index import LogIndex, children
from explorer.metrics import ProofMetrics, judged_analyses
from explorer.runs import RunInfo
from explorer.ui.widgets import badge, link, note, number, plain_badge, table
from refine.acceptance import AcceptanceConfig, Decision

CRITERIA = {
    "unanimous": "every verdict that counts is 1",
    "quorum": "at least {min_readable:.0%} of the verdicts can be read and {min_perfect:.0%} of those that count are 1",
    "mean": "the mean of the verdicts that count is at least {min_mean:g}",
    "pessimistic-progressive": "every verdict is 1; judges are asked until one reports an issue",
    "weighted": "the mean, weighted by the reviews, is at least {min_mean:g}",
}


def show_acceptance(run: RunInfo, log: LogIndex, metrics: ProofMetrics) -> None:
    """Shows why the run accepted a proof or not, by its own rule."""
    selection = next(iter(log.of_kind("selection")[::-1]), None)
    st.html(f'<div class="lm-verdict">{" ".join(_states(metrics, searched=log.rule.searched))}</div>')
    decision = metrics.decision
    if decision is None:
        _unjudged(metrics)
    else:
        if decision.judged:
            table(["analysis", "verdict", "reviews", "weight", ""], _rows(run, log, metrics, decision))
        st.html(f'<p class="lm-rule">{_summary(metrics, decision)}</p>')
    if selection is not None and metrics.selected:
        st.html(f'<p class="lm-rule"><b>Chosen</b>: {escape(str(selection.value.get("reason", "")))}</p>')
        if decision is not None and bool(selection.value.get("accepted")) != decision.accepted:
            note("The run recorded another decision than its rule gives now: records were added after the selection.")


def _states(metrics: ProofMetrics, *, searched: bool) -> list[str]:
    """Chosen and accepted, or not, as HTML."""
    found = [plain_badge("chosen" if metrics.selected else "not chosen")] if searched else []
    accepted = badge(1.0 if metrics.accepted else 0.0, "accepted" if metrics.accepted else "not accepted")
    return [accepted, *found, f'<span class="lm-soft">self-score</span> {badge(metrics.self_score)}']


def _unjudged(metrics: ProofMetrics) -> None:
    if metrics.automatic is not None:
        st.caption(
            f"This run judged nothing. Its imported judges give {number(metrics.automatic)}; 1 is accepted here."
        )
    elif metrics.analyses:
        st.caption("The settings of this run have no rule of acceptance.")
    else:
        st.caption("This run has no analysis of this proof.")


def _rows(run: RunInfo, log: LogIndex, metrics: ProofMetrics, decision: Decision) -> list[list[str]]:
    weights = {one.judged.analysis_id: one.weight for one in decision.counted}
    struck = {one.judged.analysis_id: one.reason for one in decision.excluded}
    rows = []
    for one in judged_analyses(metrics.row, children(log)):
        name = one.analysis_id
        address = {"run": run.name, "problem": log.problem_id, "proof": metrics.row.id, "analysis": name}
        verdict = badge(one.score, "none" if one.score is None else None)
        reviews = " ".join(badge(score, "?" if score is None else None) for score in one.reviews) or "–"
        reason = f"struck out: {struck[name]}" if name in struck else "counts"
        rows.append([
            link(name[:8], "proof", **address),
            f"<s>{verdict}</s>" if name in struck else verdict,
            reviews,
            number(weights.get(name)) if name in weights else "–",
            f'<span class="lm-soft lm-small">{escape(reason)}</span>',
        ])  # fmt: skip
    return rows


def _summary(metrics: ProofMetrics, decision: Decision) -> str:
    plain = "" if decision.mean == _plain_mean(metrics) else f" (of all readable ones {number(_plain_mean(metrics))})"
    return (
        f"<b>Mean</b> {number(decision.mean)} of {len(decision.counted)} that count{plain}. "
        f"<b>Rule</b> {escape(rule_words(decision.config))}. <b>Result</b>: {escape(decision.reason)}."
    )


def _plain_mean(metrics: ProofMetrics) -> float | None:
    return sum(metrics.verdicts) / len(metrics.verdicts) if metrics.verdicts else None


def rule_words(rule: AcceptanceConfig) -> str:
    """The rule with its settings in words."""
    criterion = CRITERIA[rule.rule].format(
        min_readable=rule.min_readable, min_perfect=rule.min_perfect, min_mean=rule.min_mean
    )
    reviews = {
        "ignore": "reviews are ignored",
        "filter": f"analyses that most reviews put below {rule.confirm_at:g} are struck out",
        "weight": "each analysis weighs the mean of its reviews",
    }[rule.use_reviews]
    return f"{rule.rule}: {criterion}; at least {rule.min_verdicts} must count; {reviews}"
