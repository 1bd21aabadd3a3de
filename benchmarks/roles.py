"""Accuracy of a recipe run's models in the three roles, on more theorems than the run itself measures.

    python -m benchmarks.roles RUN STEP... [--split test] [--theorems 125] [--cases 100]

Accuracies and differences to the first STEP, paired by theorem, with 95 % intervals. ``theorems`` of each level, two
proofs each; as many ``cases`` of each level, a proof with its label or an analysis with its quality, judged once.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.side_by_side import report  # isort: skip  sets variables that torch reads

import torch

from core.statistics import Observation, difference, share
from core.store import Run
from rl.recipe import measure
from rl.recipe.context import RecipeContext
from rl.report.metrics import MAIN, Observations, observations_of
from rl.report.record_files import Rows
from rl.report.runs import recorded_recipe
from rl.report.tables import format_estimates

SAMPLES = 2
SHOWN = (*((name, MAIN[name]) for name in MAIN if "real" not in name), ("prover.jsonl", "overclaim_rate"))


def main() -> None:
    """Measure one model after the other and print a line for each."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of `lemmata cotrain`")
    parser.add_argument("steps", nargs="+", help="names of steps with a model")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--theorems", type=int, default=125)
    parser.add_argument("--cases", type=int, default=100)
    args = parser.parse_args()
    context = RecipeContext(recorded_recipe(Run.read(args.run)), args.run)
    first: dict[str, Observations] = {}
    results: list[list[str]] = []
    print("model", *(f"{metric} of {name.removesuffix('.jsonl')}" for name, metric in SHOWN), sep=" | ")
    for step in args.steps:
        found = measured(context, step, args.split, args.theorems, args.cases)
        first = first or found
        shown = [cell(found[name][metric], first[name][metric], metric) for name, metric in SHOWN]
        print(step, *shown, sep=" | ", flush=True)
        results.append([step, *shown])
    report("roles", {**vars(args), "run": args.run.name, "samples": SAMPLES, "rows": results})


def measured(context: RecipeContext, step: str, split: str, theorems: int, cases: int) -> dict[str, Observations]:
    """The observations of a model's metrics, by file of a measurement."""
    model, prompts = context.judge(step, split), context.templates
    records = {
        "prover.jsonl": measure.measure_prover(model, prompts, context.theorems(split, theorems), SAMPLES),
        "verifier.jsonl": measure.measure_verifier(model, prompts, context.cases("verify", split, cases), 1),
        "meta-verifier.jsonl": measure.measure_meta_verifier(model, prompts, context.cases("review", split, cases)),
    }
    return {name: observations_of(name, Rows("", list(rows))) for name, rows in records.items()}


def cell(items: Sequence[Observation], others: Sequence[Observation], metric: str) -> str:
    """A share and its difference to that of the first model."""
    against = "" if items is others else f", {format_estimates([difference(items, others, '')], metric, signed=True)}"
    return format_estimates([share(items, "")], metric) + against


if __name__ == "__main__":
    main()
