"""A run is a folder: its configuration, one append-only log per problem, and metrics.

RUN/run.yaml               command, configuration, versions
RUN/problems/<id>.jsonl    problem, proofs, analyses, reviews, automatic labels, selection: one record a line
RUN/labels/<id>.jsonl      labels by people (core.labels)
RUN/checkpoints/           of a training run (rl.checkpoint)
RUN/judges/                answers of judges behind endpoints in a training run (rl.endpoint_judge)
RUN/metrics.jsonl          progress over time
RUN/lock                   held by the process that writes
"""

import json
import os
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import filelock
import yaml

from core.errors import LemmataError
from core.labels import read_with_labels
from core.log import ProblemLog, read_log
from core.records import IMPORTED, SCHEMA_VERSION, Label, Problem, Proof, Record

HELD = ("labels", "checkpoints", "steps", "judges")  # folders of a run with what was made by its settings


def now() -> str:
    """The time of a record: UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Run:
    """A run folder, opened for reading (``Run.read``) or as its only writer (``Run.start``)."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        self._lock: filelock.BaseFileLock | None = None

    @classmethod
    def start(
        cls, folder: str | Path, command: str, config: Mapping[str, Any], may_change: Collection[str] = ()
    ) -> "Run":
        """Create the run, or resume it when ``command`` and ``config`` are those it was started with.

        Args:
            folder: the run folder.
            command: name of the command that writes.
            config: plain nested mapping, all settings.
            may_change: patterns of dotted keys that may differ on resuming, such as ``budget`` (``matches``).

        Raises:
            LemmataError: another process writes here, the configuration differs (the difference is shown), or the
                folder holds something else.
        """
        folder = Path(folder)
        _make_folder(folder)
        lock = _locked(folder)
        try:
            manifest = _join(folder, command, config, may_change)
        except BaseException:
            lock.release()
            raise
        run = cls(folder, manifest)
        run._lock = lock
        return run

    @classmethod
    def read(cls, folder: str | Path) -> "Run":
        """Open an existing run for reading, also while another process writes it."""
        folder = Path(folder)
        if not (folder / "run.yaml").is_file():
            raise LemmataError(
                f"{folder} is not a run folder: it has no run.yaml. `lemmata refine`, `prove` and `import` make runs."
            )
        return cls(folder, _read_manifest(folder))

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.release()

    def log(self, problem: Problem) -> ProblemLog:
        """The log of a problem, opened for writing; the problem is its first record."""
        log = ProblemLog(self.folder / "problems" / f"{problem.id}.jsonl")
        if problem.id not in log:
            log.append([problem])
        return log

    def log_paths(self) -> list[Path]:
        """The logs of all problems, in the order of their ids."""
        return sorted((self.folder / "problems").glob("*.jsonl"))

    def records(self) -> Iterator[Record]:
        """Every record of the run, one problem after the other, each with the labels by people that are in effect."""
        for path in self.log_paths():
            yield from read_with_labels(path)

    def append_metrics(self, values: Mapping[str, Any]) -> None:
        """Add one line to the metrics. Losing them loses no record, so the run goes on where they cannot be written."""
        with suppress(OSError), (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": time.time(), **values}) + "\n")


def _locked(folder: Path) -> filelock.BaseFileLock:
    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise LemmataError(
            f"run folder {folder} is being written by another process; wait for it, or choose another run=FOLDER."
        ) from error
    except OSError as error:
        raise LemmataError(f"cannot lock run folder {folder}: {error}. Choose another run=FOLDER.") from error
    return lock


def _make_folder(folder: Path) -> None:
    if (
        folder.is_dir()
        and not (folder / "run.yaml").exists()
        and set(os.listdir(folder)) - {"lock", "problems", "run.tmp"}
    ):
        raise LemmataError(f"{folder} holds files that are not a run; choose another run=FOLDER.")
    try:
        (folder / "problems").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LemmataError(f"cannot create run folder {folder}: {error}. Choose another run=FOLDER.") from error


def _join(folder: Path, command: str, config: Mapping[str, Any], may_change: Collection[str]) -> Mapping[str, Any]:
    """The manifest of the run: the stored one after comparing, or a new one."""
    wanted = {"command": command, **config}
    if not (folder / "run.yaml").exists():
        return _write_manifest(folder, wanted)
    manifest = _read_manifest(folder)
    changes = difference(manifest["config"], wanted, may_change)
    if not changes:
        return manifest
    if not _holds_work(folder, command):
        # The run ended before it held any sample, so nothing depends on the old settings.
        for path in (folder / "problems").glob("*.jsonl"):
            path.unlink()
        return _write_manifest(folder, wanted)
    listed = "\n".join(f"  {key}: {before!r} -> {after!r}" for key, before, after in changes)
    raise LemmataError(
        f"run {folder} was started with other settings:\n{listed}\n"
        "Repeat the settings to resume it, or choose another run=FOLDER for the new ones."
    )


def _holds_work(folder: Path, command: str) -> bool:
    """True where a folder holds what was made by its settings: samples, imported proofs, checkpoints or labels."""
    if any(any((folder / name).glob("*")) for name in HELD) or any(folder.glob("*/*/run.yaml")):
        return True
    return any(path.suffix != ".jsonl" or _holds_samples(path, command) for path in (folder / "problems").glob("*"))


def _holds_samples(path: Path, command: str) -> bool:
    """True for a log with more than its problem and, unless the run is an import, the proofs that were given."""
    given = command != "import"
    return any(
        not (isinstance(record, Problem) or (given and (isinstance(record, Label) or _is_given(record))))
        for record in read_log(path)
    )


def _is_given(record: Record) -> bool:
    return isinstance(record, Proof) and record.template == IMPORTED


def _write_manifest(folder: Path, config: Mapping[str, Any]) -> Mapping[str, Any]:
    manifest = {
        "schema": SCHEMA_VERSION,
        "lemmata": _version(),
        "commit": _commit(),
        "created": now(),
        "config": config,
    }
    temporary = folder / "run.tmp"
    try:
        temporary.write_text(yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True), encoding="utf-8")
        temporary.replace(folder / "run.yaml")
    except OSError as error:
        raise LemmataError(f"cannot write {folder / 'run.yaml'}: {error}.") from error
    return manifest


