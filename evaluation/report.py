"""The report of one or several runs: a folder with report.md, report.html, plots, and a parquet table of all proofs."""

import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from core.config import STRICT, Name, settings
from core.document import Block, Heading, Table, Text, Verbatim, html, markdown
from core.errors import LemmataError
from core.statistics import IntervalConfig
from evaluation import sections
from evaluation.agreement import Agreement, agreements
from evaluation.folders import Part, parts_of
from evaluation.gather import Gathered, gather
from evaluation.location import locations
from evaluation.plots import draw_all
from evaluation.scores import Score, scores

TITLE = "Contest report"
LIBRARIES = ("lemmata", "numpy", "pyarrow", "openai", "matplotlib", "math-verify", "torch")


@settings(frozen=True, config=STRICT)
class ReportConfig:
    """``run``: one folder or several; ``out``: where the report goes. ``half_at``: share of the marks from which a
    proof is of the class 0.5. ``plots`` need matplotlib.
    """

    run: Name | tuple[Name, ...]
    out: Name
    half_at: Annotated[float, Field(gt=0, lt=1)]
    plots: bool
    intervals: IntervalConfig

    @property
    def runs(self) -> tuple[str, ...]:
        """The folders."""
        return (self.run,) if isinstance(self.run, str) else self.run


def write_report(config: ReportConfig) -> tuple[Gathered, Sequence[Score], Sequence[Agreement]]:
    """Write the report; returns its figures for the terminal.

    Raises:
        LemmataError: a folder is no run, two runs share a name, the report cannot be written, or matplotlib is missing.
    """
    parts = _parts(config.runs)
    folder = Path(config.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LemmataError(f"cannot make {folder}: {error}. Choose another out=FOLDER.") from error
    gathered = gather(parts, folder / "proofs.parquet")
    found = scores(gathered, config.intervals)
    agreed = agreements(gathered.marked, config.half_at, config.intervals)
    figures = draw_all(gathered, agreed, folder) if config.plots else []
    blocks: list[Block] = [
        *_head(gathered),
        *sections.attempt_section(gathered),
        *sections.score_section(found),
        *sections.junk_section(gathered),
        *sections.agreement_section(agreed, config.half_at),
        *sections.location_section(locations(parts, gathered.marked, config.intervals)),
        *sections.comparison_section(gathered, config.intervals),
        *sections.cost_section(gathered),
        *([Heading("Plots"), *figures] if figures else []),
        *sections.problem_section(gathered.attempts),
        *sections.patch_section(gathered.attempts),
        *_rerun(config, parts),
    ]
    _write(folder / "report.md", markdown(blocks))
    _write(folder / "report.html", html(TITLE, blocks))
    return gathered, found, agreed


def _parts(runs: Sequence[str]) -> list[Part]:
    parts = [part for run in runs for part in parts_of(run)]
    twice = [part for part in parts if sum((p.entrant, p.attempt) == (part.entrant, part.attempt) for p in parts) > 1]
    if twice:
        raise LemmataError(f"two of the runs are called {twice[0].entrant}: give folders with different names.")
    return parts


def _head(gathered: Gathered) -> list[Block]:
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
        for part in gathered.parts
    ]
    columns = ("entrant", "attempt", "run", "command", "started", "lemmata", "commit")
    said = f"{gathered.proofs} proofs of {len({o.problem_id for o in gathered.outcomes})} problems."
    return [Heading(TITLE, 1), Text(said), Table(columns, rows)]


def _rerun(config: ReportConfig, parts: Sequence[Part]) -> list[Block]:
    """Settings, versions, seeds and commits."""
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
    blocks: list[Block] = [Heading("To run it again"), Heading("This report", 3), Verbatim(_yaml(own))]
    for part in parts:
        if part.attempt in (0, None):  # the other attempts differ in their seed alone
            name = "control" if part.is_control else "attempt 0"
            blocks += [Heading(f"{part.entrant}, {name}", 3), Verbatim(_yaml(_without_headers(part.run.manifest)))]
    return blocks


def _without_headers(value: Any) -> Any:
    """Settings as they are, but for the headers of requests: a report is passed on, and they may hold a key."""
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
        raise LemmataError(f"cannot write {path}: {error}. Choose another out=FOLDER.") from error
