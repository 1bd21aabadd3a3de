"""Training metrics: JSON Lines, one per step, and optional experiment trackers."""

import json
import secrets
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from typing_extensions import override

from core.errors import LemmataError
from core.json_lines import write_json_lines


class Tracker(Protocol):
    """An experiment tracker."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Logs the metrics of a step."""
        ...

    def close(self) -> None:
        """Ends the tracker."""
        ...


class Metrics:
    """Writer of RUN/metrics.jsonl. Removes lines after ``step``, as resuming repeats these steps.

    Apart from ``time``, lines do not depend on interruptions of the run.
    """

    def __init__(self, folder: Path, step: int, trackers: Sequence[Tracker] = ()) -> None:
        self.path, self.trackers = folder / "metrics.jsonl", trackers
        kept = [line for line in read_metrics(folder) if line["step"] <= step]
        write_json_lines(self.path, kept)

    def write(self, step: int, stage: str, values: Mapping[str, float], seconds: Mapping[str, float]) -> None:
        """Appends a line. Raises LemmataError where it cannot be written."""
        line = {"step": step, "stage": stage, **values, "time": dict(seconds)}
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise LemmataError(
                f"{self.path} cannot be written: {error}. Free disk space; the same command resumes"
            ) from error
        for tracker in self.trackers:
            tracker.log({f"{stage}/{name}": value for name, value in {**values, **seconds}.items()}, step)

    def close(self) -> None:
        """Ends the trackers."""
        for tracker in self.trackers:
            tracker.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Reads the lines of a run, without an incomplete last one."""
    path = folder / "metrics.jsonl"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def make_trackers(names: Sequence[str], folder: Path, config: Mapping[str, Any]) -> list[Tracker]:
    """Starts trackers by name, with the settings of the run; a resumed run is that of before.

    Raises LemmataError where a library is not installed.
    """
    return [_MAKERS[name](folder, config) for name in names]


class _TensorBoard(Tracker):
    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        writer = _library("tensorboard", "torch.utils.tensorboard").SummaryWriter
        self._writer = writer(str(folder / "tensorboard"))
        self._writer.add_text("config", json.dumps(config, default=str))

    @override
    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    @override
    def close(self) -> None:
        self._writer.close()


class _Wandb(Tracker):
    """Tracker of Weights & Biases, and of trackio, which has the same interface but knows a run by its name."""

    def __init__(self, library: str, folder: Path, config: Mapping[str, Any]) -> None:
        self._library = _library(library, library)
        run = _run_id(folder)
        named = {"name": folder.name, "id": run} if library == "wandb" else {"name": f"{folder.name}-{run}"}
        self._library.init(project="lemmata", **named, config=dict(config), resume="allow")

    @override
    def log(self, values: Mapping[str, float], step: int) -> None:
        self._library.log(dict(values), step=step)

    @override
    def close(self) -> None:
        self._library.finish()


def _run_id(folder: Path) -> str:
    """The id of a run for trackers, made once and kept in its folder."""
    path = folder / "tracker-id"
    try:
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(secrets.token_hex(4) + "\n", encoding="utf-8")
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LemmataError(f"{path} cannot be written: {error}. Free disk space; the same command resumes") from error


def _library(name: str, module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise LemmataError(f"loggers={name} needs {error.name}: pip install {name}, or remove it") from error


_MAKERS = {
    "tensorboard": _TensorBoard,
    "wandb": lambda folder, config: _Wandb("wandb", folder, config),
    "trackio": lambda folder, config: _Wandb("trackio", folder, config),
}
