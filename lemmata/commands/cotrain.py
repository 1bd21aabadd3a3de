"""``lemmata cotrain``: runs the whole recipe in one run folder."""

from pathlib import Path
from typing import Any

from core.config import read_config
from core.errors import LemmataError
from core.graded_proofs import source_summary
from core.run_end import recorded_end
from core.store import Run
from lemmata.training import MAY_CHANGE as OF_TRAINING
from lemmata.training import (
    TrainingReport,
    import_library,
    model_digest,
    print_line,
    settings_digest,
    stop_signals,
    training_tables,
)
from rl.recipe.config import CotrainConfig

# Numbers of training steps may not change here: later steps of the recipe depend on the trained models.
MAY_CHANGE = frozenset(
    ["run", "train.threads", *(f"*.{key}" for key in OF_TRAINING if key not in ("run", "stages.*.steps"))]
)


def cotrain_command(config: dict[str, Any]) -> int:
    """Runs the recipe to the end (0), or until a signal asks to stop (2; the same command resumes)."""
    settings = read_config(CotrainConfig, config, "")
    recipe = import_library("rl.recipe.run", "cotrain")
    parallel = import_library("rl.parallel", "cotrain").Parallel()
    if parallel.world_size > 1:
        raise LemmataError("`lemmata cotrain` is one process; torchrun is for `lemmata train`")
    # A resumed run goes on with the same models and tables, so that their content is part of its identity.
    models = {"base": settings.base, "cold_start.model": settings.cold_start.get("model")}
    content = {key: model_digest(str(name)) for key, name in models.items() if name is not None}
    if settings.on_tables:
        content |= {f"train.{key}": source_summary(path) for key, path in training_tables(settings.train["data"])}
    identity = {**config, "content": content} if content else config
    folder = Path(settings.run or f"runs/cotrain-{settings_digest(identity, MAY_CHANGE)}")
    start = Run.start(folder, "cotrain", identity, MAY_CHANGE)
    with start, stop_signals() as received, recorded_end(folder, received):
        print_line(f"run folder: {folder}")
        done = recipe.cotrain(settings, folder, parallel, print_line, TrainingReport(), lambda: bool(received))
        print_line(f"{'done' if done else 'stopped; the same command resumes'}: {folder}")
    if done and settings.on_tables:
        for line in import_library("rl.recipe.on_tables", "cotrain").summaries(folder):
            print_line(line)
    elif done:
        print_line(f"read it: lemmata report {folder}")
    return 0 if done else 2
