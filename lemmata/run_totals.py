"""Totals of a run in a few lines: printed at the end of a command and by ``lemmata show RUN``."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from core.document import counted
from core.records import (
    Analysis,
    Comparison,
    Generated,
    Grading,
    Label,
    Problem,
    Proof,
    Record,
    Refusal,
    Review,
    Selection,
    ToolOutput,
    Usage,
)
from core.store import Run
from lemmata.domain import SERVER
from lemmata.exact_words import exact_lines
from lemmata.fault_counts import FaultCounts
from lemmata.record_format import label_score
from lemmata.terminal import plain
from policy.recorder import UNANSWERED
from refine.acceptance import NOT_JUDGED, OUTSIDE
from verifier.aggregate import text_digest

MAX_PROBLEMS = 20
NOTHING_JUDGED = 3  # exit code


@dataclass
class Totals:
    """Counts over all records of a run."""

    counts: Counter[str] = field(default_factory=Counter)
    labels: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    usage: Usage = field(default_factory=Usage)
    faults: FaultCounts = field(default_factory=FaultCounts)
    rows: list[tuple[str, Selection]] = field(default_factory=list)  # the first problems by name
    outside: list[str] = field(default_factory=list)  # problems that were not judged, with the reason
    analyses: set[tuple[str, str]] = field(default_factory=set)  # of which proof, and which text
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)  # of tools, by role and status
    call_seconds: float = 0.0
    name: str = ""  # of the problem whose records are being counted

    def add(self, record: Record) -> None:
        """Count one record."""
        self.counts[record.kind] += not (isinstance(record, Refusal) and record.role == UNANSWERED)
        self.faults.add(record)
        if isinstance(record, Problem):
            self.name = record.name or record.id
        if isinstance(record, Generated | Refusal) and record.usage is not None:
            self.usage += record.usage
        if isinstance(record, Generated):
            self._add_answer(record)
        elif isinstance(record, Selection):
            self.counts["accepted"] += record.accepted
            self._add_selection(record)
        elif isinstance(record, Refusal) and record.error.startswith(NOT_JUDGED):
            self._add_outside(record.error)
        elif isinstance(record, ToolOutput):
            self.calls[record.role, record.status] += 1
            self.call_seconds += record.seconds
        elif isinstance(record, Label):
            self.labels[record.grader][label_score(record)] += 1

    def _add_answer(self, record: Generated) -> None:
        if isinstance(record, Proof):
            self.counts["unparseable proof"] += record.body is None
            self.counts["unparseable self-score"] += record.body is not None and record.self_score is None
        elif isinstance(record, Analysis | Review | Comparison):
            self.counts[f"unparseable {record.kind}"] += record.score is None
            if isinstance(record, Analysis):
                self.analyses.add((record.proof_id, text_digest(record.text, record.reasoning)))
        elif isinstance(record, Grading):
            self.counts["unparseable grading"] += record.points is None

    def _add_selection(self, selection: Selection) -> None:
        if selection.rule == OUTSIDE:
            self.counts["selection outside"] += 1
            self._add_outside(selection.reason)
        elif len(self.rows) < MAX_PROBLEMS:
            self.rows.append((self.name, selection))

    def _add_outside(self, reason: str) -> None:
        self.counts["outside"] += 1
        self.outside.append(f"{self.name}: {reason}")


def print_totals(run: Run) -> None:
    """Print the totals, the selections of the first problems, the faults, and the exact check of accepted proofs."""
    totals = Totals()
    searched = run.manifest["config"]["command"] in ("refine", "attempt")
    for record in run.records():
        totals.add(record)
    console = Console(highlight=False)
    for line in totals_lines(totals, searched=searched):
        console.print(plain(line), soft_wrap=True)
    if totals.rows:
        console.print(_selections(totals.rows))
    if more := totals.counts["selection"] - totals.counts["selection outside"] - len(totals.rows):
        console.print(f"... and {counted(more, 'more problem')}")
    if (faults := totals.faults.table()) is not None:
        console.print(faults)
    hint = [f"With a server of your own: lemmata refine ... {SERVER}"] if totals.outside else []
    for line in [*totals.outside, *hint, *exact_lines(run), f"Read it: lemmata show {run.folder}"]:
        console.print(plain(line), soft_wrap=True)


def totals_lines(totals: Totals, *, searched: bool) -> list[str]:
    """The totals in words; ``searched``: the run ends each problem with a selection."""
    count = totals.counts
    finished = f": {count['selection']} finished, {count['accepted']} accepted" if searched else ""
    finished += f", {count['outside']} not judged (outside the model's training)" if count["outside"] else ""
    lines = [f"{counted(count['problem'], 'problem')}{finished}"]
    for kind in ("proof", "analysis", "review", "grading", "comparison"):
        if count[kind]:
            without = "no proof in it" if kind == "proof" else "no parseable verdict"
            copies = count[kind] - len(totals.analyses) if kind == "analysis" else 0
            distinct = f" ({len(totals.analyses)} distinct)" if copies else ""
            lines.append(f"{counted(count[kind], kind)}{distinct}, {count[f'unparseable {kind}']} with {without}")
    lines += tool_lines(totals)
    if refused := count["refusal"] - count["outside"] + count["selection outside"]:
        lines.append(f"{counted(refused, 'sample')} set aside; retry=refused asks for them again")
    for grader, scores in sorted(totals.labels.items()):
        common = ", ".join(f"{number} x {score}" for score, number in scores.most_common(4))
        lines.append(f"{counted(scores.total(), 'label')} by {grader}: {common}{', ...' if len(scores) > 4 else ''}")
    if totals.usage.total_tokens:
        cost = f", cost {totals.usage.cost:.4f}" if totals.usage.cost else ""
        lines.append(
            f"{totals.usage.prompt_tokens:,} prompt and {totals.usage.completion_tokens:,} completion tokens{cost}"
        )
    return lines


def tool_lines(totals: Totals) -> list[str]:
    """The calls of tools in words: how many for each answer of a role, how they ended, and the time that they ran."""
    if not totals.calls:
        return []
    roles: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    for (role, status), number in totals.calls.items():
        roles[role] += number
        statuses[status] += number
    answers = [f"{number / max(totals.counts[role], 1):.1f} for each {role}" for role, number in roles.items()]
    ends = [f"{number} {status}" for status, number in statuses.most_common()]
    number = counted(totals.calls.total(), "tool call")
    return [f"{number} ({', '.join(answers)}): {', '.join(ends)}; {totals.call_seconds:.1f} s"]


def judged_code(runs: Iterable[Run], code: int) -> int:
    """The exit code of a finished command: ``NOTHING_JUDGED``, with the reason printed, where no verdict can be read.

    ``code`` is kept where it is an error already, where nothing was to be judged, and where a verdict can be read.
    """
    if code:
        return code
    faults, problems, outside = FaultCounts(), 0, 0
    for run in runs:
        if not run.manifest["config"].get("judge", {}).get("analyses"):
            return code
        for record in run.records():
            if isinstance(record, Analysis) and record.score is not None:
                return code
            problems += isinstance(record, Problem)
            outside += _is_outside(record)
            faults.add(record)
    if not problems:
        return code
    reasons = [
        f"{counted(faults.records[kind], kind)}: {line}"
        for kind in ("proof", "analysis", "verifier", "prover")
        if (line := faults.line(kind))
    ]
    reasons += [f"{counted(outside, 'problem')} outside what the model was trained on"] if outside else []
    reason = "; ".join(reasons) or "no proof was there to be judged"
    message = f"lemmata: nothing could be judged ({reason}). lemmata probe tries ten samples of each role."
    Console(stderr=True, highlight=False).print(plain(message, "red"), soft_wrap=True)
    return NOTHING_JUDGED


def _is_outside(record: Record) -> bool:
    if isinstance(record, Selection):
        return record.rule == OUTSIDE
    return isinstance(record, Refusal) and record.error.startswith(NOT_JUDGED)


def _selections(rows: list[tuple[str, Selection]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("problem", "accepted", "proof", "why"):
        table.add_column(column, overflow="fold")
    for name, selection in rows:
        cells = (name, "yes" if selection.accepted else "no", selection.proof_id or "none", selection.reason)
        table.add_row(*(plain(cell) for cell in cells))
    return table
