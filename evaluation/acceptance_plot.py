"""Plot of acceptance curves: false accepts and rejects over the number of analyses, a panel for each kind of proof."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.document import Image
from core.plots import new_panels, save_plot
from refine.acceptance_curves import CurvePoint

COLUMNS = 3
CAPTION = (
    "Share of proofs decided wrongly over the number of analyses, one line for each rule, bands: 95 % intervals of "
    "the first. Panels: false accepts of wrong proofs and false rejects of complete ones, by kind."
)


def draw_curves(points: Sequence[CurvePoint], path: Path) -> Image:
    """Writes the plot. Raises LemmataError without matplotlib, OSError where it cannot be written."""
    panels = list(dict.fromkeys((point.kind, point.wrong) for point in points))
    return save_plot(path, CAPTION, lambda: _figure(points, panels))


def _figure(points: Sequence[CurvePoint], panels: Sequence[tuple[str, bool]]) -> Any:
    rows = -(-len(panels) // COLUMNS)
    figure, axes = new_panels(rows, COLUMNS, 4.2, 3.2, sharex=True)
    for one, (kind, wrong) in zip(axes, panels, strict=False):
        _panel(one, [point for point in points if (point.kind, point.wrong) == (kind, wrong)])
        one.set_title(f"false {'accepts' if wrong else 'rejects'}: {kind}")
    for one in axes[len(panels) :]:
        one.set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _panel(axes: Any, points: Sequence[CurvePoint]) -> None:
    for place, rule in enumerate(dict.fromkeys(point.rule for point in points)):
        line = [point for point in points if point.rule == rule and point.share.value is not None]
        numbers = [point.n for point in line]
        style = ("-", "--", ":", "-.")[place % 4]
        axes.plot(numbers, [100 * (point.share.value or 0.0) for point in line], style, marker=".", label=rule)
        bounded = [point for point in line if point.share.low is not None and point.share.high is not None]
        if place == 0 and bounded:
            low, high = ([100 * (getattr(point.share, end) or 0.0) for point in bounded] for end in ("low", "high"))
            axes.fill_between([point.n for point in bounded], low, high, alpha=0.15)
    axes.set_xscale("log", base=2)
    axes.set_xticks([1, 2, 4, 8, 16], labels=["1", "2", "4", "8", "16"])
    axes.set_xlabel("analyses")
    axes.set_ylabel("percent")
    axes.set_ylim(-2, 102)
