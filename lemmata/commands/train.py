"""``lemmata train``: a role through stages of training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.config import read_config
from core.store import Run
from lemmata.training import MAY_CHANGE, TrainingReport, asked_to_stop, library, say, settings_digest, silent
from rl.config import TrainConfig


def train_command(config: dict[str, Any]) -> int:
    """Train to the end, or until told to stop (2; the same command resumes)."""
    settings = read_config(TrainConfig, config, "")
    setup = library("rl.setup", "train")
    with library("rl.parallel", "train").processes(settings.device) as place:
        return _train(setup, place, settings, config)


def _train(setup: Any, parallel: Any, settings: TrainConfig, config: Mapping[str, Any]) -> int:
    folder = Path(settings.run or f"runs/train-{settings.role}-{settings_digest(config, MAY_CHANGE)}")
    run = Run.start(folder, "train", config, MAY_CHANGE) if parallel.is_main else None
    if parallel.is_main:
        say(f"run folder: {folder}")
    report = TrainingReport() if parallel.is_main else silent
    with asked_to_stop() as asked:
        trainer = setup.make_trainer(settings, folder, parallel, report, lambda: bool(parallel.max(len(asked))))
        done = trainer.run()
    if run is not None:
        with run:
            say(f"{'done' if done else 'stopped; the same command resumes'}: {folder}")
    return 0 if done else 2
