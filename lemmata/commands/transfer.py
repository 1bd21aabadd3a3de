"""``lemmata import`` and ``lemmata export``: proofs from elsewhere into a run, a run into tables."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console

from core.columns import ProofColumns
from core.config import STRICT, Name, read_part, settings
from core.export import export_table
from core.imported import is_released, records_of_released, records_of_run, records_of_table
from core.log import ProblemLog
from core.records import Problem, Record, Selection
from core.store import Run
from lemmata.report import report
from lemmata.terminal import plain


@settings(frozen=True, config=STRICT)
class SourceConfig:
    """Where proofs come from: a run, released outputs or a table, whose columns are named by ``proof_columns``."""

    source: Name
    proof_columns: ProofColumns


@settings(frozen=True, config=STRICT)
class ImportConfig(SourceConfig):
    """``run`` is the folder to make."""

    run: Name


@settings(frozen=True, config=STRICT)
class ExportConfig:
    """Which ``table`` of a run to write to which file."""

    run: Name
    out: Name
    table: Name


def import_command(config: dict[str, Any]) -> int:
    """Make a run of the proofs of a source."""
    settings = read_part(ImportConfig, config)
    with Run.start(settings.run, "import", config, frozenset(["run"])) as run:
        transfer(settings, run, lambda record: not isinstance(record, Selection))
        report(run)
    return 0


def export_command(config: dict[str, Any]) -> int:
    """Write a run as parquet."""
    settings = read_part(ExportConfig, config)
    rows = export_table(Run.read(settings.run), settings.table, Path(settings.out))
    said = plain(f"{settings.out}: {rows} rows of table {settings.table}")
    Console(highlight=False).print(said, soft_wrap=True)
    return 0


def transfer(config: SourceConfig, run: Run, keep: Callable[[Record], bool]) -> None:
    """Write the problems and proofs of a source into ``run``; what is there already is not written again.

    ``keep`` chooses among the records of a source that is a run.

    Raises:
        LemmataError: the source is no run, no released outputs and no table of proofs.
    """
    for problem, records in _groups(config, keep):
        with closing(run.log(problem)) as log:
            _append_new(log, records)


def _groups(config: SourceConfig, keep: Callable[[Record], bool]) -> Iterator[tuple[Problem, Sequence[Record]]]:
    if (Path(config.source) / "run.yaml").is_file():
        return records_of_run(Run.read(config.source), keep)
    if is_released(config.source):
        return records_of_released(config.source)
    return records_of_table(config.source, config.proof_columns)


def _append_new(log: ProblemLog, records: Sequence[Record]) -> None:
    new = [record for record in records if record.id not in log]
    if new:
        log.append(new)
