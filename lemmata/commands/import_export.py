"""``lemmata import`` and ``lemmata export``: existing proofs into a run, a run into Parquet tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

from rich.console import Console

from core.config import STRICT, Name, read_config, settings
from core.export import export_table
from core.imported import is_released, records_of_released, records_of_run
from core.imported_table import ImportNotes, records_of_table
from core.log import ProblemLog
from core.records import Problem, Record, Selection
from core.store import Run
from lemmata.run_totals import print_totals
from lemmata.settings import SourceConfig
from lemmata.terminal import plain


@settings(frozen=True, kw_only=True, config=STRICT)
class ImportConfig(SourceConfig):
    """Settings of ``lemmata import``; ``run`` is the folder to write."""

    run: Name


@settings(frozen=True, config=STRICT)
class ExportConfig:
    """Settings of ``lemmata export``: the run, the Parquet file and the name of the table."""

    run: Name
    out: Name
    table: Name


def import_command(config: dict[str, Any]) -> int:
    """Write a run that holds the proofs of a source."""
    settings = read_config(ImportConfig, config, "")
    notes = ImportNotes()
    with new_run(settings.run, "import", config) as run:
        transfer(settings, run, lambda record: not isinstance(record, Selection), notes)
        print_totals(run)
    for line in notes.lines(settings.source):
        Console(highlight=False).print(plain(line), soft_wrap=True)
    return 0


@contextmanager
def new_run(folder: str, command: str, config: Mapping[str, Any]) -> Iterator[Run]:
    """Opens or resumes a run of imported proofs; an import that fails leaves no new folder behind."""
    place = Path(folder).absolute()
    missing = [each for each in (place, *place.parents) if not each.exists()]
    try:
        with Run.start(folder, command, config, frozenset(["run"])) as run:
            yield run
    except BaseException:
        if missing:
            rmtree(missing[-1], ignore_errors=True)
        raise


def export_command(config: dict[str, Any]) -> int:
    """Write a table of a run as Parquet."""
    settings = read_config(ExportConfig, config, "")
    rows = export_table(Run.read(settings.run), settings.table, Path(settings.out))
    message = plain(f"{settings.out}: {rows} rows of table {settings.table}")
    Console(highlight=False).print(message, soft_wrap=True)
    return 0


def transfer(config: SourceConfig, run: Run, keep: Callable[[Record], bool], notes: ImportNotes | None = None) -> None:
    """Write the problems and proofs of a source into ``run``; records that it already holds are not written again.

    ``keep`` filters the records of a source that is a run. ``notes`` collects counts. A source is read to its end
    before anything is written into a run that holds records.

    Raises:
        LemmataError: the source is no run, no released outputs and no table of proofs.
    """
    if run.log_paths():
        for _ in _groups(config, keep, ImportNotes()):
            pass
    for problem, records in _groups(config, keep, notes or ImportNotes()):
        with closing(run.log(problem)) as log:
            _append_new(log, records)


def _groups(
    config: SourceConfig, keep: Callable[[Record], bool], notes: ImportNotes
) -> Iterator[tuple[Problem, Sequence[Record]]]:
    if (Path(config.source) / "run.yaml").is_file():
        return records_of_run(Run.read(config.source), keep)
    if is_released(config.source):
        return records_of_released(config.source)
    return records_of_table(config.source, config.proof_columns, config.grades, notes)


def _append_new(log: ProblemLog, records: Sequence[Record]) -> None:
    new = [record for record in records if record.id not in log]
    if new:
        log.append(new)
