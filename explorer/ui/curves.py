"""Plots of curves: lines with their values under the pointer, a linear or logarithmic axis."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import streamlit as st

from explorer.math_markdown import plain_text
from explorer.training_log import Curve, thinned

COLORS = ("#2f8f99", "#d0654a", "#c2913a", "#5f9e6e", "#8f78b8", "#8a8375", "#4a93c9", "#b5607f", "#7a8f2f", "#a0643c")
MAX_POINTS = 400  # of one line
MAX_LINES = 10
PLOT_HEIGHT, LEGEND_ROW = 220, 20  # pixels
LONG_LABEL = 24  # characters from which a legend has one column
FEW = 40  # points up to which each is marked


@dataclass(frozen=True, slots=True)
class CurveLine:
    """A line of a plot. ``dashed`` tells lines of one color apart; equal ``color`` names have one color."""

    name: str
    curve: Curve
    color: str
    dashed: bool = False


def show_curves(
    title: str,
    lines: Sequence[CurveLine],
    *,
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
    unit: str = "step",
) -> None:
    """Shows a plot. ``low`` and ``high``: ends of the axis, which grows where a value lies beyond; ``unit``: of x."""
    points = [_rows(line, log=log) for line in lines[:MAX_LINES]]
    shown = [(place, line) for place, line in enumerate(lines[:MAX_LINES]) if points[place]]
    st.markdown(f"**{plain_text(title)}**")
    if not shown:
        st.caption("No value is above 0, so there is no logarithmic axis." if log else "There is no value yet.")
        return
    rows = [row for found in points for row in found]
    st.vega_lite_chart(rows, _spec(shown, rows, low=low, high=high, log=log, unit=unit), width="stretch")
    if len(lines) > MAX_LINES:
        st.caption(f"The first {MAX_LINES} of {len(lines)} lines.")


def _rows(line: CurveLine, *, log: bool) -> list[dict[str, Any]]:
    return [
        {"x": step, "y": value, "line": _label(line)}
        for step, value in thinned(line.curve, MAX_POINTS).points
        if isfinite(value) and (value > 0 or not log)
    ]


def _under_pointer(shown: Sequence[tuple[int, CurveLine]]) -> list[dict[str, Any]]:
    """Values of all lines at each place of the pointer: of a line without a point there, the one before."""
    steps = sorted({step for _, line in shown for step, _ in thinned(line.curve, MAX_POINTS).points})
    kept = steps[:: max(1, len(steps) // MAX_POINTS)]
    rows: list[dict[str, Any]] = [{"x": step} for step in kept]
    for place, line in shown:
        known = [step for step, _ in line.curve.points]
        for row in rows:
            at = bisect_right(known, row["x"]) - 1
            beyond = row["x"] > known[-1]
            row[f"s{place}"] = "–" if at < 0 or beyond else f"{line.curve.points[at][1]:.4g}"
    return rows


def _label(line: CurveLine) -> str:
    """Name of a line with its last value, for the legend."""
    return f"{line.name} {line.curve.points[-1][1]:.3g}"


def _spec(
    shown: Sequence[tuple[int, CurveLine]],
    rows: Sequence[dict[str, Any]],
    *,
    low: float | None,
    high: float | None,
    log: bool,
    unit: str,
) -> dict[str, Any]:
    """Vega-Lite specification; names of a run are data and titles of tooltips, never expressions or fields."""
    values = [row["y"] for row in rows]
    scale: dict[str, Any] = {"type": "log"} if log else {"zero": False, "nice": True}
    if not log and low is not None:
        scale["domainMin"] = min(low, *values)
    if not log and high is not None:
        scale["domainMax"] = max(high, *values)
    names = list(dict.fromkeys(line.color for _, line in shown))
    labels = [_label(line) for _, line in shown]
    colors = [COLORS[names.index(line.color) % len(COLORS)] for _, line in shown]
    dashes = [[5, 3] if line.dashed else [1, 0] for _, line in shown]
    columns = 1 if max(len(label) for label in labels) > LONG_LABEL else 2
    legend = {"orient": "bottom", "columns": columns, "labelLimit": 360, "title": None, "symbolType": "stroke"}
    x = {"field": "x", "type": "quantitative", "title": unit, "axis": {"tickMinStep": 1, "grid": False, "format": "d"}}
    near = {"name": "near", "select": {"type": "point", "on": "pointermove", "nearest": True, "encodings": ["x"],
                                       "clear": "pointerout"}}  # fmt: skip
    tips = [{"field": "x", "type": "quantitative", "title": unit}]
    tips += [{"field": f"s{place}", "type": "nominal", "title": line.name} for place, line in shown]
    return {
        "height": PLOT_HEIGHT + LEGEND_ROW * -(-len(shown) // columns),
        "encoding": {"x": x},
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 1.8, "clip": True, "point": len(rows) <= FEW},
                "encoding": {
                    "y": {"field": "y", "type": "quantitative", "title": None, "scale": scale,
                          "axis": {"format": ".3~g"}},
                    "color": {"field": "line", "type": "nominal", "scale": {"domain": labels, "range": colors},
                              "legend": legend},
                    "strokeDash": {"field": "line", "type": "nominal", "scale": {"domain": labels, "range": dashes},
                                   "legend": legend},
                },
            },
            {
                "data": {"values": _under_pointer(shown)},
                "params": [near],
                "mark": {"type": "rule", "color": "#8a8375"},
                "encoding": {
                    "opacity": {"condition": {"value": 0.7, "param": "near", "empty": False}, "value": 0},
                    "tooltip": tips,
                },
            },
        ],
    }  # fmt: skip
