"""Plots of a report, as PNG files beside it. Names of problems are never interpreted as mathematics or markup."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.document import Image
from core.plots import load_matplotlib, new_panels, save_plot
from evaluation.agreement import Agreement
from evaluation.calibration import bins_of
from evaluation.gather import ReportData
from evaluation.graders import VERIFIER
from evaluation.scores import ALL_SOURCES

MAX_PROBLEMS = 30
MAX_NAMED = 24
STYLES = ("-", "--", ":", "-.")  # of entrants; problems differ in color
Draw = Callable[[Any], None]
CAPTIONS = {
    "rounds.png": "Mean verdict by problem and round.",
    "cost.png": "Mean verdict on the final proof of an attempt against the completion tokens of the attempt.",
    "calibration.png": "Score by the better grader against the mean verdict; the diagonal is perfect calibration.",
    "disagreement.png": "Standard deviation of the verdicts on a proof against their mean.",
}


def draw_all(data: ReportData, agreements: Sequence[Agreement], folder: Path) -> list[Image]:
    """Writes every plot for which there is data; returns them as blocks of the report.

    Raises:
        LemmataError: matplotlib is not installed.
    """
    load_matplotlib(hint=", or set plots=false")
    whole = [each for each in agreements if each.source == ALL_SOURCES] or list(agreements)
    wanted: list[tuple[str, bool, Draw]] = [
        ("rounds.png", bool(data.rounds), lambda axes: _rounds(axes, data)),
        ("cost.png", _has_cost(data), lambda axes: _cost(axes, data)),
        ("calibration.png", bool(whole), lambda axes: _calibration(axes, whole)),
        ("disagreement.png", _has_std(data), lambda axes: _disagreement(axes, data)),
    ]
    return [
        save_plot(folder / name, CAPTIONS[name], partial(_plot, draw)) for name, has_data, draw in wanted if has_data
    ]


def _plot(draw: Draw) -> Any:
    figure, (axes,) = new_panels(1, 1, 7.5, 4.5)
    draw(axes)
    if 0 < len(axes.get_legend_handles_labels()[1]) <= MAX_NAMED:
        figure.legend(loc="outside right upper")
    return figure


def _rounds(axes: Any, data: ReportData) -> None:
    means = {key: total / count for key, (total, count) in data.rounds.items()}
    lines = list(dict.fromkeys((entrant, problem) for entrant, problem, _ in means))
    entrants, problems = (list(dict.fromkeys(names)) for names in zip(*lines, strict=True))
    for entrant, problem in lines[:MAX_PROBLEMS]:
        rounds = sorted(key[2] for key in means if key[:2] == (entrant, problem))
        values = [means[entrant, problem, number] for number in rounds]
        style = STYLES[entrants.index(entrant) % len(STYLES)]
        color = f"C{problems.index(problem) % 10}"
        label = f"{problem[:30]} ({entrant})" if len(entrants) > 1 else problem[:30]
        axes.plot(rounds, values, style, color=color, marker="o", markersize=3, linewidth=1, label=label)
    axes.set(xlabel="round", ylabel="mean verdict", ylim=(-0.03, 1.03))
    axes.xaxis.get_major_locator().set_params(integer=True)


def _cost(axes: Any, data: ReportData) -> None:
    for entrant in data.entrants:
        points = [
            (outcome.proving.completion_tokens + outcome.judging.completion_tokens, grade.score)
            for outcome in data.attempts
            if outcome.entrant == entrant and outcome.chosen and (grade := outcome.chosen.grades.get(VERIFIER))
        ]
        if points:
            axes.scatter(*zip(*points, strict=True), s=14, alpha=0.6, label=entrant)
    axes.set(xlabel="completion tokens of an attempt at a problem", ylabel="mean verdict of the final proof")


def _calibration(axes: Any, agreements: Sequence[Agreement]) -> None:
    axes.plot([0, 1], [0, 1], color="#8888", linewidth=1)
    for each in agreements:
        bins = bins_of(each.pairs)
        sizes = [20 + 6 * bin_.count**0.7 for bin_ in bins]
        x, y = [bin_.predicted for bin_ in bins], [bin_.gold for bin_ in bins]
        axes.plot(x, y, linewidth=0.8, alpha=0.6)
        axes.scatter(x, y, s=sizes, alpha=0.7, label=f"{each.grader} against {each.gold}")
    axes.set(xlabel="mean verdict", ylabel="mean score by the better grader")


def _disagreement(axes: Any, data: ReportData) -> None:
    for entrant in data.entrants:
        points = [
            (grade.score, entry.verdict_std)
            for entry in data.entries
            if entry.entrant == entrant and (grade := entry.grades.get(VERIFIER)) and entry.verdict_std is not None
        ]
        if points:
            axes.scatter(*zip(*points, strict=True), s=14, alpha=0.6, label=entrant)
    axes.set(xlabel="mean verdict", ylabel="standard deviation of the verdicts")


def _has_cost(data: ReportData) -> bool:
    return any(
        outcome.chosen and VERIFIER in outcome.chosen.grades and outcome.proving.completion_tokens
        for outcome in data.attempts
    )


def _has_std(data: ReportData) -> bool:
    return any(entry.verdict_std is not None for entry in data.entries)
