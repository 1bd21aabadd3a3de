"""Report of co-training runs as a folder: report.md, report.html, plots, and estimates.json with every number."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from core.document import Block, Heading, Table, Text, html, markdown
from core.errors import LemmataError
from core.statistics import DEFAULT
from core.store import Run
from refine.acceptance_curves import measured
from refine.acceptance_curves import tables as tables_of_curves
from rl.report import goals, signal_tables, step_tables, tables
from rl.report.beside import Compared, as_json, beside_table
from rl.report.metrics import MAIN
from rl.report.plots import draw
from rl.report.summary import Summary
from rl.report.tables import TITLES

TITLE = "Co-training"
LEGEND = (
    "Shares are in percent, scores between 0 and 1. [95 % interval] (n observations). Intervals: Wilson's where every "
    "observation has a left side of its own, and where a share is exactly 0 or 100 % (then with the number of left "
    f"sides as the count); else a bootstrap that draws whole left sides ({DEFAULT.resamples} resamples, seed "
    f"{DEFAULT.seed}). No interval: no spread between left sides.",
    "An unparseable answer counts as wrong and accepts nothing; mean_absolute_error alone is over parseable scores, "
    "and unparseable is the share of the others. precision and recall are of acceptance: by one analysis that gives "
    "1, or (_all) by all analyses of a proof. baseline: the accuracy of always giving the most frequent truth. "
    "overclaim_rate: of the proofs that are not complete, the share that the prover scores 1 nevertheless.",
)
OF_REFINEMENT = (
    "A chain that stopped keeps its last proof. best of N: the chain of the highest self-score, the earliest of "
    "equals. same tokens, independent: the best by self-score of k first-round samples, where k is the tokens of a "
    "chain by that round over those of round 1; mean over all subsets of k of the recorded first-round samples, linear "
    "between whole numbers (a dash: more than were recorded). gain over it: pass@1 less that, paired by theorem."
)
OF_ACCEPTANCE = (
    "By lemmata evaluate acceptance run=RUN/acceptance: proofs of known exact score before the verifier, decided by "
    "each rule with the first n analyses."
)
Tables = list[tuple[str, Table]]  # with their titles


def write_report(
    runs: Sequence[Summary], iterations: int, out: Path, beside: tuple[Path, Compared] | None = None
) -> None:
    """Writes the folder ``out``; ``beside``: another run's folder, and its comparison to the run.

    Raises LemmataError where it cannot be written or matplotlib is missing."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        prefixes = [f"{place}-" if len(runs) > 1 else "" for place in range(1, len(runs) + 1)]
        plots = [plot for run, prefix in zip(runs, prefixes, strict=True) for plot in draw(run, out, prefix)]
        blocks = [*report_blocks(runs, iterations), *_beside(runs, beside)]
        blocks += [Heading("Plots"), *plots] if plots else []
        values = {"runs": [asdict(run) for run in runs]} | ({"beside": as_json(beside[1])} if beside else {})
        estimates = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
        for name, text in {
            "estimates.json": estimates,
            "report.md": markdown(blocks),
            "report.html": html(TITLE, blocks),
        }.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise LemmataError(f"cannot write the report to {out}: {error}. Choose another folder: out=FOLDER") from error


def report_blocks(runs: Sequence[Summary], iterations: int) -> list[Block]:
    """The report without its plots."""
    blocks: list[Block] = [Heading(TITLE, 1), *(Text(about(run)) for run in runs), *map(Text, LEGEND)]
    for heading, found, explanation in sections(runs, iterations):
        shown = [
            block for title, table in found if table.rows for block in ([Heading(title, 3)] if title else []) + [table]
        ]
        if shown:
            blocks += [Heading(heading), *([Text(explanation)] if explanation else []), *shown]
    return blocks


def _beside(runs: Sequence[Summary], beside: tuple[Path, Compared] | None) -> list[Block]:
    if beside is None:
        return []
    other, found = beside
    return [Heading(f"Beside {other}"), beside_table(found, runs[0].folder, str(other))]


