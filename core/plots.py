"""Plots of reports: matplotlib on demand, one style, and PNG files as blocks of a document."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from core.document import Image
from core.errors import LemmataError

Axes = Any  # matplotlib's, which is imported only where something is drawn
STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "text.parse_math": False,  # names of problems and steps are never mathematics
    "savefig.dpi": 130,
}


def load_matplotlib(name: str = "matplotlib", hint: str = "") -> Any:
    """The module ``name``; ``hint`` ends the message of the error. Raises LemmataError without matplotlib."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise LemmataError(f"plots need matplotlib: pip install '.[report]'{hint}") from error


def new_panels(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Any, list[Axes]]:
    """A figure of ``rows`` x ``columns`` panels of this size in inches, and their axes row by row."""
    figure = load_matplotlib("matplotlib.figure").Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [one for row in axes for one in row]


def save_plot(path: Path, caption: str, plot: Callable[[], Any]) -> Image:
    """Draws the figure that ``plot`` returns and writes it to ``path``, without metadata. Raises OSError."""
    with load_matplotlib().rc_context(STYLE):
        plot().savefig(path, metadata={"Software": None})
    return Image(path.name, caption)
