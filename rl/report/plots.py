"""Plots of a co-training run (matplotlib), drawn from its summary alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.document import Image
from core.plots import Axes, new_panels, save_plot
from core.statistics import Estimate
from rl.report.metrics import MAIN
from rl.report.summary import ROLES, Summary, specialists
from rl.report.tables import TITLES
from rl.report.training_plots import COLORS, training_plot

GREY = "#8c8c8c"


def draw(run: Summary, out: Path, prefix: str = "") -> list[Image]:
    """Draws every plot that the run has estimates for into folder ``out``.

    Raises LemmataError where matplotlib is not installed, OSError where a file cannot be written.
    """
    return [save_plot(out / f"{prefix}{name}.png", name, plot) for name, plot in _plots(run)]


def _plots(run: Summary) -> Iterator[tuple[str, Callable[[], Any]]]:
    if len(run.iterations()) > 1:
        yield "iterations", lambda: iterations(run)
    if run.refinement:
        yield "refinement", lambda: refinement(run)
    for number in run.to_specialist:
        if rows := _compared(run, number):
            yield f"generators-{number}", lambda number=number, rows=rows: generators(run, number, rows)
    for step, found in run.labels.items():
        yield f"labels-{step}", lambda step=step, found=found: labels(step, found)
    for step, training in run.training.items():
        yield f"training-{step}", lambda step=step, training=training: training_plot(step, training["curves"])


def iterations(run: Summary) -> Any:
    """The main metrics from the cold start to the last generator."""
    models = run.iterations()
    figure, (axes,) = new_panels(1, 1, 6.4, 3.6)
    for place, name in enumerate(MAIN):
        estimates = [_main(run, model, name) for model in models]
        points = [(x + 0.04 * (place - 2), one) for x, one in enumerate(estimates) if one and one.value is not None]
        dashed = name.endswith("-real.jsonl")
        color = COLORS[list(dict.fromkeys(ROLES.values())).index(ROLES[name])]
        _dots(axes, points, color, f"{TITLES[name]}: {MAIN[name]}", "--" if dashed else "-")
    axes.set_xticks(range(len(models)), ["cold start" if model == "base" else model for model in models])
    _percent(axes)
    axes.set_title("From the cold start to each generator, with 95 % intervals", loc="left")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def refinement(run: Summary) -> Any:
    """pass@1, the best of N, and the same tokens as independent samples, by rounds."""
    models = list(run.refinement)
    columns = min(3, len(models))
    figure, panels = new_panels(-(-len(models) // columns), columns, 3.7, 3.1, sharey=True)
    for axes, model in zip(panels, models, strict=False):
        entries = run.refinement[model]
        count = entries[0]["chains"] if entries else 0
        _band(axes, [(e["round"], e["pass@1"]) for e in entries], COLORS[0], "refined: pass@1", "o-")
        _band(axes, [(e["round"], e["best"]) for e in entries], COLORS[1], f"refined: best of {count}", "s-")
        baselines = [(e["round"], e["independent"]) for e in entries if e["independent"] is not None]
        _band(axes, baselines, GREY, "same tokens, independent", "--", alpha=0.12)
        axes.set_xticks([entry["round"] for entry in entries])
        axes.set_title(model)
        axes.set_xlabel("round")
        _percent(axes)
        axes.set_ylabel("" if panels.index(axes) % columns else "%")
    for axes in panels[len(models) :]:
        axes.set_visible(False)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def generators(run: Summary, number: int, models: Sequence[str]) -> Any:
    """Every way to one model beside the specialist of each role."""
    names = [name for name in MAIN if any(_main(run, model, name) for model in models)]
    figure, panels = new_panels(1, len(names), 2.5, 0.24 * len(models) + 1.1, sharey=True)
    figure.set_figwidth(2.5 * len(names) + 1.6)
    for axes, name in zip(panels, names, strict=True):
        specialist = specialists(number)[ROLES[name]]
        for place, model in enumerate(models):
            if (one := _main(run, model, name)) and one.value is not None:
                color = COLORS[1] if model == specialist else COLORS[0]
                axes.errorbar(100 * one.value, place, xerr=_errors(one), fmt="o", ms=4, color=color, lw=1.2)
        best = _main(run, specialist, name)
        if best and best.value is not None:
            axes.axvline(100 * best.value, color=COLORS[1], lw=1, ls=":")
        title = TITLES[name].replace(", ", ",\n")
        axes.set_title(f"{title}:\n{MAIN[name]}", fontsize=9)
        axes.set_xlabel("%")
    panels[0].set_yticks(range(len(models)), models)
    panels[0].invert_yaxis()
    figure.suptitle(f"Iteration {number}: one model for all roles (orange: the specialist)", fontsize=10)
    return figure


def labels(step: str, found: Mapping[str, Any]) -> Any:
    """Share of proofs labeled and accuracy of the labels by n, a line for each k, at the recipe's m."""
    figure, panels = new_panels(1, 2, 3.9, 3.1)
    chosen = found["chosen"]
    curve = [one for one in found["curve"] if one["m"] == chosen["m"]]
    for axes, key, title in zip(panels, ("share", "accuracy"), ("share labeled", "accuracy of labels"), strict=True):
        for place, k in enumerate(sorted({one["k"] for one in curve})):
            points = [(one["n"], one[key]) for one in curve if one["k"] == k]
            color = COLORS[place % len(COLORS)]
            _band(axes, points, color, f"k={k}", "o-", alpha=0.15 if k == chosen["k"] else 0.0)
        if chosen[key].value is not None:
            axes.plot([chosen["n"]], [100 * chosen[key].value], "o", ms=10, mfc="none", mec="black", label="chosen")
        axes.set_title(title)
        axes.set_xlabel("analyses n")
        axes.set_xticks(sorted({one["n"] for one in curve}))
        axes.margins(0.1)
        axes.set_ylabel("%")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    figure.suptitle(f"{step}: automatic labels, m={chosen['m']}", fontsize=10)
    return figure


