"""Plots of training: rewards, the judge's score beside the truth, losses, and what else is logged."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.plots import Axes, new_panels

Curve = Sequence[tuple[int, float]]
COLORS = ("#1f5fa8", "#d1602b", "#2e8b57", "#8a4fa3", "#7a7a7a")
AGAINST_TRUTH = "validation, against truth"
WINDOWS = 25  # a curve is smoothed over 1/WINDOWS of its steps


def training_plot(step: str, curves: Mapping[str, Curve]) -> Any:
    """Rewards, the judge's score beside the truth, and the other curves, each where the training has it."""
    panels_of = [(title, names) for title, names in _training_panels(curves) if names]
    columns = min(3, len(panels_of)) or 1
    figure, panels = new_panels(-(-len(panels_of) // columns) or 1, columns, 3.6, 2.6)
    for axes, (title, names) in zip(panels, panels_of, strict=False):
        for place, (name, label) in enumerate(names.items()):
            validation = name.startswith("validation/")
            _curve(axes, curves[name], COLORS[place % len(COLORS)], label, raw=validation)
        axes.set_title(title)
        axes.set_xlabel("step")
        if len(names) > 1 or title in ("KL", AGAINST_TRUTH):
            axes.legend()
    for axes in panels[len(panels_of) :]:
        axes.set_visible(False)
    figure.suptitle(step, fontsize=11)
    return figure


def _training_panels(curves: Mapping[str, Curve]) -> Iterator[tuple[str, dict[str, str]]]:
    """Panels: titles, and the curves of each with their labels."""

    def known(**names: str) -> dict[str, str]:
        return {name: label for label, name in names.items() if name in curves}

    yield "reward", known(training="reward", validation="validation/reward")
    starts = [name.removesuffix("truth") for name in curves if name.startswith("reward/") and name.endswith("truth")]
    for start in starts:
        kind = start.removeprefix("reward/").rstrip("/")
        title = f"judge and truth: {kind}" if kind else "judge and truth"
        yield title, {f"{start}proof": "judge", f"{start}truth": "truth"} if f"{start}proof" in curves else {}
    exact = [name for name in curves if name.startswith("validation/reward") and name.endswith(("/pass", "/exact"))]
    yield AGAINST_TRUTH, {name: name.removeprefix("validation/reward/") for name in exact}
    yield "loss", known(training="loss", validation="validation/loss") if "reward" not in curves else {}
    yield "token accuracy", known(training="token_accuracy", validation="validation/token_accuracy")
    yield "entropy", known(entropy="entropy")
    yield "KL", {name: name for name in curves if name in ("kl", "mismatch_kl") or name.startswith("kl/")}
    yield "answers: length in tokens", known(length="length")
    yield "answers: share cut off", known(truncated="truncated")


def _curve(axes: Axes, curve: Curve, color: str, label: str, *, raw: bool) -> None:
    steps, values = [step for step, _ in curve], [value for _, value in curve]
    width = 1 if raw else max(1, len(values) // WINDOWS)
    if width > 1:
        axes.plot(steps, values, color=color, lw=0.6, alpha=0.3)
    # Each point is the mean of the steps up to it, never of later ones.
    smooth = [sum(part) / len(part) for end in range(1, len(values) + 1) if (part := values[max(0, end - width) : end])]
    axes.plot(steps, smooth, "o-" if raw or len(values) < 10 else "-", ms=3, color=color, label=label)
