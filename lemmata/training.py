"""What commands that train have in common: their libraries, lines of progress, and stopping after a step."""

import signal
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from rich.console import Console

from core.errors import LemmataError
from core.ids import digest
from core.store import flatten, matches
from lemmata.terminal import plain

NEEDS = ("torch", "transformers", "safetensors", "tokenizers")
# Where a run is, how often it reports, and how far it goes: nothing that changes a step.
MAY_CHANGE = frozenset(
    [
        *("run", "loggers", "save_rollouts_every", "checkpoint", "checkpoint.*", "stages.*.steps"),
        *("stages.*.micro_batch_tokens", "stages.*.max_num_seqs", "stages.*.cache_tokens"),
    ]
)
SHOWN = ("loss", "reward", "reward/pass", "reward/exact", "length")
SECONDS = 5.0  # between two lines of progress


def library(module: str, command: str) -> ModuleType:
    """A module that needs torch. Raises LemmataError where that is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDS:
            raise
        raise LemmataError(f"`lemmata {command}` needs {error.name}: pip install '.[model]'") from error


def settings_digest(config: Mapping[str, Any], may_change: Collection[str]) -> str:
    """Names a run by its settings, so that repeating a command resumes it."""
    fixed = [f"{key}={value}" for key, value in flatten(config) if not matches(key, may_change)]
    return digest(*sorted(fixed), length=8)


class TrainingReport:
    """A line of progress every few seconds, and one for every validation."""

    def __init__(self) -> None:
        self._latest = 0.0

    def __call__(self, step: int, stage: str, values: Mapping[str, float]) -> None:
        """As Trainer.report."""
        validated = any(name.startswith("validation/") for name in values)
        if validated or time.monotonic() - self._latest > SECONDS:
            self._latest = time.monotonic()
            names = [*SHOWN, *(f"validation/{name}" for name in SHOWN)]
            shown = [f"{name} {values[name]:.4g}" for name in names if name in values]
            say(f"step {step} {stage}: {', '.join(shown)}")


def silent(*_: object) -> None:
    """The first process speaks for all."""


def say(text: str) -> None:
    """One line on standard error."""
    Console(stderr=True, highlight=False).print(plain(text), soft_wrap=True)


@contextmanager
def asked_to_stop() -> Iterator[list[int]]:
    """Signals that ask to stop, as they come; the second one of a kind is the default's."""
    asked: list[int] = []

    def note(number: int, _frame: Any) -> None:
        asked.append(number)
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        say("stopping after this step")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
