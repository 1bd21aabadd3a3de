"""Labels by people: append-only files of their own beside the logs of a run, so that people label while a run is on.

RUN/problems/<id>.jsonl   log of a problem, written by the run's command
RUN/labels/<id>.jsonl     labels and reports about that problem, and their withdrawals
RUN/labels/lock           held for the moment of writing
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import filelock

from core.errors import LemmataError
from core.log import ProblemLog, read_log
from core.records import Label, Record, StatementReport, Withdrawal

FOLDER = "labels"
MAX_WAIT = 10.0  # seconds for another writer, who holds the lock for a moment
LabelRecord = Label | StatementReport | Withdrawal


def labels_path(log: Path) -> Path:
    """File of the labels about the problem of a log."""
    return log.parent.parent / FOLDER / log.name


def append_labels(log: Path, records: Sequence[LabelRecord]) -> int:
    """Appends records about the problem of ``log``, except those already in the file; returns the number of new ones.

    Two writers wait for each other; neither waits for the command that writes the run.

    Raises:
        LemmataError: the log does not exist, another process holds the lock, or the disk does not take the records.
    """
    if not log.is_file():
        raise LemmataError(f"{log} is missing: the log of this problem was moved or deleted; nothing was written")
    path = labels_path(log)
    try:
        path.parent.mkdir(exist_ok=True)
        with filelock.FileLock(path.parent / "lock", timeout=MAX_WAIT), closing(ProblemLog(path)) as file:
            new = [record for record in records if record.id not in file]
            file.append(new)
    except filelock.Timeout as error:
        raise LemmataError(
            f"{path} was not written: another process held {path.parent / 'lock'} for {MAX_WAIT:g} seconds; try again"
        ) from error
    except OSError as error:
        raise LemmataError(f"{path} was not written: {error}") from error
    return len(new)


def in_effect(records: Iterable[Record]) -> list[Record]:
    """Records without withdrawals and without what they withdraw."""
    known = list(records)
    withdrawn = {record.withdrawn_id for record in known if isinstance(record, Withdrawal)}
    return [record for record in known if not isinstance(record, Withdrawal) and record.id not in withdrawn]


def read_with_labels(log: Path) -> Iterator[Record]:
    """All records of a log, then the labels and reports by people about its problem that are in effect."""
    yield from read_log(log)
    path = labels_path(log)
    if path.is_file():
        yield from in_effect(read_log(path))
