"""Evaluation report of one or more runs: a folder with report.md, report.html, plots and a table of all proofs."""

import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from core.config import STRICT, Name, settings
from core.document import Block, Heading, Image, Table, Text, Verbatim, counted, html, markdown
from core.errors import LemmataError
from core.statistics import IntervalConfig
from evaluation import leaderboard, quality_sections, sections
from evaluation.acceptance_curve import ErrorRates, gold_grader, rates_by_rule, unanimous_curve
from evaluation.agreement import Agreement, agreements
from evaluation.agreement_section import agreement_section
from evaluation.error_location import locations
from evaluation.folders import Part, parts_of
from evaluation.gather import ReportData, gather, write_grades
from evaluation.pairwise import pairwise_section
from evaluation.plots import draw_all
from evaluation.scores import Score, scores
from evaluation.verdict_changes import change_section

LIBRARIES = ("lemmata", "numpy", "pyarrow", "openai", "matplotlib", "math-verify", "torch")


@settings(frozen=True, config=STRICT)
class ReportConfig:
    """Settings of a report.

    ``run``: one folder or several. ``out``: folder of the report, with this ``title`` and a ``note`` under it.
    ``half_at``: share of the points from which a proof is in the class 0.5. ``plots`` need matplotlib.
    """

    run: Name | tuple[Name, ...]
    out: Name
    title: Name
    note: Name | None
    half_at: Annotated[float, Field(gt=0, lt=1)]
    plots: bool
    intervals: IntervalConfig

    @property
    def runs(self) -> tuple[str, ...]:
        """Folders of the runs."""
        return (self.run,) if isinstance(self.run, str) else self.run


def write_report(config: ReportConfig) -> tuple[ReportData, Sequence[Score], Sequence[Agreement]]:
    """Writes the report; returns its data, scores and agreements for the terminal.

    Raises:
        LemmataError: a folder is not a run, two runs share a name, the report cannot be written, or matplotlib is
            missing.
    """
    parts = _parts(config.runs)
    folder = Path(config.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LemmataError(f"cannot create {folder}: {error}; choose another out=FOLDER") from error
    data = gather(parts, folder / "proofs.parquet")
    found = scores(data, config.intervals)
    agreed = agreements(data.candidates, config.half_at, config.intervals)
    gold = gold_grader(data.candidates)
    curve = unanimous_curve(data.candidates, gold, config.intervals) if gold else []
    plots = draw_all(data, agreed, curve, folder, config.intervals) if config.plots else []
    write_grades(data, folder / "grades.parquet")
    blocks = _blocks(config, data, found, agreed, curve, gold, plots)
    _write(folder / "report.md", markdown(blocks))
    _write(folder / "report.html", html(config.title, blocks))
    return data, found, agreed


def _blocks(
    config: ReportConfig,
    data: ReportData,
    found: Sequence[Score],
    agreed: Sequence[Agreement],
    curve: Sequence[ErrorRates],
    gold: str | None,
    plots: Sequence[Image],
) -> list[Block]:
    """The report: results first, then what they rest on, then how to make them again."""
    intervals, half_at = config.intervals, config.half_at
    rules = rates_by_rule(data.candidates, gold, intervals) if gold else []
    return [
        *_head(config, data),
        *quality_sections.missing_section(data),
        *leaderboard.leaderboard_section(data, found, intervals),
        *sections.score_section(data, found),
        *sections.comparison_section(data, intervals),
        *leaderboard.group_section(data, intervals),
        *leaderboard.matrix_section(data),
        *sections.attempt_section(data),
        *sections.junk_section(data),
        *quality_sections.acceptance_section(rules, curve, gold),
        *agreement_section(agreed, half_at),
        *quality_sections.graders_section(data, half_at, intervals),
        *quality_sections.people_section(data, half_at, intervals),
        *change_section(data, intervals),
        *sections.location_section(locations(data.parts, data.candidates, intervals)),
        *pairwise_section(data),
        *quality_sections.answers_section(data),
        *quality_sections.efficiency_section(data),
        *sections.cost_section(data),
        *sections.tool_section(data),
        *([Heading("Plots"), *plots] if plots else []),
        *sections.problem_section(data),
        *sections.patch_section(data.attempts),
        *_runs(data),
        *_reproduction(config, data.parts),
    ]


def _parts(runs: Sequence[str]) -> list[Part]:
    parts = [part for run in runs for part in parts_of(run)]
    twice = [part for part in parts if sum((p.entrant, p.attempt) == (part.entrant, part.attempt) for p in parts) > 1]
    if twice:
        raise LemmataError(f"two of the runs have the name {twice[0].entrant}; give folders with different names")
    return parts


def _head(config: ReportConfig, data: ReportData) -> list[Block]:
    problems = len({outcome.problem_id for outcome in data.outcomes})
    entrants = counted(len(data.entrants), "entrant")
    graders = ", ".join(data.graders) or "none"
    total = f"{counted(data.proofs, 'proof')} of {counted(problems, 'problem')} by {entrants}. Graders: {graders}."
    note = [Text(config.note)] if config.note else []
    return [Heading(config.title, 1), *note, Text(total)]


def _runs(data: ReportData) -> list[Block]:
    rows = [
        (
            part.entrant,
            "control" if part.is_control else part.attempt,
            str(part.run.folder),
            part.run.manifest["config"].get("command"),
            part.run.manifest.get("created"),
            part.run.manifest.get("lemmata"),
            part.run.manifest.get("commit"),
        )
        for part in data.parts
    ]
    columns = ("entrant", "attempt", "run", "command", "started", "lemmata", "commit")
    return [Heading("Runs"), Table(columns, rows)]


def _reproduction(config: ReportConfig, parts: Sequence[Part]) -> list[Block]:
    """Settings, versions, seeds and commits with which to reproduce the report."""
    known = {}
    for name in LIBRARIES:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            continue
    own = {
        "run": list(config.runs),
        "half_at": config.half_at,
        "intervals": {
            "seed": config.intervals.seed,
            "resamples": config.intervals.resamples,
            "level": config.intervals.level,
        },
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "libraries": known,
    }
    blocks: list[Block] = [Heading("Reproduction"), Heading("This report", 3), Verbatim(_yaml(own))]
    for part in parts:
        if part.attempt in (0, None):  # the other attempts differ in their seed alone
            name = "control" if part.is_control else "attempt 0"
            blocks += [Heading(f"{part.entrant}, {name}", 3), Verbatim(_yaml(_without_headers(part.run.manifest)))]
    return blocks


def _without_headers(value: Any) -> Any:
    """Settings without the headers of requests, which may contain a key: a report is shared with others."""
    if isinstance(value, list):
        return [_without_headers(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {key: "(not shown)" if key == "headers" and item else _without_headers(item) for key, item in value.items()}


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise LemmataError(f"cannot write {path}: {error}; choose another out=FOLDER") from error
