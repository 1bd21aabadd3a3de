"""Run folders below a root: discovery and indexes. An error in one is a message on its page."""

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
from explorer.index import NO_RULE, LogIndex, RecordRow, RunRule, stamp_of
from refine.acceptance import recorded_rule

MAX_DEPTH = 4  # levels below the root that are searched for runs
SKIPPED_FOLDERS = frozenset(["problems", "checkpoints", "rollouts", "model", "labels", "__pycache__"])
SEARCHES = ("refine", "attempt")  # commands that end every problem with a selection
EVALUATIONS = ("evaluate", "grade")
INDEX_SECONDS = 0.5  # time that one page spends on indexing; the rest follows while it is shown


@dataclass(frozen=True)
class RunInfo:
    """A run folder. ``name``: path below the root. ``error``: reason why the run cannot be read; empty if it can."""

    name: str
    folder: Path
    manifest: Mapping[str, Any]
    error: str = ""

    @property
    def command(self) -> str:
        """Command that wrote the run."""
        return str(self.manifest.get("config", {}).get("command", ""))

    @property
    def created(self) -> str:
        """Time at which the run was started."""
        return str(self.manifest.get("created", ""))

    @property
    def is_training(self) -> bool:
        """True for a training, or a step of one."""
        return self.command in ("train", "cotrain", "step")

    @property
    def is_search(self) -> bool:
        """True for a run that ends every problem with a selection."""
        return self.command in SEARCHES

    @property
    def models(self) -> str:
        """Names of the models in the settings."""
        config = self.manifest.get("config", {})
        named = [config.get("policy") or {}, *(config.get("policies") or {}).values()]
        models = [str(policy.get("model")) for policy in named if isinstance(policy, Mapping) and policy.get("model")]
        if not models and config.get("model"):
            models = [str(config["model"])]
        return ", ".join(dict.fromkeys(name.rpartition("/")[2] or name for name in models))


def is_evaluation(run: RunInfo) -> bool:
    """True for a run whose proofs are in the runs below it: models and attempts."""
    return run.command in EVALUATIONS and not any((run.folder / "problems").glob("*.jsonl"))


def find_runs(root: Path) -> list[RunInfo]:
    """Runs at and below ``root``, newest first; the steps of a training are runs of their own."""
    if not root.is_dir():
        raise LemmataError(f"there is no folder {root}; give runs=FOLDER, a folder of runs or one run")
    found = [_open(root, folder) for folder in _folders(root, 0)]
    return sorted(found, key=lambda run: (run.created, run.name), reverse=True)


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """Yields folders with a run.yaml, or with metrics only (steps of a training)."""
    if (folder / "run.yaml").is_file() or (folder / "metrics.jsonl").is_file():
        yield folder
    if depth < MAX_DEPTH:
        try:
            inner = [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return
        for path in inner:
            if path.name not in SKIPPED_FOLDERS and not path.name.startswith("."):
                yield from _folders(path, depth + 1)


def _open(root: Path, folder: Path) -> RunInfo:
    name = str(folder.relative_to(root)) if folder != root else folder.resolve().name
    if not (folder / "run.yaml").is_file():
        return RunInfo(name, folder, {"config": {"command": "step"}, "created": _time_of(folder / "metrics.jsonl")})
    try:
        return RunInfo(name, folder, _manifest(folder, stamp_of(folder / "run.yaml")))
    except LemmataError as error:
        return RunInfo(name, folder, {}, str(error))


@lru_cache(maxsize=10_000)
def _manifest(folder: Path, stamp: tuple[int, int] | None) -> Mapping[str, Any]:
    """Manifest of a run, cached per state of the file: every page searches for runs, and trainings have many steps."""
    return Run.read(folder).manifest


def _time_of(path: Path) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(path.stat().st_mtime))
    except OSError:
        return ""


class RunIndex:
    """Indexes of all problems of a run. Pages in several threads can share one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs: dict[str, LogIndex] = {}
        self.rule_error = ""  # reason why the run's rule of acceptance cannot be read
        self._rule: RunRule | None = None
        self._lock = threading.Lock()

    def refresh(self, seconds: float = INDEX_SECONDS) -> float:
        """Indexes new records for at most ``seconds``; returns the share of the run's problems that is indexed."""
        deadline = time.monotonic() + seconds
        with self._lock:
            self._list()
            waiting = [log for log in self.logs.values() if log.is_stale]
            for position, log in enumerate(waiting):
                log.refresh(deadline)
                if time.monotonic() > deadline:
                    return 1.0 - (len(waiting) - position - log.share) / len(self.logs)
        return 1.0

    def problem(self, problem_id: str, seconds: float = INDEX_SECONDS) -> LogIndex:
        """Index of one problem, refreshed for at most ``seconds``. Raises LemmataError for an unknown problem."""
        with self._lock:
            log = self.logs.get(problem_id)
            if log is None:
                self._list()
                log = self.logs.get(problem_id)
            if log is None:
                raise LemmataError(
                    f"this run has no problem {problem_id!r}: it was moved, or the link belongs to another run"
                )
            log.refresh(time.monotonic() + seconds)
        return log

    def find(self, record_id: str) -> tuple[LogIndex, RecordRow] | None:
        """Record with an id, or with an unambiguous beginning of one; only logs that may contain it are indexed."""
        with self._lock:
            self._list()
            logs = [log for log in self.logs.values() if log.may_contain(record_id)]
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
            self.logs[problem_id] = LogIndex(paths[problem_id], self._run_rule())
        self.logs = {problem_id: self.logs[problem_id] for problem_id in paths}

    def _run_rule(self) -> RunRule:
        """The rule in the run's settings, read once."""
        if self._rule is None:
            try:
                config = Run.read(self.folder).manifest["config"]
                self._rule = RunRule(recorded_rule(config), config.get("command") in SEARCHES)
            except LemmataError as error:
                self.rule_error = str(error)
                self._rule = NO_RULE
        return self._rule


def locked_inodes() -> frozenset[str]:
    """Inodes of the files that processes hold locked, by the kernel's list (taking a lock would disturb its run)."""
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return frozenset()
    return frozenset(fields[5].rpartition(":")[2] for line in lines if len(fields := line.split()) > 5)


def is_running(folder: Path, locked: frozenset[str] | None = None) -> bool:
    """True where a process holds the run's lock; ``locked``: inodes from `locked_inodes`, read once for many runs."""
    try:
        inode = (folder / "lock").stat().st_ino
    except OSError:
        return False
    return str(inode) in (locked_inodes() if locked is None else locked)
