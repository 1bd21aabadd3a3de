"""Tasks by role: builds a role's task from the settings of its data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from core.config import STRICT, Count, Name, Positive, settings
from core.templates import Templates
from lab.items import Stream
from rl.config import RoleName
from rl.judge import Judges, JudgesConfig
from rl.task import Task
from rl.tasks.examples import ExamplesTask, read_examples
from rl.tasks.judged import JudgedAnalyses, JudgedProofs
from rl.tasks.lab import (
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
from rl.tasks.problems import ListedTask, read_problems
from rl.tasks.tables import Cases, RoundRobin, read_cases


@settings(frozen=True, config=STRICT)
class DataConfig:
    """Data of a role: theorems of the lab by family and level, and tables.

    ``rounds``: turns of a prover's trajectory; from the second on it refines its own proof by its own evaluation.
    ``mixture``: problems of each kind of task per turn of the generator's stream. ``proofs``: table of labeled proofs
    for the verifier; ``analyses``: table of labeled analyses for the meta-verifier; both alternate with the lab's
    planted ones, unless ``planted`` is false. ``critiques``: table of proofs with analyses, the refiner's only source.
    ``examples``: table of SFT examples in place of the lab's. ``problems``: table of the numbers of the problems that
    rollouts are of; None: all in turn. ``judges``: trained models whose scores are the reward. ``refine_by``: a proof
    is refined by its own self-evaluation, or by an analysis of the trained verifier ("verifier in the loop").
    """

    families: tuple[Name, ...]
    levels: tuple[Positive, ...]
    rounds: Positive
    mixture: Mapping[str, Count]
    proofs: Name | None
    analyses: Name | None
    critiques: Name | None
    planted: bool
    examples: Name | None
    problems: Name | None
    judges: JudgesConfig
    refine_by: Literal["self_evaluation", "verifier"]


@dataclass(frozen=True)
class Kind:
    """A kind of task: its class, the lab's stream that it draws from, and the setting and columns of its table."""

    task: Callable[[Stream, Cases, Templates, int], LabTask]
    stream: str
    table: str | None = None
    columns: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "prover": Kind(LabProver, "prove"),
    "self_evaluator": Kind(LabSelfEvaluator, "verify"),
    "refiner": Kind(LabRefiner, "verify", "critiques", ("analysis",)),
    "verifier": Kind(LabVerifier, "verify", "proofs", ("label",)),
    "informed_verifier": Kind(LabInformedVerifier, "verify"),
    "meta_verifier": Kind(LabMetaVerifier, "review", "analyses", ("analysis", "quality")),
    "sum": Kind(LabSum, "prove"),
    "drill": Kind(LabDrill, "prove"),
    "match": Kind(LabMatch, "prove"),
    "pairs": Kind(LabPairs, "prove"),
    "sheet": Kind(LabSheet, "prove"),
}


def make_task(
    role: RoleName, data: DataConfig, templates: Templates, split: str, seed: int, judges: Judges | None = None
) -> Task:
    """Builds the task of a role on one split; the generator has the tasks of all kinds in ``data.mixture``.

    Tables and ``judges`` are used on the split "train" only: validation and test use the lab's stream and exact truth.

    Raises:
        ValueError: the split lacks a family or level, or a kind of task is unknown.
        LemmataError: a table cannot be read.
    """
    mixture = dict(data.mixture) if role == "generator" else {role: 1}
    if unknown := mixture.keys() - KINDS.keys():
        raise ValueError(f"no kind of task {min(unknown)!r}; there are {', '.join(KINDS)}")
    judges = judges if split == "train" else None
    parts = {
        kind: (_part(KINDS[kind], data, templates, split, seed, judges), size) for kind, size in mixture.items() if size
    }
    task = MixedTask(parts) if role == "generator" else parts[role][0]
    if data.problems and split == "train":
        task = ListedTask(task, read_problems(data.problems))
    return ExamplesTask(task, read_examples(data.examples)) if data.examples and split == "train" else task


def _part(kind: Kind, data: DataConfig, templates: Templates, split: str, seed: int, judges: Judges | None) -> Task:
    stream = Stream(kind.stream, data.families, data.levels, split, seed)
    cases: Cases = StreamCases(stream)
    table = getattr(data, kind.table) if kind.table and split == "train" else None
    if table is not None:
        # Labeled proofs and analyses alternate with the planted ones, so that every kind of defect stays in the data.
        rows = read_cases(table, kind.columns)
        cases = RoundRobin([cases, rows]) if data.planted and kind.table != "critiques" else rows
    task = kind.task(stream, cases, templates, data.rounds)
    if judges is not None and isinstance(task, LabProver):
        return JudgedProofs(task, judges, by_verifier=data.refine_by == "verifier")
    if judges is not None and judges.meta_verifier is not None and isinstance(task, LabVerifier):
        return JudgedAnalyses(task, judges)
    return task
