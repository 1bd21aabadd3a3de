"""Comparison page: two runs problem by problem, the largest changes first."""

from statistics import fmean

import streamlit as st

from core.statistics import sign_test
from explorer.comparison import ProblemPair, pairs
from explorer.metrics import problem_metrics
from explorer.runs import RunInfo
from explorer.ui import address
from explorer.ui.context import indexed, runs
from explorer.ui.tables import Column, sorted_table
from explorer.ui.widgets import badge, facts, link, note, number


def show() -> None:
    """Page of two runs on their common problems."""
    st.title("Compare runs")
    usable = [run for run in runs() if not run.error and not run.is_training]
    if len(usable) < 2:
        note("A comparison needs at least two runs with proofs.")
        return
    names = [run.name for run in usable]
    sides = st.columns(2)
    with sides[0]:
        left = address.select("First", "left", names, names[0])
    with sides[1]:
        right = address.select("Second", "right", names, names[1])
    by_name = {run.name: run for run in usable}
    _show(by_name[left], by_name[right])


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
    sorted_table(_columns(left, right), found)


def _columns(left: RunInfo, right: RunInfo) -> list[Column[ProblemPair]]:
    return [
        Column("problem", lambda pair: link(pair.left.name or pair.left.problem_id, "problem", run=right.name,
                                            problem=pair.left.problem_id), lambda pair: pair.left.name.lower()),
        Column(left.name, lambda pair: _read(left, pair, pair.left_score), lambda pair: pair.left_score, numeric=True),
        Column(right.name, lambda pair: _read(right, pair, pair.right_score), lambda pair: pair.right_score,
               numeric=True),
        Column("change", lambda pair: "–" if pair.change is None else f"{pair.change:+.2f}", lambda pair: pair.change,
               numeric=True),
        Column("human labels", lambda pair: f"{number(pair.left.human)} / {number(pair.right.human)}"),
    ]  # fmt: skip


def _read(run: RunInfo, pair: ProblemPair, score: float | None) -> str:
    return f"{link('read', 'problem', run=run.name, problem=pair.left.problem_id)} {badge(score)}"
