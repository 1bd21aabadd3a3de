"""Totals of a run in a few lines: printed at the end of a command and by ``lemmata show RUN``."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from core.records import Analysis, Generated, Grading, Label, Problem, Proof, Record, Refusal, Review, Selection, Usage
from core.store import Run
from lemmata.record_format import label_score
from lemmata.terminal import plain

MAX_PROBLEMS = 20


@dataclass
class Totals:
    """Counts over all records of a run."""

    counts: Counter[str] = field(default_factory=Counter)
    labels: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    usage: Usage = field(default_factory=Usage)

    def add(self, record: Record) -> None:
        """Count one record."""
        self.counts[record.kind] += 1
        if isinstance(record, Generated | Refusal) and record.usage is not None:
            self.usage += record.usage
        if isinstance(record, Proof):
            self.counts["unparseable proof"] += record.body is None
            self.counts["unparseable self-score"] += record.body is not None and record.self_score is None
        elif isinstance(record, Analysis | Review):
            self.counts[f"unparseable {record.kind}"] += record.score is None
        elif isinstance(record, Grading):
            self.counts["unparseable grading"] += record.points is None
        elif isinstance(record, Selection):
            self.counts["accepted"] += record.accepted
        elif isinstance(record, Label):
            self.labels[record.grader][label_score(record)] += 1


def print_totals(run: Run) -> None:
    """Print the totals, and the selections of the first problems."""
    totals, rows = Totals(), []
    searched = run.manifest["config"]["command"] in ("refine", "attempt")
    names: dict[str, str] = {}
    for record in run.records():
        totals.add(record)
        if isinstance(record, Problem) and len(rows) < MAX_PROBLEMS:
            names = {record.id: record.name or record.id}
        if isinstance(record, Selection) and len(rows) < MAX_PROBLEMS:
            rows.append((names.get(record.problem_id, record.problem_id), record))
    console = Console(highlight=False)
    for line in totals_lines(totals, searched=searched):
        console.print(plain(line), soft_wrap=True)
    if rows:
        console.print(_selections(rows))
        if totals.counts["selection"] > len(rows):
            console.print(f"... and {counted(totals.counts['selection'] - len(rows), 'more problem')}")
    console.print(plain(f"Read it: lemmata show {run.folder}"), soft_wrap=True)


def totals_lines(totals: Totals, *, searched: bool) -> list[str]:
    """The totals in words; ``searched``: the run ends each problem with a selection."""
    count = totals.counts
    finished = f": {count['selection']} finished, {count['accepted']} accepted" if searched else ""
    lines = [f"{counted(count['problem'], 'problem')}{finished}"]
    for kind in ("proof", "analysis", "review", "grading"):
        if count[kind]:
            without = "no proof in it" if kind == "proof" else "no parseable verdict"
            lines.append(f"{counted(count[kind], kind)}, {count[f'unparseable {kind}']} with {without}")
    if count["refusal"]:
        lines.append(f"{counted(count['refusal'], 'sample')} set aside; retry=refused asks for them again")
    for grader, scores in sorted(totals.labels.items()):
        common = ", ".join(f"{number} x {score}" for score, number in scores.most_common(4))
        lines.append(f"{counted(scores.total(), 'label')} by {grader}: {common}{', ...' if len(scores) > 4 else ''}")
    if totals.usage.total_tokens:
        cost = f", cost {totals.usage.cost:.4f}" if totals.usage.cost else ""
        lines.append(
            f"{totals.usage.prompt_tokens:,} prompt and {totals.usage.completion_tokens:,} completion tokens{cost}"
        )
    return lines


def counted(number: int, noun: str) -> str:
    """``number`` with ``noun`` in the singular or plural: "1 problem", "2 analyses"."""
    plural = "analyses" if noun == "analysis" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _selections(rows: list[tuple[str, Selection]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("problem", "accepted", "proof", "why"):
        table.add_column(column, overflow="fold")
    for name, selection in rows:
        cells = (name, "yes" if selection.accepted else "no", selection.proof_id or "none", selection.reason)
        table.add_row(*(plain(cell) for cell in cells))
    return table
