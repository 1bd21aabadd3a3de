"""``lemmata report RUN``: the report of a co-training run, or of several seeds of one recipe, from their files."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from core.document import Table, shown
from core.errors import LemmataError
from core.store import Run
from lemmata.terminal import plain
from lemmata.training import model_digest
from rl.report.beside import Compared, compare_runs
from rl.report.document import unfinished, write_report
from rl.report.runs import recorded_recipe, require_one_recipe
from rl.report.summary import Summary, summarize
from rl.report.tables import headlines


def report_command(arguments: Sequence[str]) -> int:
    """Writes the report and prints its main table."""
    parser = argparse.ArgumentParser(
        prog="lemmata report", description="Tables and plots of co-training, from the files of its runs alone."
    )
    parser.add_argument("run", nargs="+", help="folder of a run of `lemmata cotrain`; several: seeds of one recipe")
    parser.add_argument("out", nargs="?", help="out=FOLDER: folder of the report; without it, RUN/report")
    parser.add_argument("beside", nargs="?", help="beside=FOLDER: a run of another recipe from the same base")
    options = dict(argument.split("=", 1) for argument in arguments if argument.startswith(("out=", "beside=")))
    given = [argument for argument in arguments if not argument.startswith(("out=", "beside="))]
    folders = parser.parse_args([argument.removeprefix("run=") for argument in given]).run
    out = _out(options.get("out"), folders)
    runs = [Run.read(folder) for folder in folders]
    configs = [recorded_recipe(run) for run in runs]
    require_one_recipe(runs)
    summaries = [summarize(config, run.folder) for config, run in zip(configs, runs, strict=True)]
    beside = _beside(folders, summaries[0], options["beside"]) if "beside" in options else None
    write_report(summaries, configs[0].iterations, out, beside)
    console = Console(highlight=False)
    console.print(rich_table(headlines(summaries, configs[0].iterations)))
    for summary in summaries:
        if summary.missing:
            console.print(plain(f"{summary.folder}: {unfinished(summary)}", "yellow"), soft_wrap=True)
    console.print(plain(f"Read it: {out / 'report.md'}"), soft_wrap=True)
    return 0


def rich_table(table: Table) -> RichTable:
    """``table`` for the terminal."""
    made = RichTable(box=None, pad_edge=False, caption=plain(table.caption), caption_justify="left")
    for place, title in enumerate(table.columns):
        made.add_column(plain(title), overflow="fold", justify="right" if place else "left")
    for row in table.rows:
        made.add_row(*(plain(shown(cell)) for cell in row))
    return made


def _beside(folders: Sequence[str], summary: Summary, other: str) -> tuple[Path, Compared]:
    """The comparison to a run from the same base. Raises LemmataError where the bases differ."""
    if len(folders) > 1:
        raise LemmataError("beside=FOLDER compares one run with one other: give one run")
    recorded_recipe(Run.read(other))
    bases = [Path(folder) / "steps" / "base" / "model" for folder in (folders[0], other)]
    if missing := [base for base in bases if not base.is_dir()]:
        raise LemmataError(f"{missing[0]}: there is no base yet; run the same `lemmata cotrain` again")
    if model_digest(str(bases[0])) != model_digest(str(bases[1])):
        raise LemmataError(
            f"{folders[0]} and {other} do not begin from one base; start the second with base={bases[0]}"
        )
    return Path(other), compare_runs(Path(folders[0]), Path(other), list(summary.models))


def _out(given: str | None, folders: Sequence[str]) -> Path:
    if given is not None:
        return Path(given)
    if len(folders) > 1:
        raise LemmataError("a report of several runs has no default folder: give out=FOLDER")
    return Path(folders[0]) / "report"
