"""``lemmata adapt``: the data and rewards of a role for another RL engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from core.config import read_config
from core.errors import LemmataError
from lab.prompts import named_templates
from lemmata.terminal import plain
from rl.adapters.data import Backend, usage, write_data
from rl.adapters.rewards import AdapterConfig, write_settings
from rl.config import TrainConfig
from rl.tasks.build import DataConfig, make_task
from rl.tasks.roles import RoleTask


def adapt_command(config: dict[str, Any]) -> int:
    """Write the folder of an engine; returns the exit code."""
    own = {name: config[name] for name in ("backend", "out", "items")}
    if own["backend"] not in get_args(Backend):
        raise LemmataError(f"backend={own['backend']}: known engines are {', '.join(get_args(Backend))}")
    rest = {name: value for name, value in config.items() if name not in own}
    settings = read_config(TrainConfig, {**rest, "stage": "rl", "run": None, "model": None}, "")
    folder = Path(str(own["out"]))
    counts = write_data(folder, own["backend"], settings.role, _splits(settings), int(own["items"]))
    data = read_config(DataConfig, settings.data, "data")
    write_settings(folder, AdapterConfig(settings.prompts, settings.seed, data.judges))
    console = Console(highlight=False)
    rows = ", ".join(f"{count} rows of split {split}" for split, count in counts.items())
    console.print(plain(f"{folder}: {rows}"), soft_wrap=True)
    console.print(plain(usage(folder, own["backend"])), soft_wrap=True)
    return 0


def _splits(settings: TrainConfig) -> Mapping[str, RoleTask]:
    data = read_config(DataConfig, settings.data, "data")
    templates = named_templates(settings.prompts or "lab")
    found: dict[str, RoleTask] = {}
    for split in ("train", "validation"):
        try:
            task = make_task(settings.role, data, templates, split, settings.seed)
        except ValueError as error:
            raise LemmataError(f"data: {error}") from error
        if not isinstance(task, RoleTask):
            raise LemmataError(
                f"role={settings.role}: an engine trains one of prover, verifier and meta_verifier; data.examples and "
                "data.problem_numbers are for `lemmata train`"
            )
        found[split] = task
    return found
