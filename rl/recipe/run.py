"""Carries out the recipe's steps in order, each in a folder of its own under RUN/steps, and none twice.

A step that ended holds the file ``done``. Training stops and resumes as `lemmata train` does; other steps are short and
begin anew.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

from rl.parallel import Parallel
from rl.recipe.config import CotrainConfig
from rl.recipe.plan import Train, plan
from rl.recipe.steps import carry_out
from rl.recipe.workshop import Workshop
from rl.trainer import Report

DONE = "done"


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
    work, where the settings of a step are wrong.
    """
    shop, steps = Workshop(config, folder), plan(config)
    for step in steps:
        if isinstance(step, Train):
            shop.training(step)
    for number, step in enumerate(steps, 1):
        done = shop.at(step.name) / DONE
        if done.exists():
            continue
        if stopping():
            return False
        say(f"step {number} of {len(steps)}: {step.name}")
        started = time.monotonic()
        if not carry_out(shop, step, parallel, report, stopping):
            return False
        done.parent.mkdir(parents=True, exist_ok=True)
        done.write_text(json.dumps({"seconds": round(time.monotonic() - started, 1)}) + "\n", encoding="utf-8")
    return True
