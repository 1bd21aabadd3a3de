"""Run folders below a root, found and indexed. Whatever is wrong with one is a message on its page."""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.errors import LemmataError
from core.store import Run
from explorer.index import LogIndex, Row, stamp_of

DEEPEST = 4  # folders below the root in which runs are looked for
NOT_RUNS = frozenset(["problems", "checkpoints", "rollouts", "model", "labels", "__pycache__"])
INDEXED_AT_ONCE = 0.5  # seconds that one page spends on indexing; the rest follows while it is shown


@dataclass(frozen=True)
class Found:
    """A run folder. ``name`` is its path below the root; ``trouble`` is why it cannot be read, if so."""

    name: str
    folder: Path
    manifest: Mapping[str, Any]
    trouble: str = ""

    @property
    def command(self) -> str:
        """The command that made it."""
        return str(self.manifest.get("config", {}).get("command", ""))

    @property
    def created(self) -> str:
        """When it was made."""
        return str(self.manifest.get("created", ""))

    @property
    def trains(self) -> bool:
        """Whether it is (part of) a training."""
        return self.command in ("train", "cotrain", "step")

    @property
    def models(self) -> str:
        """The models that its settings name."""
        config = self.manifest.get("config", {})
        named = [config.get("policy") or {}, *(config.get("policies") or {}).values()]
        models = [str(policy.get("model")) for policy in named if isinstance(policy, Mapping) and policy.get("model")]
        if not models and config.get("model"):
            models = [str(config["model"])]
        return ", ".join(dict.fromkeys(name.rpartition("/")[2] or name for name in models))


def find_runs(root: Path) -> list[Found]:
    """The runs at and below ``root``, the newest first; a training's steps are runs of their own."""
    if not root.is_dir():
        raise LemmataError(f"there is no folder {root}; give runs=FOLDER, the folder of runs, or one run")
    found = [_open(root, folder) for folder in _folders(root, 0)]
    return sorted(found, key=lambda run: (run.created, run.name), reverse=True)


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """Folders with a run.yaml, or with metrics alone (a step of a larger training)."""
    if (folder / "run.yaml").is_file() or (folder / "metrics.jsonl").is_file():
        yield folder
    if depth < DEEPEST:
        try:
            inner = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return
        for path in inner:
            if path.name not in NOT_RUNS and not path.name.startswith("."):
                yield from _folders(path, depth + 1)


def _open(root: Path, folder: Path) -> Found:
    name = str(folder.relative_to(root)) if folder != root else folder.resolve().name
    if not (folder / "run.yaml").is_file():
        return Found(name, folder, {"config": {"command": "step"}, "created": _time_of(folder / "metrics.jsonl")})
    try:
        return Found(name, folder, _manifest(folder, stamp_of(folder / "run.yaml")))
    except LemmataError as error:
        return Found(name, folder, {}, str(error))


@lru_cache(maxsize=10_000)
def _manifest(folder: Path, stamp: tuple[int, int] | None) -> Mapping[str, Any]:
    """Parsed once for every state of the file: runs are looked for at every page, and a training's steps are many."""
    return Run.read(folder).manifest


def _time_of(path: Path) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(path.stat().st_mtime))
    except OSError:
        return ""


class RunIndex:
    """The indexes of all problems of a run, kept up to date. Several pages may use one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs: dict[str, LogIndex] = {}
        self._lock = threading.Lock()

    def refresh(self, seconds: float = INDEXED_AT_ONCE) -> float:
        """Index what is new, for ``seconds`` at most; the share of the run's problems that is indexed."""
        deadline = time.monotonic() + seconds
        with self._lock:
            self._list()
            waiting = [log for log in self.logs.values() if log.stale]
            for place, log in enumerate(waiting):
                log.refresh(deadline)
                if time.monotonic() > deadline:
                    return 1.0 - (len(waiting) - place - log.share) / len(self.logs)
        return 1.0

    def problem(self, problem_id: str, seconds: float = INDEXED_AT_ONCE) -> LogIndex:
        """The index of one problem, which alone is brought up to date, for ``seconds`` at most.

        Raises LemmataError where the run holds no such problem.
        """
        with self._lock:
            log = self.logs.get(problem_id)
            if log is None:
                self._list()
                log = self.logs.get(problem_id)
            if log is None:
                raise LemmataError(
                    f"this run holds no problem {problem_id!r}: it was moved, or the link is of another run"
                )
            log.refresh(time.monotonic() + seconds)
        return log

    def find(self, record_id: str) -> tuple[LogIndex, Row] | None:
        """The record of an id, or of its beginning where only one begins so. Only logs that may hold it are indexed."""
        with self._lock:
            self._list()
            logs = [log for log in self.logs.values() if log.holds(record_id)]
            for log in logs:
                log.refresh()
            for log in logs:
                if record_id in log.by_id:
                    return log, log.by_id[record_id]
            begin = [(log, row) for log in logs for row in log.rows if row.id.startswith(record_id)]
        return begin[0] if len(begin) == 1 else None

    def _list(self) -> None:
        paths = {path.stem: path for path in sorted((self.folder / "problems").glob("*.jsonl"))}
        for gone in self.logs.keys() - paths.keys():
            del self.logs[gone]
        for problem_id in paths.keys() - self.logs.keys():
            self.logs[problem_id] = LogIndex(paths[problem_id])
        self.logs = {problem_id: self.logs[problem_id] for problem_id in paths}


def is_running(folder: Path) -> bool:
    """Whether a process holds the run's lock, as the kernel lists it; taking the lock to see would disturb the run."""
    try:
        inode = (folder / "lock").stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return False
    return any(
        fields[5].rpartition(":")[2] == str(inode) for line in locks.splitlines() if len(fields := line.split()) > 5
    )