def _band(
    axes: Axes, points: Sequence[tuple[float, Estimate]], color: str, label: str, style: str, alpha: float = 0.18
) -> None:
    known = [(x, one.value, one.low, one.high) for x, one in points if one.value is not None]
    axes.plot([x for x, *_ in known], [100 * value for _, value, *_ in known], style, ms=3.5, color=color, label=label)
    bands = [(x, 100 * low, 100 * high) for x, _, low, high in known if low is not None and high is not None]
    if alpha and bands:
        xs, lows, highs = zip(*bands, strict=True)
        axes.fill_between(xs, lows, highs, color=color, alpha=alpha, lw=0)


def _dots(axes: Axes, points: Sequence[tuple[float, Estimate]], color: str, label: str, style: str) -> None:
    xs, values = [x for x, _ in points], [100 * (one.value or 0.0) for _, one in points]
    errors = list(zip(*([edge[0] for edge in _errors(one)] for _, one in points), strict=True))
    axes.errorbar(xs, values, yerr=errors or None, fmt="o", ls=style, ms=4, lw=1.4, color=color, label=label)


def _errors(one: Estimate) -> list[list[float]]:
    """Error bars below and above, in points; 0 where there is no interval."""
    value = one.value or 0.0
    low, high = (value if one.low is None else one.low), (value if one.high is None else one.high)
    return [[max(0.0, 100 * (value - low))], [max(0.0, 100 * (high - value))]]


def _percent(axes: Axes) -> None:
    axes.set_ylim(-3, 103)
    axes.set_ylabel("%")


def _main(run: Summary, model: str, name: str) -> Estimate | None:
    return run.models.get(model, {}).get(name, {}).get(MAIN[name])


def _compared(run: Summary, number: int) -> list[str]:
    return [model for model in run.to_specialist[number] if model in run.models]
