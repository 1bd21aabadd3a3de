"""Tasks by role: builds a role's task from the settings of its data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from core.config import STRICT, Count, Name, Positive, settings
from core.graded_proofs import LabelConversion
from core.templates import Templates
from lab.items import Stream
from rl.config import RoleName, ToolTurnsConfig
from rl.judge import Judges, JudgesConfig
from rl.task import Task
from rl.tasks.examples import ExamplesTask, read_examples
from rl.tasks.judged import judged
from rl.tasks.lab import (
    LabCalculatorVerifier,
    LabDrill,
    LabInformedVerifier,
    LabMatch,
    LabMetaVerifier,
    LabPairs,
    LabProver,
    LabRefiner,
    LabSelfEvaluator,
    LabSheet,
    LabSum,
    LabTask,
    LabVerifier,
    StreamCases,
)
from rl.tasks.mixed import MixedTask
from rl.tasks.problem_numbers import ListedTask, read_problem_numbers
from rl.tasks.problem_tables import DataColumns, Sources, TableReader, ValidationTables, split_by_problem
from rl.tasks.roles import RoleTask
from rl.tasks.table_roles import TableMetaVerifier, TableProver, TableRefiner, TableTask, TableVerifier
from rl.tasks.tables import Case, Cases, RepeatedTable, RoundRobin


@settings(frozen=True, config=STRICT)
class DataConfig:
    """Data of a role: theorems of the lab by family and level, and tables; each source may be several.

    ``lab``: ``all``: the lab's problems, planted proofs and planted analyses alternate with the tables; ``validation``:
    the lab is for validation alone; ``none``: tables alone.
    ``rounds``: turns of a prover's trajectory; from the second on it refines its own proof by its own evaluation.
    ``mixture``: problems of each kind of task per turn of the generator's stream. ``problems``: problem sets for the
    prover; ``proofs``: labeled or graded proofs for the verifier; ``analyses``: rated analyses for the meta-verifier;
    ``critiques``: proofs with analyses, the refiner's only source. ``columns`` and ``labels``: columns of the tables,
    and the conversion of grades by people. ``validation``: tables in place of the lab's validation stream.
    ``examples``: table of SFT examples in place of a role's own. ``problem_numbers``: table of the numbers of the
    problems that rollouts are of; None: all in turn. ``judges``: models whose scores are the reward. ``refine_by``: a
    proof is refined by its own self-evaluation, or by an analysis of the trained verifier ("verifier in the loop").
    ``tool_turns``: of the kinds with tools.
    """

    lab: Literal["all", "validation", "none"]
    families: tuple[Name, ...]
    levels: tuple[Positive, ...]
    rounds: Positive
    mixture: Mapping[str, Count]
    problems: Sources
    proofs: Sources
    analyses: Sources
    critiques: Sources
    columns: DataColumns
    labels: LabelConversion
    validation: ValidationTables
    examples: Name | None
    problem_numbers: Name | None
    judges: JudgesConfig
    refine_by: Literal["self_evaluation", "verifier"]
    tool_turns: ToolTurnsConfig


@dataclass(frozen=True)
class TaskKind:
    """A kind of task: its class on the lab and the lab's stream; its class on tables and the setting of its table."""

    task: Callable[[Cases, Templates, int, Stream], LabTask]
    stream: str
    on_table: Callable[[RepeatedTable, Templates, int], TableTask] | None = None
    table: str = ""


KINDS: Mapping[str, TaskKind] = {
    "prover": TaskKind(LabProver, "prove", TableProver, "problems"),
    "self_evaluator": TaskKind(LabSelfEvaluator, "verify"),
    "refiner": TaskKind(LabRefiner, "verify", TableRefiner, "critiques"),
    "verifier": TaskKind(LabVerifier, "verify", TableVerifier, "proofs"),
    "informed_verifier": TaskKind(LabInformedVerifier, "verify"),
    "calculator_verifier": TaskKind(LabCalculatorVerifier, "verify"),
    "meta_verifier": TaskKind(LabMetaVerifier, "review", TableMetaVerifier, "analyses"),
    "sum": TaskKind(LabSum, "prove"),
    "drill": TaskKind(LabDrill, "prove"),
    "match": TaskKind(LabMatch, "prove"),
    "pairs": TaskKind(LabPairs, "prove"),
    "sheet": TaskKind(LabSheet, "prove"),
}


