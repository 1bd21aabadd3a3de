"""Metrics of training: always as JSONL, one line a step, and to the trackers that are asked for."""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from core.errors import LemmataError
from core.json_lines import write_json_lines


class Tracker(Protocol):
    """Something that draws metrics."""

    def log(self, values: Mapping[str, float], step: int) -> None: ...

    def close(self) -> None: ...


class Metrics:
    """RUN/metrics.jsonl. Lines after ``step`` were written by work that was lost, and are taken out.

    All of a line but ``time`` is the same however often the run was interrupted.
    """

    def __init__(self, folder: Path, step: int, trackers: Sequence[Tracker] = ()) -> None:
        self.path, self.trackers = folder / "metrics.jsonl", trackers
        kept = [line for line in read_metrics(folder) if line["step"] <= step]
        write_json_lines(self.path, kept)

    def write(self, step: int, stage: str, values: Mapping[str, float], seconds: Mapping[str, float]) -> None:
        """Add a line. Raises LemmataError where it cannot be written."""
        line = {"step": step, "stage": stage, **values, "time": dict(seconds)}
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise LemmataError(
                f"{self.path} cannot be written: {error}. Make room; the same command resumes"
            ) from error
        for tracker in self.trackers:
            tracker.log({f"{stage}/{name}": value for name, value in {**values, **seconds}.items()}, step)

    def close(self) -> None:
        """End the trackers."""
        for tracker in self.trackers:
            tracker.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run; a last one that is torn was never written."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def make_trackers(names: Sequence[str], folder: Path, config: Mapping[str, Any]) -> list[Tracker]:
    """The trackers by name. Raises LemmataError where a library is not installed."""
    return [_MAKERS[name](folder, config) for name in names]


class _TensorBoard:
    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        writer = _library("tensorboard", "torch.utils.tensorboard").SummaryWriter
        self._writer = writer(str(folder / "tensorboard"))
        self._writer.add_text("config", json.dumps(config, default=str))

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    """Weights & Biases, and trackio, which has the same interface."""

    def __init__(self, library: str, folder: Path, config: Mapping[str, Any]) -> None:
        self._library = _library(library, library)
        self._library.init(project="lemmata", name=folder.name, config=dict(config), resume="allow")

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._library.log(dict(values), step=step)

    def close(self) -> None:
        self._library.finish()


def _library(name: str, module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise LemmataError(f"loggers={name} needs {error.name}: pip install {name}, or leave it out") from error


_MAKERS = {
    "tensorboard": _TensorBoard,
    "wandb": lambda folder, config: _Wandb("wandb", folder, config),
    "trackio": lambda folder, config: _Wandb("trackio", folder, config),
}
