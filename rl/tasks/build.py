"""A role's task put together from the settings of its data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.config import STRICT, Name, Positive, settings
from core.templates import Templates
from lab.items import Stream
from rl.config import RoleName
from rl.judge import Judges, JudgesConfig
from rl.task import Task
from rl.tasks.examples import ExamplesTask, read_examples
from rl.tasks.judged import JudgedAnalyses, JudgedProofs
from rl.tasks.lab import (
    LabDrill,
    LabMetaVerifier,
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
from rl.tasks.tables import Cases, RoundRobin, read_cases


@settings(frozen=True, config=STRICT)
class DataConfig:
    """What a role learns from: theorems of these families and levels in turn, and tables.

    ``rounds`` of a prover's try: after the first it refines its own proof by its own evaluation. ``shares`` of each
    kind of task among the generator's. ``proofs``: a table of labeled proofs for the verifier, in turn with planted
    ones; ``analyses``: one of labeled analyses for the meta-verifier, likewise; ``critiques``: one of proofs with
    analyses for the refiner. Without ``planted`` tables stand alone. ``examples``: a table that takes the place of the
    lab's worked examples. ``judges``: trained models that reward in place of the truth.
    """

    families: tuple[Name, ...]
    levels: tuple[Positive, ...]
    rounds: Positive = 1
    shares: Mapping[str, Positive] = field(default_factory=dict)
    proofs: Name | None = None
    analyses: Name | None = None
    critiques: Name | None = None
    planted: bool = True
    examples: Name | None = None
    judges: JudgesConfig = field(default_factory=JudgesConfig)


@dataclass(frozen=True)
class Kind:
    """A kind of task: its class, the stream of the lab that it draws from, and the table that may join it."""

    task: Callable[[Stream, Cases, Templates, int], LabTask]
    stream: str
    table: str | None = None
    columns: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "prover": Kind(LabProver, "prove"),
    "self_evaluator": Kind(LabSelfEvaluator, "verify"),
    "refiner": Kind(LabRefiner, "verify", "critiques", ("analysis",)),
    "verifier": Kind(LabVerifier, "verify", "proofs", ("label",)),
    "meta_verifier": Kind(LabMetaVerifier, "review", "analyses", ("analysis", "quality")),
    "sum": Kind(LabSum, "prove"),
    "drill": Kind(LabDrill, "prove"),
    "sheet": Kind(LabSheet, "prove"),
}


def make_task(
    role: RoleName, data: DataConfig, templates: Templates, split: str, seed: int, judges: Judges | None = None
) -> Task:
    """A role on one split; the generator has the tasks of all kinds in ``data.shares``.

    Tables and ``judges`` are for the split "train" alone: what measures is the lab's own stream and the exact truth.
    Raises ValueError for families and levels that the split does not have, and for unknown kinds of tasks; LemmataError
    for tables that cannot be read.
    """
    shares = dict(data.shares) if role == "generator" else {role: 1}
    if unknown := shares.keys() - KINDS.keys():
        raise ValueError(f"no kind of task {min(unknown)!r}; there are {', '.join(KINDS)}")
    judges = judges if split == "train" else None
    parts = {kind: (_part(KINDS[kind], data, templates, split, seed, judges), share) for kind, share in shares.items()}
    task = MixedTask(parts) if role == "generator" else parts[role][0]
    return ExamplesTask(task, read_examples(data.examples)) if data.examples and split == "train" else task


def _part(kind: Kind, data: DataConfig, templates: Templates, split: str, seed: int, judges: Judges | None) -> Task:
    stream = Stream(kind.stream, data.families, data.levels, split, seed)
    cases: Cases = StreamCases(stream)
    table = getattr(data, kind.table) if kind.table and split == "train" else None
    if table is not None:
        # Labeled proofs and analyses join the planted ones, so that no kind of defect is lost; critiques replace them.
        own = read_cases(table, kind.columns)
        cases = RoundRobin([cases, own]) if data.planted and kind.table != "critiques" else own
    task = kind.task(stream, cases, templates, data.rounds)
    if judges is not None and isinstance(task, LabProver):
        return JudgedProofs(task, judges)
    if judges is not None and judges.meta_verifier is not None and isinstance(task, LabVerifier):
        return JudgedAnalyses(task, judges)
    return task
