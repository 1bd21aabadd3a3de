"""``lemmata cotrain``: the whole recipe in one run folder."""

from pathlib import Path
from typing import Any

from core.config import read_config
from core.errors import LemmataError
from core.store import Run
from lemmata.training import MAY_CHANGE as OF_TRAINING
from lemmata.training import TrainingReport, asked_to_stop, library, say, settings_digest
from rl.recipe.config import CotrainConfig

# Steps of training are no such thing here: what follows a step rests on how far it went.
MAY_CHANGE = frozenset(
    ["run", "train.threads", *(f"*.{key}" for key in OF_TRAINING if key not in ("run", "stages.*.steps"))]
)


def cotrain_command(config: dict[str, Any]) -> int:
    """Go through the recipe to its end, or until told to stop (2; the same command resumes)."""
    settings = read_config(CotrainConfig, config, "")
    recipe = library("rl.recipe.run", "cotrain")
    parallel = library("rl.parallel", "cotrain").Parallel()
    if parallel.world_size > 1:
        raise LemmataError("`lemmata cotrain` is one process; torchrun is for `lemmata train`")
    folder = Path(settings.run or f"runs/cotrain-{settings_digest(config, MAY_CHANGE)}")
    with Run.start(folder, "cotrain", config, MAY_CHANGE), asked_to_stop() as asked:
        say(f"run folder: {folder}")
        done = recipe.cotrain(settings, folder, parallel, say, TrainingReport(), lambda: bool(asked))
        say(f"{'done' if done else 'stopped; the same command resumes'}: {folder}")
    if done:
        say(f"read it: lemmata report {folder}")
    return 0 if done else 2
