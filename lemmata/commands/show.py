"""``lemmata show RUN [ID]``: a run, or one record of it, in the terminal."""

import argparse
from collections.abc import Sequence

from rich.console import Console

from core.errors import LemmataError
from core.labels import read_with_labels
from core.records import Problem, Record
from core.store import Run
from lemmata.beside import beside_lines
from lemmata.record_format import problem_tree, raw_json, record_lines
from lemmata.run_totals import print_totals
from lemmata.terminal import plain

MAX_LISTED = 5


def show_command(arguments: Sequence[str]) -> int:
    """Print a run's totals and selections, or one record; a problem as the tree of all its records."""
    parser = argparse.ArgumentParser(prog="lemmata show", description="Read a run in the terminal.")
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("id", nargs="?", help="a record's id or its beginning, or a problem's name")
    parser.add_argument("--raw", action="store_true", help="the record as JSON")
    parser.add_argument(
        "--beside", metavar="OTHER", help="another run that judged the same proofs: which verdicts differ"
    )
    options = parser.parse_args(arguments)
    run = Run.read(options.run)
    if options.beside is not None:
        for line in beside_lines(run, Run.read(options.beside)):
            Console(highlight=False).print(plain(line), soft_wrap=True)
        return 0
    if options.id is None:
        print_totals(run)
        return 0
    record, siblings = find(run, options.id)
    console = Console(highlight=False)
    if options.raw:
        console.print(plain(raw_json(record)), soft_wrap=True)
    elif isinstance(record, Problem):
        console.print(problem_tree(record, siblings))
    else:
        for line in record_lines(record):
            console.print(plain(line), soft_wrap=True)
    return 0


def find(run: Run, name: str) -> tuple[Record, list[Record]]:
    """The record whose id begins with ``name`` (or the problem of that name), and all records of its problem.

    Raises:
        LemmataError: no record, or more than one.
    """
    exact: list[tuple[Record, list[Record]]] = []
    begin: list[tuple[Record, list[Record]]] = []
    for path in run.log_paths():
        records = list(read_with_labels(path))
        exact += [(r, records) for r in records if r.id == name or (isinstance(r, Problem) and r.name == name)]
        begin += [(r, records) for r in records if r.id.startswith(name)][: MAX_LISTED - len(begin)]
    matches = exact or begin  # a problem called "1" is found by its name
    if len(matches) > 1:
        listed = ", ".join(f"{record.kind} {record.id}" for record, _ in matches[:MAX_LISTED])
        raise LemmataError(f"{name!r} names several records: {listed}. Give more of the id.")
    if not matches:
        raise LemmataError(f"{run.folder} holds no record {name!r}. `lemmata show {run.folder}` lists its problems.")
    return matches[0]
