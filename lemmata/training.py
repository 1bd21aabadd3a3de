"""Training commands: composed settings, optional libraries, progress lines, and stopping after a step."""

import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest
from importlib import import_module
from types import ModuleType
from typing import Any

import hydra
from omegaconf import OmegaConf
from rich.console import Console

from core.config import read_config
from core.errors import LemmataError
from core.graded_proofs import source_summary
from core.ids import digest
from core.store import flatten, matches
from lab.prompts import named_templates
from lemmata.compose import whole_mappings
from lemmata.session import SERVING_KEYS
from lemmata.terminal import plain
from policy.local_config import model_folder
from rl.config import TrainConfig
from rl.judge import ENDPOINT, judge_names
from rl.tasks.problem_tables import source_path

NEEDS = ("torch", "transformers", "safetensors", "tokenizers")
# Settings that a resumed run may change, as they change no step: where the run is, its reports, its length, its memory.
MAY_CHANGE = frozenset(
    [
        *("run", "loggers", "save_rollouts_every", "checkpoint", "checkpoint.*", "stages.*.steps"),
        *("gradient_checkpointing", "stages.*.micro_batch_tokens", "stages.*.max_num_seqs", "stages.*.cache_tokens"),
        *("data.judges.budget", *(f"data.judges.endpoint{name}.{key}" for name in ("", "s.*") for key in SERVING_KEYS)),
    ]
)
TABLES = ("problems", "proofs", "analyses", "critiques")  # settings of data and of data.validation that name tables
OTHER_TABLES = ("examples", "problem_numbers")  # settings of data alone
METRICS = ("loss", "reward", "reward/pass", "reward/exact", "length")  # of a progress line
SECONDS = 5.0  # between two progress lines


def compose_train(*overrides: str) -> TrainConfig:
    """Composes the settings of `lemmata train` from lemmata/conf, with overrides as on the command line.

    Raises LemmataError where they are wrong.
    """
    with hydra.initialize_config_module("lemmata.conf", version_base=None):
        config = OmegaConf.to_container(hydra.compose("train", whole_mappings(overrides)), resolve=True)
    return read_config(TrainConfig, config, "")


def import_library(module: str, command: str) -> ModuleType:
    """Imports a module that needs torch. Raises LemmataError where a library is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDS:
            raise
        raise LemmataError(f"`lemmata {command}` needs {error.name}: pip install '.[model]'") from error


def settings_digest(config: Mapping[str, Any], may_change: Collection[str]) -> str:
    """Returns a digest of the settings that name a run, so that repeating a command resumes it."""
    fixed = [f"{key}={value}" for key, value in flatten(config) if not matches(key, may_change)]
    return digest(*sorted(fixed), length=8)


def content_digests(settings: TrainConfig) -> dict[str, str]:
    """Returns a summary of each table, folder of prompts and model that a run reads throughout, by its setting.

    The models are judges and teachers; the model that training starts from is read once. A summary changes with the
    content.

    Raises LemmataError where one cannot be read.
    """
    found = {key: source_summary(path) for key, path in training_tables(settings.data)}
    if settings.prompts is not None:
        templates = named_templates(settings.prompts)
        found["prompts"] = ", ".join(templates.identity(name) for name in sorted(templates.texts))
    models = {f"stages.distill.teachers.{kind}": name for kind, name in settings.stages.distill.teachers.items()}
    judges = settings.data.get("judges")
    if isinstance(judges, Mapping):
        for role in ("verifier", "meta_verifier"):
            folders = [name for name in judge_names(judges.get(role)) if not name.startswith(ENDPOINT)]
            models |= {f"data.judges.{role}{f'.{n}' if n else ''}": name for n, name in enumerate(folders)}
    return found | {key: model_digest(str(name)) for key, name in models.items() if name is not None}


def model_digest(name: str) -> str:
    """Returns a digest of all files of the model in folder ``name``, or ``pkg://PACKAGE/FOLDER``.

    Raises LemmataError where there is no such package, or a file cannot be read.
    """
    folder = model_folder(name)
    parts: list[str] = []
    try:
        for path in sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else ():
            with path.open("rb") as file:
                parts += [path.name, file_digest(file, "sha256").hexdigest()]
    except OSError as error:
        raise LemmataError(f"{folder} cannot be read: {error}") from error
    return f"{len(parts) // 2} files, digest {digest(*parts)}"


def training_tables(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The tables that the settings name, each with its key."""
    own = {f"data.{name}": data.get(name) for name in (*TABLES, *OTHER_TABLES)}
    validation = data.get("validation") or {}
    own |= {f"data.validation.{name}": validation.get(name) for name in TABLES}
    for key, value in own.items():
        paths = [value] if isinstance(value, str | int) else value or ()
        yield from ((f"{key}.{number}" if number else key, source_path(str(path))) for number, path in enumerate(paths))


class TrainingReport:
    """Prints a progress line every few seconds, and one for every validation; a `rl.trainer.Report`.

    The remaining time is at the pace of the stage so far, in this process. ``clock``: seconds, as of time.monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._latest = clock, 0.0
        self._stage, self._step = "", 0  # of the latest call
        self._first, self._since = 0, 0.0  # step and time that the pace is measured from

    def __call__(self, step: int, steps: int, stage: str, values: Mapping[str, float]) -> None:
        now = self._clock()
        if stage != self._stage or step <= self._step:
            self._first, self._since = step, now
        self._stage, self._step = stage, step
        validated = any(name.startswith("validation/") for name in values)
        if validated or now - self._latest > SECONDS:
            self._latest = now
            names = [*METRICS, *(f"validation/{name}" for name in METRICS)]
            shown = [f"{name} {values[name]:.4g}" for name in names if name in values]
            print_line(f"step {step} of {steps}{self._remaining(step, steps, now)}, {stage}: {', '.join(shown)}")

    def _remaining(self, step: int, steps: int, now: float) -> str:
        if step in (self._first, steps):
            return ""
        seconds = (steps - step) * (now - self._since) / (step - self._first)
        return f", about {seconds / 60:.0f} min left" if seconds >= 60 else f", about {seconds:.0f} s left"


def no_report(*_: object) -> None:
    """Prints nothing: the report of all processes but the main one."""


def print_line(text: str) -> None:
    """Prints one line on standard error."""
    Console(stderr=True, highlight=False).print(plain(text), soft_wrap=True)


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM, to stop after the current step; a second signal has its default effect."""
    received: list[int] = []

    def handle(number: int, _frame: Any) -> None:
        received.append(number)
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        print_line("stopping after this step")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
