"""``lemmata report RUN``: tables and plots of a co-training run, or of seeds of one recipe, from their files."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from core.config import read_config
from core.errors import LemmataError
from core.store import Run, difference
from lemmata.cotrain_report import unfinished, write_report
from lemmata.cotrain_tables import Table, headlines
from lemmata.terminal import plain
from rl.recipe.config import CotrainConfig
from rl.recipe.summary import summarize

# What runs of one recipe may differ in: nothing that changes what is learnt, but for the seed.
MAY_DIFFER = ("run", "seed", "train.threads", "train.loggers", "train.rollouts_every", "train.checkpoint")


def report_command(arguments: Sequence[str]) -> int:
    """Write the report and print its main table."""
    parser = argparse.ArgumentParser(
        prog="lemmata report", description="Tables and plots of co-training, from the files of its runs alone."
    )
    parser.add_argument("run", nargs="+", help="folder of a run of `lemmata cotrain`; several: seeds of one recipe")
    parser.add_argument("out", nargs="?", help="out=FOLDER: where the report goes, else RUN/report")
    given = [argument.removeprefix("run=") for argument in arguments if not argument.startswith("out=")]
    folders = parser.parse_args(given).run
    out = _out([argument for argument in arguments if argument.startswith("out=")], folders)
    runs = [Run.read(folder) for folder in folders]
    configs = [recorded_recipe(run) for run in runs]
    _one_recipe(runs)
    summaries = [summarize(config, run.folder) for config, run in zip(configs, runs, strict=True)]
    write_report(summaries, configs[0].iterations, out)
    console = Console(highlight=False)
    console.print(rich_table(headlines(summaries, configs[0].iterations)))
    for summary in summaries:
        if summary.missing:
            console.print(plain(f"{summary.folder}: {unfinished(summary)}", "yellow"), soft_wrap=True)
    console.print(plain(f"Read it: {out / 'report.md'}"), soft_wrap=True)
    return 0


def rich_table(table: Table) -> RichTable:
    """A table for the terminal, its cells as they are."""
    made = RichTable(box=None, pad_edge=False, caption=plain(table.note), caption_justify="left")
    for place, title in enumerate(table.header):
        made.add_column(plain(title), overflow="fold", justify="right" if place else "left")
    for row in table.rows:
        made.add_row(*(plain(cell) for cell in row))
    return made


def _out(given: Sequence[str], folders: Sequence[str]) -> Path:
    if given:
        return Path(given[-1].removeprefix("out="))
    if len(folders) > 1:
        raise LemmataError("a report of several runs needs a folder of its own: out=FOLDER")
    return Path(folders[0]) / "report"


def recorded_recipe(run: Run) -> CotrainConfig:
    """The settings of a run of `lemmata cotrain`. Raises LemmataError where it is one of another command."""
    found = run.manifest.get("config")
    config = dict(found) if isinstance(found, Mapping) else {}
    command = config.pop("command", None)
    if command != "cotrain":
        raise LemmataError(
            f"{run.folder} is a run of `lemmata {command}`; `lemmata report` reads those of `lemmata cotrain`"
        )
    return read_config(CotrainConfig, config, "")


def _one_recipe(runs: Sequence[Run]) -> None:
    first = runs[0]
    for other in runs[1:]:
        apart = difference(first.manifest["config"], other.manifest["config"], MAY_DIFFER)
        if apart:
            shown = "; ".join(f"{key}: {one!r} and {two!r}" for key, one, two in apart[:5])
            raise LemmataError(
                f"{first.folder} and {other.folder} are not runs of one recipe: {shown}. Report each alone."
            )
    seeds = [run.manifest["config"]["seed"] for run in runs]
    if len(set(seeds)) < len(seeds):
        raise LemmataError(f"runs of one seed are no seeds of one recipe: seeds {', '.join(map(str, seeds))}")
