"""``lemmata import`` and ``lemmata export``: proofs from elsewhere into a run, a run into tables."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console

from lemmata.report import report
from proofs.columns import ProofColumns
from proofs.config import read_config
from proofs.export import export_table
from proofs.imported import is_released, records_of_released, records_of_run, records_of_table
from proofs.log import ProblemLog
from proofs.records import Problem, Record
from proofs.store import Run


def import_command(config: dict[str, Any]) -> int:
    """Make a run of the proofs of a source."""
    with Run.start(config["run"], "import", config, frozenset(["run"])) as run:
        transfer(config["source"], run, config["proof_columns"], with_analyses=True)
        report(run)
    return 0


def export_command(config: dict[str, Any]) -> int:
    """Write a run as parquet."""
    rows = export_table(Run.read(config["run"]), config["table"], Path(config["out"]))
    Console(highlight=False).print(f"{config['out']}: {rows} rows of table {config['table']}", markup=False)
    return 0


def transfer(source: str, run: Run, columns: Mapping[str, Any], *, with_analyses: bool) -> None:
    """Write the problems and proofs of ``source`` into ``run``; what is there already is not written again.

    Raises:
        LemmataError: the source is no run, no released outputs and no table of proofs.
    """
    for problem, records in _groups(source, columns, with_analyses=with_analyses):
        with closing(run.log(problem)) as log:
            _append_new(log, records)


def _groups(
    source: str, columns: Mapping[str, Any], *, with_analyses: bool
) -> Iterator[tuple[Problem, Sequence[Record]]]:
    if (Path(source) / "run.yaml").is_file():
        return records_of_run(Run.read(source), with_analyses=with_analyses)
    if is_released(source):
        return records_of_released(source)
    return records_of_table(source, read_config(ProofColumns, columns, "proof_columns"))


def _append_new(log: ProblemLog, records: Sequence[Record]) -> None:
    new = [record for record in records if record.id not in log]
    if new:
        log.append(new)