def sections(runs: Sequence[Summary], iterations: int) -> Iterator[tuple[str, Tables, str]]:
    """Headings with their tables and an explanation, which may be empty."""
    generator = f"{iterations}-generator"
    by_run = [(f"{generator} in each run", tables.by_run(runs, generator))] if len(runs) > 1 else []
    yield "Main metrics", [("Cold start, specialists, generators", tables.headlines(runs, iterations)), *by_run], ""
    yield "Gains by iteration", [("Each generator", tables.iterations_table(runs, iterations))], ""
    numbers = range(1, iterations + 1)
    ways = [(f"Iteration {number}", tables.generators(runs, number)) for number in numbers]
    yield "Goals of the generator", [("", goals.goals_table(runs, iterations))] if iterations else [], goals.EXPLANATION
    yield "One model for all roles", ways, ""
    yield "Choice of the generator", [("By the validation stream", step_tables.choices_table(runs))], ""
    models = dict.fromkeys(model for run in runs for model in run.refinement)
    refinement = [(f"By {model}", step_tables.refinement_table(runs, model)) for model in models]
    yield "Refinement", refinement, OF_REFINEMENT
    r_meta = [(TITLES[name], _r_meta(runs, name)) for name in ("verifier.jsonl", "verifier-real.jsonl")]
    yield "R_meta", r_meta, "The verifier with R_meta less itself before."
    compared = [
        ("Verifiers", signal_tables.arms_table(runs)),
        ("Verify-and-refine", signal_tables.gains_table(runs)),
        ("The prover in the loop", signal_tables.loops_table(runs)),
    ]
    yield "Verifier signals", compared, signal_tables.EXPLANATION
    labels = [("Automatic labels against the truth", step_tables.labels_table(runs))]
    yield "Labels", labels, "The curve over n, m and k is in estimates.json."
    yield "Over-optimization", [("The judge against the truth", step_tables.judges_table(runs))], ""
    yield "Acceptance", _acceptance(runs), OF_ACCEPTANCE
    yield "Every model", [(TITLES[name], tables.models_table(runs, name)) for name in MAIN], ""
    since_base = [(TITLES[name], _since_base(runs, name)) for name in MAIN]
    yield "Differences to the cold start", since_base, "Points, or differences of scores."
    yield "Cost", [("Seconds and tokens", step_tables.costs_table(runs))], ""


def _acceptance(runs: Sequence[Summary]) -> Tables:
    """False accepts and false rejects by rule, of the runs that have been measured."""
    folders = [Path(run.folder) / "acceptance" for run in runs]
    found = [
        (folder, tables_of_curves(measured(Run.read(folder)))) for folder in folders if (folder / "run.yaml").is_file()
    ]
    several = len(runs) > 1
    return [(f"{title}, {folder}" if several else title, table) for folder, part in found for title, table in part]


def about(run: Summary) -> str:
    """The run, its seed, and what of it is missing."""
    parts = [f"Run {run.folder}, seed {run.seed}."]
    if run.missing:
        parts.append(unfinished(run))
    if run.early:
        inside = "" if run.early["in_range"] else ", which is out of the range"
        rate = run.early["pass_rates"][run.early["chosen"]]
        low, high = run.early["range"]
        parts.append(f"Early start: {run.early['chosen']}, pass rate {rate:.2f} of [{low:g}, {high:g}]{inside}.")
    parts += [f"{step} ended early: {reason}." for step, reason in run.ended_early.items()]
    if run.empty:
        parts.append(f"Not measured, because the step had nothing to measure: {', '.join(run.empty)}.")
    return " ".join(parts)


def unfinished(run: Summary) -> str:
    """The number of unfinished steps, and the next one."""
    count = len(run.missing)
    return f"Unfinished: {count} {'step is' if count == 1 else 'steps are'} missing, the next is {run.missing[0]}."


def _r_meta(runs: Sequence[Summary], name: str) -> Table:
    return tables.difference_table(["1-verifier"], name, lambda run, model: run.r_meta.get(name, {}), runs)


def _since_base(runs: Sequence[Summary], name: str) -> Table:
    models = dict.fromkeys(model for run in runs for model in run.since_base)
    return tables.difference_table(models, name, lambda run, model: run.since_base.get(model, {}).get(name, {}), runs)
