"""Carries out the recipe's steps in order, each in a folder of its own under RUN/steps, and none twice.

A step that ended holds the file ``done``. Training stops and resumes as `lemmata train` does; other steps are short and
begin anew.
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
from rl.recipe.config import CotrainConfig
from rl.recipe.context import RecipeContext
from rl.recipe.plan import Merge, Step, Train, plan
from rl.recipe.steps import run_step
from rl.setup import task_of
from rl.trainer import Report

DONE = "done"
TABLES = ("proofs", "analyses", "critiques", "examples")


def cotrain(
    config: CotrainConfig,
    folder: Path,
    parallel: Parallel,
    say: Callable[[str], None],
    report: Report,
    stopping: Callable[[], bool],
) -> bool:
    """Go through the recipe in ``folder``; False where it was told to stop before the end.

    ``say`` is told of every step of the recipe, ``report`` of every step of training. Raises LemmataError, before any
    work, where the settings of a step are wrong, and where something cannot be written.
    """
    shop, steps = RecipeContext(config, folder), plan(config)
    check_settings(shop, steps)
    # Before any step: a resumed run may begin with one that is no training, and must sum as training does.
    torch.set_num_threads(shop.threads)
    for number, step in enumerate(steps, 1):
        done = shop.at(step.name) / DONE
        if done.exists():
            continue
        if stopping():
            return False
        say(f"step {number} of {len(steps)}: {step.name}")
        started = time.monotonic()
        with _naming(step.name):
            if not run_step(shop, step, parallel, report, stopping):
                return False
            done.parent.mkdir(parents=True, exist_ok=True)
            done.write_text(json.dumps({"seconds": round(time.monotonic() - started, 1)}) + "\n", encoding="utf-8")
    return True


def check_settings(shop: RecipeContext, steps: Iterable[Step]) -> None:
    """Raises LemmataError, which names the step, where one of ``steps`` could not begin by its settings."""
    for step in steps:
        with _naming(step.name):
            if isinstance(step, Train):
                settings = shop.training(step)
                no_judges = {**settings.data["judges"], "verifier": None, "meta_verifier": None}
                bare = {**settings.data, **dict.fromkeys(TABLES), "judges": no_judges}  # these are not made yet
                task_of(replace(settings, data=bare), settings.role, "train")
            elif isinstance(step, Merge):
                shop.merging(step).resolved()
    for split in ("validation", "test"):
        shop.stream("prove", split)
    shop.stream("prove", "test", levels=shop.config.measure.hard)


@contextmanager
def _naming(step: str) -> Iterator[None]:
    try:
        yield
    except LemmataError as error:
        raise LemmataError(f"step {step}: {error}") from error
    except OSError as error:
        raise LemmataError(f"step {step}: {error}; the same command resumes") from error
