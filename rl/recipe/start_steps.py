"""Steps of the start: a copied model, the choice of an early checkpoint, and the change to sparse attention."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch

from core.errors import LemmataError
from core.json_lines import write_json_lines
from model.checkpoint import load_pretrained, save_pretrained
from model.initialize import empty_model
from model.tokenizer import load_tokenizer
from policy.local_config import model_folder
from rl.checkpoint import Checkpoints
from rl.recipe.context import RecipeContext
from rl.recipe.measure import measure_prover
from rl.recipe.step_types import Copy, Early, Sparsify

CHOICE = "early.json"


def copy(context: RecipeContext, step: Copy) -> None:
    """Copies the model of a folder or package. Raises LemmataError where there is none."""
    copy_model(model_folder(step.folder), context.model(step.name))


def copy_model(source: Path, target: Path) -> None:
    """Copies a model's folder in place of another. Raises LemmataError where there is none."""
    if not source.is_dir():
        raise LemmataError(f"{source} is no folder of a model")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def early(context: RecipeContext, step: Early) -> None:
    """Measures the kept checkpoints, from the earliest to the first above the range, and copies the chosen one.

    A repeated step measures no checkpoint again. Raises LemmataError where there is no checkpoint, and where none
    reaches the range.
    """
    config = context.config.early
    assert config is not None
    run = context.at(step.start) if step.start is not None else Path(str(config.run))
    models = Checkpoints(run, 1).models()
    if not models:
        raise LemmataError(f"{run} has no checkpoints: early.run=FOLDER names the folder of a run of `lemmata train`")
    theorems = context.theorems("validation", config.problems)
    rates: dict[str, float] = {}
    for model in models:
        name = model.parent.name
        records = context.at(step.name) / f"{name}.jsonl"
        if not records.exists():
            prover = context.judge_in(model, f"{step.name} {name}")
            write_json_lines(records, measure_prover(prover, context.templates, theorems, config.samples))
        lines = records.read_text(encoding="utf-8").splitlines()
        rates[name] = fmean(json.loads(line)["truth"] == 1 for line in lines)
        if rates[name] > config.pass_rate[1]:
            break
    chosen = nearest(rates, config.pass_rate)
    if chosen is None:
        name, rate = max(rates.items(), key=lambda pair: pair[1])
        raise LemmataError(
            f"no checkpoint of {run} reaches a pass rate of early.pass_rate[0]={config.pass_rate[0]:g}; the highest is "
            f"{rate:.2f}, of {name}. Train the cold start longer, or lower early.pass_rate, in another run=FOLDER"
        )
    copy_model(run / "checkpoints" / chosen / "model", context.model(step.name))
    low, high = config.pass_rate
    found = {"chosen": chosen, "pass_rates": rates, "range": [low, high], "in_range": low <= rates[chosen] <= high}
    (context.at(step.name) / CHOICE).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def nearest(rates: dict[str, float], limits: Sequence[float]) -> str | None:
    """The name whose rate is nearest to the middle of the range, not below the range; None where all are below it."""
    middle = sum(limits) / 2
    reaching = [name for name, rate in rates.items() if rate >= limits[0]]
    return min(reaching, key=lambda name: abs(rates[name] - middle), default=None)


def sparsify(context: RecipeContext, step: Sparsify) -> None:
    """The same weights with another ``index_topk``."""
    dense = load_pretrained(context.model(step.start))
    sparse = empty_model(replace(dense.config, index_topk=step.index_topk), torch.float32)
    sparse.load_state_dict(dense.state_dict())
    save_pretrained(sparse, context.model(step.name), load_tokenizer(context.model(step.start)))