def difference(
    before: Mapping[str, Any], after: Mapping[str, Any], ignore: Collection[str] = ()
) -> list[tuple[str, Any, Any]]:
    """Dotted keys whose values differ, with both values (None where a side lacks the key)."""
    left, right = dict(flatten(before)), dict(flatten(after))
    keys = [key for key in {**left, **right} if not matches(key, ignore)]
    return [(key, left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)]


def matches(key: str, patterns: Collection[str]) -> bool:
    """True if a dotted key, or a parent of it, is one of ``patterns`` (``*`` stands for any text)."""
    return any(fnmatchcase(key, pattern) or fnmatchcase(key, f"{pattern}.*") for pattern in patterns)


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested mappings."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _read_manifest(folder: Path) -> Mapping[str, Any]:
    path = folder / "run.yaml"
    try:
        manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
        schema = manifest["schema"]
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError) as error:
        raise LemmataError(f"{path} cannot be read: {error}. Restore it, or start a new run folder.") from error
    if schema != SCHEMA_VERSION:
        raise LemmataError(
            f"{folder} has schema version {schema}, this program reads {SCHEMA_VERSION}. "
            f"Use the version of lemmata that wrote it: {manifest.get('lemmata')}."
        )
    return manifest


def _version() -> str:
    try:
        return version("lemmata")
    except PackageNotFoundError:
        return "unknown"


def _commit() -> str | None:
    """Commit of the checkout that runs, None outside one."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    done = subprocess.run(
        ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or None
