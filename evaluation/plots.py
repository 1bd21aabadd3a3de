"""Plots of a report, as PNG files beside it. Names of problems are never interpreted as mathematics or markup."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from core.document import Image, natural
from core.plots import load_matplotlib, new_panels, save_plot
from core.statistics import Estimate, IntervalConfig
from evaluation.acceptance_curve import ErrorRates
from evaluation.agreement import Agreement
from evaluation.calibration import bins_of
from evaluation.gather import ReportData
from evaluation.graders import VERIFIER
from evaluation.leaderboard import mean_scores
from evaluation.scores import ALL_SOURCES

MAX_NAMED = 24
STYLES = ("-", "--", ":", "-.")  # of entrants; problems differ in color
Draw = Callable[[Any], None]
CAPTIONS = {
    "leaderboard.png": "Mean score of the entrants with 95 % intervals, by the most trusted grader.",
    "acceptance.png": "False accepts and false rejects of unanimous panels by their size, with intervals.",
    "rounds.png": "Mean verdict by problem and round.",
    "cost.png": "Mean verdict on the final proof of an attempt against the completion tokens of the attempt.",
    "calibration.png": "Score by the better grader against the mean verdict; the diagonal is perfect calibration.",
    "disagreement.png": "Standard deviation of the verdicts on a proof against their mean.",
}


def draw_all(
    data: ReportData, agreements: Sequence[Agreement], curve: Sequence[ErrorRates], folder: Path, config: IntervalConfig
) -> list[Image]:
    """Writes every plot for which there is data; returns them as blocks of the report.

    Raises:
        LemmataError: matplotlib is not installed.
    """
    load_matplotlib(hint=", or set plots=false")
    whole = [each for each in agreements if each.source == ALL_SOURCES] or list(agreements)
    ranked = mean_scores(data, config)
    wanted: list[tuple[str, bool, Draw]] = [
        ("leaderboard.png", bool(ranked), lambda axes: _leaderboard(axes, ranked)),
        ("acceptance.png", len(curve) > 1, lambda axes: _acceptance(axes, curve)),
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
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > MAX_NAMED:
        handles, labels = handles[:MAX_NAMED], [*labels[: MAX_NAMED - 1], f"{len(labels) - MAX_NAMED + 1} more"]
    figure.legend(handles, labels, loc="outside right upper")
    return figure


def _leaderboard(axes: Any, ranked: Mapping[str, Estimate]) -> None:
    for place, (entrant, found) in enumerate(reversed(list(ranked.items()))):
        value = 100 * (found.value or 0.0)
        low, high = (100 * bound if bound is not None else value for bound in (found.low, found.high))
        errors = [[max(value - low, 0.0)], [max(high - value, 0.0)]]
        axes.barh(place, value, xerr=errors, height=0.6, capsize=3, alpha=0.75, label=entrant, ecolor="#444")
    axes.set(xlabel="mean score, percent", xlim=(0, 105), yticks=[])
    axes.grid(axis="y", visible=False)


def _acceptance(axes: Any, curve: Sequence[ErrorRates]) -> None:
    verifiers = list(dict.fromkeys(each.verifier for each in curve))
    for number, verifier in enumerate(verifiers):
        own = [each for each in curve if each.verifier == verifier]
        name, style = f" ({verifier})" if len(verifiers) > 1 else "", STYLES[number % len(STYLES)]
        accepts, rejects = [each.false_accepts for each in own], [each.false_rejects for each in own]
        _error_curve(axes, own, accepts, f"false accepts, of incorrect proofs{name}", f"C3{style}")
        _error_curve(axes, own, rejects, f"false rejects, of correct proofs{name}", f"C0{style}")
    axes.set(xlabel="verdicts in the unanimous panel", ylabel="percent", ylim=(-2, 102))
    axes.xaxis.get_major_locator().set_params(integer=True)


def _error_curve(axes: Any, curve: Sequence[ErrorRates], rates: Sequence[Estimate], label: str, style: str) -> None:
    known = [(each.size, rate) for each, rate in zip(curve, rates, strict=True) if rate.value is not None]
    sizes = [size for size, _ in known]
    color, line = style[:2], style[2:]
    axes.plot(sizes, [100 * (rate.value or 0) for _, rate in known], line, marker="o", color=color, label=label)
    low, high = ([100 * (bound if bound is not None else rate.value or 0)
                  for (_, rate), bound in zip(known, bounds, strict=True)]
                 for bounds in ([rate.low for _, rate in known], [rate.high for _, rate in known]))  # fmt: skip
    axes.fill_between(sizes, low, high, color=color, alpha=0.15)


def _rounds(axes: Any, data: ReportData) -> None:
    means = {key: total / count for key, (total, count) in data.rounds.items()}
    lines = list(dict.fromkeys((entrant, problem) for entrant, problem, _ in means))
    entrants = list(dict.fromkeys(entrant for entrant, _ in lines))
    few = len(lines) <= MAX_NAMED
    for number, (entrant, problem) in enumerate(sorted(lines, key=lambda line: (line[0], natural(line[1])))):
        rounds = sorted(key[2] for key in means if key[:2] == (entrant, problem))
        values = [means[entrant, problem, each] for each in rounds]
        place = entrants.index(entrant)
        named = f"{problem[:30]} ({entrant})" if len(entrants) > 1 else problem[:30]
        # Beyond a few lines, a line stands for a problem of its entrant, whose mean is drawn over them.
        style = {"color": f"C{number % 10}", "label": named} if few else {"color": f"C{place % 10}", "alpha": 0.15}
        axes.plot(rounds, values, STYLES[place % len(STYLES)], marker="o", markersize=3, linewidth=1, **style)
    for place, entrant in enumerate(() if few else entrants):
        rounds = sorted({key[2] for key in means if key[0] == entrant})
        values = [
            fmean(value for key, value in means.items() if key[0] == entrant and key[2] == each) for each in rounds
        ]
        style = STYLES[place % len(STYLES)]
        axes.plot(
            rounds, values, style, color=f"C{place % 10}", linewidth=2.5, label=f"{entrant}, mean of its problems"
        )
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
    axes.plot([0, 1], [0, 1], color="#8888", linewidth=1, label="perfect calibration")
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
