"""``lemmata show RUN [ID]``: read a run in the terminal."""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.tree import Tree

from core.errors import LemmataError
from core.log import read_log
from core.records import (
    Analysis,
    Generated,
    Grading,
    Label,
    Problem,
    Proof,
    Record,
    Refusal,
    Review,
    Selection,
    to_json,
)
from core.store import Run
from lemmata.report import report, score_words
from lemmata.terminal import plain

MAX_LISTED = 5


def show_command(arguments: Sequence[str]) -> int:
    """Print a run's totals and selections, or one record: a problem as the tree of all that was done on it."""
    parser = argparse.ArgumentParser(prog="lemmata show", description="Read a run in the terminal.")
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("id", nargs="?", help="a record's id or its beginning, or a problem's name")
    parser.add_argument("--raw", action="store_true", help="the record as JSON")
    options = parser.parse_args(arguments)
    run = Run.read(options.run)
    if options.id is None:
        report(run)
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


def raw_json(record: Record) -> str:
    """``record`` as JSON, with escapes for whatever a terminal would not show."""
    text = json.dumps(to_json(record), ensure_ascii=False, indent=2)
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)


def find(run: Run, name: str) -> tuple[Record, list[Record]]:
    """The record whose id begins with ``name`` (or the problem of that name), and all records of its problem.

    Raises:
        LemmataError: no record, or more than one.
    """
    exact: list[tuple[Record, list[Record]]] = []
    begin: list[tuple[Record, list[Record]]] = []
    for path in run.log_paths():
        records = list(read_log(path))
        exact += [(r, records) for r in records if r.id == name or (isinstance(r, Problem) and r.name == name)]
        begin += [(r, records) for r in records if r.id.startswith(name)][: MAX_LISTED - len(begin)]
    matches = exact or begin  # a problem called "1" is found by its name
    if len(matches) > 1:
        listed = ", ".join(f"{record.kind} {record.id}" for record, _ in matches[:MAX_LISTED])
        raise LemmataError(f"{name!r} names several records: {listed}. Give more of the id.")
    if not matches:
        raise LemmataError(f"{run.folder} holds no record {name!r}. `lemmata show {run.folder}` lists its problems.")
    return matches[0]


def problem_tree(problem: Problem, records: Sequence[Record]) -> Tree:
    """Problem, proofs by round, their analyses, reviews and labels, and the selection."""
    tree = Tree(plain(f"problem {problem.id} {problem.name}", style="bold"))
    tree.add(plain(problem.statement))
    children: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if isinstance(record, Analysis | Review | Grading):
            children[record.parents[0]].append(record)
        if isinstance(record, Label):
            children[record.analysis_id or record.proof_id].append(record)
    for record in records:
        if isinstance(record, Proof | Refusal):
            _grow(tree, record, children)
        if isinstance(record, Selection):
            tree.add(plain(f"selection: {record.proof_id or 'none'}: {record.reason}", style="bold"))
    return tree


def _grow(tree: Tree, record: Record, children: dict[str, list[Record]]) -> None:
    branch = tree.add(plain(headline(record)))
    for child in children[record.id]:
        _grow(branch, child, children)


def headline(record: Record) -> str:
    """A record in one line."""
    if isinstance(record, Proof):
        basis = f" refines {', '.join(record.parents)}" if record.parents else ""
        own = "no self-score" if record.self_score is None else f"self-score {record.self_score:g}"
        return f"proof {record.id} round {record.round}{basis}: {own}{_faults(record.faults)}"
    if isinstance(record, Analysis | Review):
        verdict = f"score {record.score:g}" if record.score is not None else f"no verdict ({record.fault})"
        return f"{record.kind} {record.id}: {verdict}"
    if isinstance(record, Grading):
        marks = f"no marks ({record.fault})" if record.points is None else f"{record.points:g} of {record.max_points:g}"
        return f"grading {record.id} by {record.model or record.policy}: {marks}"
    if isinstance(record, Label):
        return f"label by {record.grader} ({record.author}): {score_words(record)} {record.reason}"
    if isinstance(record, Refusal):
        return f"refused {record.role} {record.id}: {record.error}"
    return f"{record.kind} {record.id}"


def _faults(faults: Sequence[str]) -> str:
    return f" [{'; '.join(faults)}]" if faults else ""


def record_lines(record: Record) -> Iterator[str]:
    """A record in full: its fields, then its texts."""
    yield headline(record)
    hidden = {"text", "reasoning", "kind", "id"}
    for key, value in to_json(record).items():
        if key not in hidden and value not in (None, "", [], (), {}):
            yield f"  {key}: {value}"
    if isinstance(record, Generated):
        if record.reasoning:
            yield f"\n--- reasoning ---\n{record.reasoning}"
        yield f"\n--- text ---\n{record.text}"