def make_task(
    role: RoleName, data: DataConfig, templates: Templates, split: str, seed: int, judges: Judges | None = None
) -> Task:
    """Builds the task of a role on one split; the generator has the tasks of all kinds in ``data.mixture``.

    ``judges`` reward training, and validation on tables, whose truth is not known; on the lab validation is by exact
    truth.

    Raises:
        ValueError: the split lacks a family or level, a kind of task is unknown, or it has no data.
        LemmataError: a table cannot be read.
    """
    mixture = dict(data.mixture) if role == "generator" else {role: 1}
    if unknown := mixture.keys() - KINDS.keys():
        raise ValueError(f"no kind of task {min(unknown)!r}; there are {', '.join(KINDS)}")
    builder = _Builder(data, templates, split, seed, judges)
    parts = {kind: (builder.part(kind), size) for kind, size in mixture.items() if size}
    task = MixedTask(parts) if role == "generator" else parts[role][0]
    if data.problem_numbers and split == "train":
        task = ListedTask(task, read_problem_numbers(data.problem_numbers))
    return ExamplesTask(task, read_examples(data.examples)) if data.examples and split == "train" else task


@dataclass(frozen=True)
class _Builder:
    """Builds the parts of a task on one split."""

    data: DataConfig
    templates: Templates
    split: str
    seed: int
    judges: Judges | None

    def part(self, name: str) -> Task:
        kind = KINDS[name]
        rows = table_rows(self.data, kind.table, self.split) if kind.on_table else []
        uses_lab = self.data.lab == "all" or (self.data.lab == "validation" and self.split != "train")
        if kind.on_table is not None and rows and (self.split != "train" or not uses_lab):
            if self.split == "train":  # sources are read one after the other, and their rows are often sorted
                Random(f"{self.seed} {kind.table}").shuffle(rows)
            return self._judged(kind.on_table(RepeatedTable(rows), self.templates, self.data.rounds))
        if not uses_lab:
            raise ValueError(self._missing(name, kind))
        stream = Stream(kind.stream, self.data.families, self.data.levels, self.split, self.seed)
        cases: Cases = StreamCases(stream)
        if rows:
            # Labeled proofs and analyses alternate with the planted ones, so that every kind of defect stays in them.
            cases = RepeatedTable(rows) if kind.table == "critiques" else RoundRobin([cases, RepeatedTable(rows)])
        task = kind.task(cases, self.templates, self.data.rounds, stream)
        if isinstance(task, LabCalculatorVerifier):
            task = replace(task, tool_turns=self.data.tool_turns)
        return self._judged(task) if self.split == "train" else task

    def _missing(self, name: str, kind: TaskKind) -> str:
        lab = self.data.lab
        if kind.on_table is None:
            return f"lab={lab}: tasks of kind {name} are the lab's alone; leave it out of mixture, or set data.lab=all"
        if self.split == "train":
            return f"lab={lab}: the {name} has no problems; set data.{kind.table}=TABLE, or data.lab=all"
        return (
            f"lab={lab}: the {name} has no problems of split {self.split}; set data.validation.{kind.table}=TABLE, or "
            "data.validation.share to hold out a fraction of the problems (0.2), or a larger one"
        )

    def _judged(self, task: RoleTask) -> Task:
        return judged(task, self.judges, by_verifier=self.data.refine_by == "verifier")


def table_rows(data: DataConfig, table: str, split: str) -> list[Case]:
    """The cases of a split in the tables of a setting of ``data``; none where the split is the lab's.

    Raises LemmataError where a table cannot be read.
    """
    reader = TableReader(data.columns, data.labels)
    own: Sources = getattr(data, table)
    if split == "train":
        cases = reader.read(table, own)
        return split_by_problem(cases, data.validation.share, held_out=False) if data.validation.share else cases
    tables: Sources = getattr(data.validation, table, None) if split == "validation" else None
    if tables is None and split == "validation" and data.validation.share:
        return split_by_problem(reader.read(table, own), data.validation.share, held_out=True)
    return reader.read(table, tables)
