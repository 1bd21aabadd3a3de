"""Models of one run of the recipe in their three roles, on more theorems than a run has the time for.

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
from lemmata.commands.report import recorded_recipe
from lemmata.cotrain_tables import words
from rl.recipe import measure
from rl.recipe.context import RecipeContext
from rl.recipe.figures import MAIN, Items, items_of
from rl.recipe.record_files import Rows

SAMPLES = 2
SHOWN = (*((name, MAIN[name]) for name in MAIN if "real" not in name), ("prover.jsonl", "honesty_gap"))


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
    shop = RecipeContext(recorded_recipe(Run.read(args.run)), args.run)
    first: dict[str, Items] = {}
    results: list[list[str]] = []
    print("model", *(f"{figure} of {name.removesuffix('.jsonl')}" for name, figure in SHOWN), sep=" | ")
    for step in args.steps:
        found = measured(shop, step, args.split, args.theorems, args.cases)
        first = first or found
        shown = [cell(found[name][figure], first[name][figure], figure) for name, figure in SHOWN]
        print(step, *shown, sep=" | ", flush=True)
        results.append([step, *shown])
    report("roles", {**vars(args), "run": args.run.name, "samples": SAMPLES, "rows": results})


def measured(shop: RecipeContext, step: str, split: str, theorems: int, cases: int) -> dict[str, Items]:
    """What the figures of a model are means of, by the names of its records' files."""
    model, prompts = shop.judge(step, split), shop.templates
    records = {
        "prover.jsonl": measure.measure_prover(model, prompts, shop.theorems(split, theorems), SAMPLES),
        "verifier.jsonl": measure.measure_verifier(model, prompts, shop.cases("verify", split, cases), 1),
        "meta-verifier.jsonl": measure.measure_meta_verifier(model, prompts, shop.cases("review", split, cases)),
    }
    return {name: items_of(name, Rows("", list(rows))) for name, rows in records.items()}


def cell(items: Sequence[Observation], others: Sequence[Observation], figure: str) -> str:
    """A share and its difference to that of the first model."""
    against = "" if items is others else f", {words([difference(items, others, '')], figure, signed=True)}"
    return words([share(items, "")], figure) + against


if __name__ == "__main__":
    main()
