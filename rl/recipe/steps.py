"""Steps of the recipe: training, changes of models, and the dispatch to the steps that gather and measure."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace

import torch

from core.errors import LemmataError
from model.checkpoint import load_pretrained, save_pretrained
from model.initialize import empty_model
from model.tokenizer import load_tokenizer
from rl.merging.merge import merge
from rl.parallel import Parallel
from rl.recipe import measure_steps, table_steps
from rl.recipe.context import RecipeContext
from rl.recipe.plan import (
    Analyze,
    Dagger,
    Label,
    Measure,
    Merge,
    Prove,
    RejectionSampling,
    Select,
    Sparsify,
    Step,
    Train,
)
from rl.setup import make_trainer
from rl.trainer import Report


def run_step(
    context: RecipeContext, step: Step, parallel: Parallel, report: Report, stopping: Callable[[], bool]
) -> bool:
    """Runs a step; False where training was asked to stop before its end.

    Raises LemmataError where a file cannot be written or read.
    """
    if isinstance(step, Train):
        settings = context.training(step)
        return make_trainer(settings, context.at(step.name), parallel, report, stopping).run()
    try:
        HANDLERS[type(step)](context, step)
    except OSError as error:
        raise LemmataError(
            f"step {step.name}: {error}. Free disk space, or restore the file; the same command repeats the step"
        ) from error
    return True


def _sparsify(context: RecipeContext, step: Sparsify) -> None:
    """The same weights with another ``index_topk``."""
    dense = load_pretrained(context.model(step.start))
    sparse = empty_model(replace(dense.config, index_topk=step.index_topk), torch.float32)
    sparse.load_state_dict(dense.state_dict())
    save_pretrained(sparse, context.model(step.name), load_tokenizer(context.model(step.start)))


def _merge(context: RecipeContext, step: Merge) -> None:
    folder = context.at(step.name)
    shutil.rmtree(folder, ignore_errors=True)  # with what a killed merge has written beside its model
    folder.mkdir(parents=True)
    merge(context.merging(step))


def _select(context: RecipeContext, step: Select) -> None:
    """By the sum of three accuracies on the validation stream: proofs, scores of proofs, ratings of analyses."""
    scores = {name: measure_steps.validate(context, name) for name in step.candidates}
    best = max(scores, key=lambda name: sum(score for score in scores[name].values() if score is not None))
    shutil.rmtree(context.model(step.name), ignore_errors=True)
    shutil.copytree(context.model(best), context.model(step.name))
    text = json.dumps({"chosen": best, "validation": scores}, indent=2)
    (context.at(step.name) / "choice.json").write_text(text + "\n", encoding="utf-8")


HANDLERS: dict[type, Callable[..., None]] = {
    Sparsify: _sparsify,
    Dagger: table_steps.dagger,
    Prove: table_steps.prove,
    Analyze: table_steps.analyze,
    Label: table_steps.label,
    Merge: _merge,
    RejectionSampling: table_steps.rejection_sampling,
    Select: _select,
    Measure: measure_steps.measure_model,
}
