"""``lemmata train``: trains a role through one stage or several."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from core.config import read_config
from core.run_end import recorded_end
from core.store import Run
from lemmata.training import (
    MAY_CHANGE,
    TrainingReport,
    content_digests,
    import_library,
    no_report,
    print_line,
    settings_digest,
    stop_signals,
)
from rl.config import TrainConfig


def train_command(config: dict[str, Any]) -> int:
    """Trains to the end (0), or until a signal asks to stop (2; the same command resumes)."""
    settings = read_config(TrainConfig, config, "")
    setup = import_library("rl.setup", "train")
    with import_library("rl.parallel", "train").processes(settings.device) as place:
        return _train(setup, place, settings, config)


def _train(setup: Any, parallel: Any, settings: TrainConfig, config: Mapping[str, Any]) -> int:
    # A resumed run goes on with the same rows, so that their content is part of its identity.
    content = content_digests(settings)
    identity = {**config, "content": content} if content else config
    folder = Path(settings.run or f"runs/train-{settings.role}-{settings_digest(identity, MAY_CHANGE)}")
    run = Run.start(folder, "train", identity, MAY_CHANGE) if parallel.is_main else None
    if parallel.is_main:
        print_line(f"run folder: {folder}")
    report = TrainingReport() if parallel.is_main else no_report
    with stop_signals() as received, recorded_end(folder, received) if parallel.is_main else nullcontext():
        trainer = setup.make_trainer(settings, folder, parallel, report, lambda: bool(parallel.max(len(received))))
        done = trainer.run()
    if run is not None:
        with run:
            print_line(f"{'done' if done else 'stopped; the same command resumes'}: {folder}")
    return 0 if done else 2
