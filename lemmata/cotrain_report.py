"""The report of co-training runs as a folder: report.md, its plots, and figures.json with every number."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from core.errors import LemmataError
from core.statistics import IntervalConfig
from lemmata import cotrain_tables as tables
from lemmata.cotrain_plots import draw
from lemmata.cotrain_tables import Table
from rl.recipe.figures import MAIN
from rl.recipe.summary import Summary

_HIDDEN = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd")
INTERVALS = IntervalConfig()
LEGEND = f"""Shares are in percent, scores between 0 and 1. [95 % interval] (items counted). Intervals: Wilson's where
every item has a theorem of its own, and where a share is exactly 0 or 100 % (then with the number of theorems for
the count); else a bootstrap that draws whole theorems ({INTERVALS.resamples} resamples, seed {INTERVALS.seed}). No
interval: no spread between theorems. What cannot be read counts as wrong and accepts nothing;
`mean_absolute_error` alone is over readable scores, and `unreadable` is the share of the others. `precision` and
`recall` are of acceptance: by one analysis that gives 1, or, `_all`, by all analyses of a proof. `baseline`: the
accuracy of always giving the most frequent truth. `honesty_gap`: of the proofs that are not complete, the share
that the prover scores 1 nevertheless."""
OF_REFINEMENT = """A chain that stopped keeps its last proof. `best of N`: the chain of the highest self-score, the
earliest of equals. `same tokens, independent`: the best by self-score of k first-round samples, where k is the tokens
of a chain by that round over those of round 1; mean over all subsets of k of the recorded first-round samples, linear
between whole numbers (a dash: more than were recorded). `gain over it` is pass@1 less that, paired by theorem."""


def write_report(runs: Sequence[Summary], iterations: int, out: Path) -> None:
    """Write the folder ``out``. Raises LemmataError where it cannot be written or matplotlib is missing."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        plots = [
            name for place, run in enumerate(runs, 1) for name in draw(run, out, f"{place}-" if len(runs) > 1 else "")
        ]
        (out / "figures.json").write_text(_json(runs), encoding="utf-8")
        (out / "report.md").write_text(markdown(runs, iterations, plots), encoding="utf-8")
    except OSError as error:
        raise LemmataError(
            f"the report cannot be written to {out}: {error}. Give another folder: out=FOLDER"
        ) from error


def markdown(runs: Sequence[Summary], iterations: int, plots: Sequence[str]) -> str:
    """The report as text; ``plots``: files beside it."""
    parts = ["# Co-training", *(_about(run) for run in runs), LEGEND]
    for heading, found, explained in sections(runs, iterations):
        shown = [_markdown_table(table) for table in found if table.rows]
        if shown:
            parts += [f"## {heading}", *([explained] if explained else []), *shown]
    parts += ["## Plots", *(f"![{name}]({name})" for name in plots)] if plots else []
    return "\n\n".join(parts) + "\n"


def sections(runs: Sequence[Summary], iterations: int) -> Iterator[tuple[str, list[Table], str]]:
    """Headings with their tables and what explains them."""
    last = f"{iterations}-generator"
    yield (
        "Main figures",
        [tables.headlines(runs, iterations), *([tables.by_run(runs, last)] if len(runs) > 1 else [])],
        "",
    )
    yield "Gains by iteration", [tables.iterations_table(runs, iterations)], ""
    yield "One model for all roles", [tables.generators(runs, number) for number in range(1, iterations + 1)], ""
    yield "Choice of the generator", [tables.choices_table(runs)], ""
    models = dict.fromkeys(model for run in runs for model in run.refinement)
    yield "Refinement", [tables.refinement_table(runs, model) for model in models], OF_REFINEMENT
    yield "R_meta", [_r_meta(runs, name) for name in ("verifier.jsonl", "verifier-real.jsonl")], ""
    yield "Labels", [tables.labels_table(runs)], "The curve over n, m and k is in figures.json."
    yield "Over-optimization", [tables.judges_table(runs)], ""
    yield "Every model", [tables.models_table(runs, name) for name in MAIN], ""
    yield (
        "Differences to the cold start",
        [_since_base(runs, name) for name in MAIN],
        "Points, or differences of scores.",
    )
    yield "Cost", [tables.costs_table(runs)], ""


def _r_meta(runs: Sequence[Summary], name: str) -> Table:
    title = "the verifier with R_meta less itself before"
    return tables.difference_table(title, ["1-verifier"], name, lambda run, model: run.r_meta.get(name, {}), runs)


def _since_base(runs: Sequence[Summary], name: str) -> Table:
    models = dict.fromkeys(model for run in runs for model in run.since_base)
    return tables.difference_table(
        "less the cold start", models, name, lambda run, model: run.since_base.get(model, {}).get(name, {}), runs
    )


def _about(run: Summary) -> str:
    lines = f"Run `{_safe(run.folder)}`, seed {run.seed}."
    return f"{lines} {unfinished(run)}" if run.missing else lines


def unfinished(run: Summary) -> str:
    """How many steps have not ended, and which comes next."""
    return f"Not at its end: {len(run.missing)} steps are missing, the next is {run.missing[0]}."


def _markdown_table(table: Table) -> str:
    lines = [_row(table.header), _row(["---"] * len(table.header)), *(_row(row) for row in table.rows)]
    note = f"\n\n{table.note}." if table.note else ""
    return f"**{table.title}**\n\n" + "\n".join(lines) + note


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_safe(cell) for cell in cells) + " |"


def _safe(text: str) -> str:
    return text.translate(_HIDDEN).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")


def _json(runs: Sequence[Summary]) -> str:
    return json.dumps({"runs": [asdict(run) for run in runs]}, indent=1, ensure_ascii=False) + "\n"
