"""``lemmata train``: a role through stages of training."""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from lemmata.terminal import plain
from proofs.config import read_config
from proofs.errors import LemmataError
from proofs.ids import digest
from proofs.store import Run, flatten, matches
from rl.config import TrainConfig

NEEDS = ("torch", "transformers", "safetensors", "tokenizers")
# Where a run is, how often it reports, and how far it goes: nothing that changes a step.
MAY_CHANGE = frozenset(
    [
        *("run", "loggers", "rollouts_every", "checkpoint", "checkpoint.*", "stages.*.steps"),
        *("stages.*.micro_tokens", "stages.*.sequences", "stages.*.cache_tokens"),
    ]
)
SHOWN = ("loss", "reward", "reward/pass", "reward/exact", "length")
SECONDS = 5.0  # between two lines of progress


def train_command(config: dict[str, Any]) -> int:
    """Train to the end, or until told to stop (2; the same command resumes)."""
    settings = read_config(TrainConfig, config, "")
    try:
        setup = import_module("rl.setup")
        parallel = import_module("rl.parallel")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDS:
            raise
        raise LemmataError(f"`lemmata train` needs {error.name}: pip install '.[model]'") from error
    with parallel.processes(settings.device) as place:
        return _train(setup, place, settings, config)


def _train(setup: Any, parallel: Any, settings: TrainConfig, config: Mapping[str, Any]) -> int:
    folder = Path(settings.run or f"runs/train-{settings.role}-{_digest(config)}")
    run = Run.start(folder, "train", config, MAY_CHANGE) if parallel.leads else None
    report = _Report(folder) if parallel.leads else _silent
    with _asked_to_stop() as asked:
        trainer = setup.make_trainer(settings, folder, parallel, report, lambda: bool(parallel.largest(len(asked))))
        done = trainer.run()
    if run is not None:
        with run:
            _say(f"{'done' if done else 'stopped; the same command resumes'}: {folder}")
    return 0 if done else 2


def _digest(config: Mapping[str, Any]) -> str:
    """Names a run by its settings, so that repeating a command resumes it."""
    fixed = [f"{key}={value}" for key, value in flatten(config) if not matches(key, MAY_CHANGE)]
    return digest(*sorted(fixed), length=8)


class _Report:
    """A line of progress every few seconds, and one for every validation."""

    def __init__(self, folder: Path) -> None:
        self._latest = 0.0
        _say(f"run folder: {folder}")

    def __call__(self, step: int, stage: str, values: Mapping[str, float]) -> None:
        validated = any(name.startswith("validation/") for name in values)
        if validated or time.monotonic() - self._latest > SECONDS:
            self._latest = time.monotonic()
            names = [*SHOWN, *(f"validation/{name}" for name in SHOWN)]
            shown = [f"{name} {values[name]:.4g}" for name in names if name in values]
            _say(f"step {step} {stage}: {', '.join(shown)}")


def _silent(step: int, stage: str, values: Mapping[str, float]) -> None:
    """The first process speaks for all."""


def _say(text: str) -> None:
    Console(stderr=True, highlight=False).print(plain(text), soft_wrap=True)


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """Signals that ask to stop, as they come; the second one of a kind is the default's."""
    asked: list[int] = []

    def note(number: int, _frame: Any) -> None:
        asked.append(number)
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        _say("stopping after this step")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
