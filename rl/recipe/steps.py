"""Steps of the recipe: training, changes of models, and the dispatch to the steps that gather and measure."""

import json
import shutil
from collections.abc import Callable

from core.errors import LemmataError
from rl.checkpoint import Checkpoints
from rl.merging.merge import merge
from rl.parallel import Parallel
from rl.recipe import measure_steps, on_tables, pass_rates, signal_steps, start_steps, table_steps
from rl.recipe.context import RecipeContext
from rl.recipe.step_types import (
    Analyze,
    Copy,
    Dagger,
    Early,
    Imitate,
    LabelProofs,
    Measure,
    MeasureLoop,
    MeasureOnTables,
    MeasureVerifier,
    Merge,
    PassRates,
    Prove,
    Select,
    SelectVerifier,
    Sparsify,
    Step,
    Train,
)
from rl.rollout_stage import NothingToLearn
from rl.setup import make_trainer
from rl.trainer import Report

ENDED_EARLY = "ended-early.txt"


def run_step(
    context: RecipeContext, step: Step, parallel: Parallel, report: Report, stopping: Callable[[], bool]
) -> bool:
    """Runs a step; False where training was asked to stop before its end.

    Raises LemmataError where a file cannot be written or read.
    """
    if isinstance(step, Train):
        return _train(context, step, parallel, report, stopping)
    try:
        HANDLERS[type(step)](context, step)
    except OSError as error:
        raise LemmataError(
            f"step {step.name}: {error}. Free disk space, or restore the file; the same command repeats the step"
        ) from error
    return True


def _train(
    context: RecipeContext, step: Train, parallel: Parallel, report: Report, stopping: Callable[[], bool]
) -> bool:
    """Trains; where rewards stop to differ, the model so far is the step's, and the reason is kept in a file."""
    settings, folder = context.training(step), context.at(step.name)
    try:
        return make_trainer(settings, folder, parallel, report, stopping).run()
    except NothingToLearn as error:
        Checkpoints(folder, settings.checkpoint.keep).publish(context.model(step.name))
        (folder / ENDED_EARLY).write_text(f"{error}\n", encoding="utf-8")
        return True


def _merge(context: RecipeContext, step: Merge) -> None:
    folder = context.at(step.name)
    shutil.rmtree(folder, ignore_errors=True)  # with what a killed merge has written beside its model
    folder.mkdir(parents=True)
    merge(context.merging(step))


def _select(context: RecipeContext, step: Select) -> None:
    """By the sum of accuracies in validation: proofs, scores of proofs, and on the lab ratings of analyses."""
    validate = on_tables.validate if context.config.on_tables else measure_steps.validate
    scores = {name: validate(context, name, step.name) for name in step.candidates}
    best = max(scores, key=lambda name: sum(score for score in scores[name].values() if score is not None))
    start_steps.copy_model(context.model(best), context.model(step.name))
    text = json.dumps({"chosen": best, "validation": scores}, indent=2)
    (context.at(step.name) / "choice.json").write_text(text + "\n", encoding="utf-8")


HANDLERS: dict[type, Callable[..., None]] = {
    Copy: start_steps.copy,
    Early: start_steps.early,
    PassRates: pass_rates.pass_rates,
    Sparsify: start_steps.sparsify,
    Dagger: table_steps.dagger,
    Prove: table_steps.prove,
    Analyze: table_steps.analyze,
    LabelProofs: table_steps.label,
    Merge: _merge,
    Select: _select,
    Measure: measure_steps.measure_model,
    MeasureOnTables: on_tables.measure_model,
    Imitate: signal_steps.imitate,
    SelectVerifier: signal_steps.select_verifier,
    MeasureVerifier: signal_steps.measure_verifier,
    MeasureLoop: signal_steps.measure_loop,
}
