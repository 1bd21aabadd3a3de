"""Run of the recipe: every step in order, each once, in a folder under RUN/steps.

The file ``done`` marks a finished step. Training stops and resumes as by `lemmata train`; other steps are short and
start again.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from core.errors import LemmataError
from rl.parallel import Parallel
from rl.recipe import on_tables
from rl.recipe.config import CotrainConfig
from rl.recipe.context import RecipeContext
from rl.recipe.plan import plan
from rl.recipe.step_types import Merge, Step, Train
from rl.recipe.steps import run_step
from rl.setup import task_of
from rl.trainer import Report

DONE = "done"
TABLES = ("proofs", "analyses", "critiques", "examples", "problem_numbers")


def cotrain(
    config: CotrainConfig,
    folder: Path,
    parallel: Parallel,
    print_line: Callable[[str], None],
    report: Report,
    stopping: Callable[[], bool],
) -> bool:
    """Runs the recipe in ``folder``; False where ``stopping`` asked to stop before the end.

    ``print_line`` gets a line for every step of the recipe, ``report`` the metrics of every training step. Raises
    LemmataError, before any work, where the settings of a step are invalid, and where a file cannot be written.
    """
    context, steps = RecipeContext(config, folder), plan(config)
    check_settings(context, steps)
    # Set before any step: a resumed run may begin with one that is no training, and its sums depend on the threads.
    torch.set_num_threads(context.shared.threads)
    for number, step in enumerate(steps, 1):
        done = context.at(step.name) / DONE
        if done.exists():
            continue
        if stopping():
            return False
        print_line(f"step {number} of {len(steps)}: {step.name}")
        started = time.monotonic()
        with _named(step.name):
            if not run_step(context, step, parallel, report, stopping):
                return False
            done.parent.mkdir(parents=True, exist_ok=True)
            done.write_text(json.dumps({"seconds": round(time.monotonic() - started, 1)}) + "\n", encoding="utf-8")
    return True


def check_settings(context: RecipeContext, steps: Iterable[Step]) -> None:
    """Raises LemmataError, which names the step, where the settings of one of ``steps`` are invalid."""
    for step in steps:
        with _named(step.name):
            if isinstance(step, Train):
                settings = context.training(step)
                no_judges = {**settings.data["judges"], "verifier": None, "meta_verifier": None}
                tables = dict.fromkeys(TABLES)  # not written yet
                bare = {**settings.data, **tables, "lab": "all", "judges": no_judges}
                task_of(replace(settings, data=bare), settings.role, "train")
            elif isinstance(step, Merge):
                context.merging(step).resolved()
    if context.config.on_tables:
        on_tables.check_tables(context)
        return
    for split in ("validation", "test"):
        context.stream("prove", split)
    context.stream("prove", "test", levels=context.config.measure.hard)


@contextmanager
def _named(step: str) -> Iterator[None]:
    try:
        yield
    except LemmataError as error:
        raise LemmataError(f"step {step}: {error}") from error
    except OSError as error:
        raise LemmataError(f"step {step}: {error}; the same command resumes") from error
