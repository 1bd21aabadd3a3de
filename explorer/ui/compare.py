"""Two runs side by side, problem by problem, where they differ most first."""

from statistics import fmean

import streamlit as st

from core.statistics import sign_test
from explorer.comparison import Pair, pairs
from explorer.figures import problem_figures
from explorer.runs import Found
from explorer.ui.parts import badge, facts, link, note, number, paged, table
from explorer.ui.site import indexed, query, runs


def show() -> None:
    """Page: the comparison of two runs on the problems that both have."""
    st.title("Two runs")
    usable = [run for run in runs() if not run.trouble and not run.trains]
    if len(usable) < 2:
        note("A comparison needs two runs with proofs.")
        return
    names = [run.name for run in usable]
    sides = st.columns(2)
    left = sides[0].selectbox("First", names, index=_place(names, query("left"), 0))
    right = sides[1].selectbox("Second", names, index=_place(names, query("right"), 1))
    by_name = {run.name: run for run in usable}
    _show(by_name[left], by_name[right])


def _place(names: list[str], name: str, otherwise: int) -> int:
    return names.index(name) if name in names else otherwise


def _show(left: Found, right: Found) -> None:
    first, second = (
        {log.problem_id: problem_figures(log) for log in indexed(run).logs.values()} for run in (left, right)
    )
    found = pairs(first, second)
    if not found:
        note("These runs have no problem in common.")
        return
    changes = [pair.change for pair in found if pair.change is not None]
    better, worse = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    facts({
        "problems of both": str(len(found)),
        "accepted": f"{sum(pair.left.accepted for pair in found)} → {sum(pair.right.accepted for pair in found)}",
        "mean change": f"{fmean(changes):+.3f}" if changes else "–",
        "second better": str(better),
        "second worse": str(worse),
        "sign test p": f"{sign_test(better, worse):.3f}",
    })  # fmt: skip
    st.caption(
        "Judges' mean of the chosen proof. The sign test leaves equal problems out; it says nothing of the judges."
    )
    table(
        ["problem", left.name, right.name, "change", "people"],
        [_row(left, right, pair) for pair in paged(found, "pairs")],
        numeric=(3,),
    )


def _row(left: Found, right: Found, pair: Pair) -> list[str]:
    problem = pair.left.problem_id
    return [
        link(pair.left.name or problem, "problem", run=right.name, problem=problem),
        f"{link('read', 'problem', run=left.name, problem=problem)} {badge(pair.left_score)}",
        f"{link('read', 'problem', run=right.name, problem=problem)} {badge(pair.right_score)}",
        "–" if pair.change is None else f"{pair.change:+.2f}",
        f"{number(pair.left.human)} / {number(pair.right.human)}",
    ]
