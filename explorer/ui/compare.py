"""Comparison page: two runs problem by problem, the largest changes first."""

from statistics import fmean

import streamlit as st

from core.statistics import sign_test
from explorer.comparison import ProblemPair, pairs
from explorer.metrics import problem_metrics
from explorer.runs import RunInfo
from explorer.ui.context import indexed, query, runs
from explorer.ui.tables import paged
from explorer.ui.widgets import badge, facts, link, note, number, table


def show() -> None:
    """Page of two runs on their common problems."""
    st.title("Compare runs")
    usable = [run for run in runs() if not run.error and not run.is_training]
    if len(usable) < 2:
        note("A comparison needs at least two runs with proofs.")
        return
    names = [run.name for run in usable]
    sides = st.columns(2)
    left = sides[0].selectbox("First", names, index=_index_of(names, query("left"), 0))
    right = sides[1].selectbox("Second", names, index=_index_of(names, query("right"), 1))
    by_name = {run.name: run for run in usable}
    _show(by_name[left], by_name[right])


def _index_of(names: list[str], name: str, otherwise: int) -> int:
    return names.index(name) if name in names else otherwise


def _show(left: RunInfo, right: RunInfo) -> None:
    first, second = (
        {log.problem_id: problem_metrics(log) for log in indexed(run).logs.values()} for run in (left, right)
    )
    found = pairs(first, second)
    if not found:
        note("These two runs have no common problems.")
        return
    changes = [pair.change for pair in found if pair.change is not None]
    better, worse = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    facts({
        "common problems": str(len(found)),
        "accepted": f"{sum(pair.left.accepted for pair in found)} → {sum(pair.right.accepted for pair in found)}",
        "mean change": f"{fmean(changes):+.3f}" if changes else "–",
        "second better": str(better),
        "second worse": str(worse),
        "sign test p": f"{sign_test(better, worse):.3f}",
    })  # fmt: skip
    st.caption(
        "Judges' mean for the chosen proof. The sign test leaves out unchanged problems and does not test the judges."
    )
    table(
        ["problem", left.name, right.name, "change", "human labels"],
        [_row(left, right, pair) for pair in paged(found)],
        numeric=(3,),
    )


def _row(left: RunInfo, right: RunInfo, pair: ProblemPair) -> list[str]:
    problem = pair.left.problem_id
    return [
        link(pair.left.name or problem, "problem", run=right.name, problem=problem),
        f"{link('read', 'problem', run=left.name, problem=problem)} {badge(pair.left_score)}",
        f"{link('read', 'problem', run=right.name, problem=problem)} {badge(pair.right_score)}",
        "–" if pair.change is None else f"{pair.change:+.2f}",
        f"{number(pair.left.human)} / {number(pair.right.human)}",
    ]
