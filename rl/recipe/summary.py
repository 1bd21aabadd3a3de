"""All figures of a co-training run, from its files alone: what `lemmata report` shows. No torch.

A run that is not at its end is summed up as far as it is, with what is missing by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.statistics import Estimate, difference
from rl.recipe.config import CotrainConfig
from rl.recipe.curves import curves, over_optimization, training_cost, written_tokens
from rl.recipe.figures import MAIN, Figures, Items, figures_of, items_of
from rl.recipe.labels import label_figures
from rl.recipe.plan import Label, Measure, Select, Step, Train, plan
from rl.recipe.record_files import Row, Rows, read_choice, read_object, read_rows
from rl.recipe.refinement import refinement_figures

# Whose figure a file of a measurement is: the role, as `rl.recipe.plan` calls it.
ROLES = {
    "prover.jsonl": "prover",
    "verifier.jsonl": "verifier",
    "verifier-real.jsonl": "verifier",
    "meta-verifier.jsonl": "meta_verifier",
    "meta-verifier-real.jsonl": "meta_verifier",
}
REFINEMENT = "refinement.jsonl"


@dataclass(frozen=True)
class Measured:
    """A file of a model's measurement, and what its figures are means of."""

    rows: Rows
    items: Items


Records = dict[tuple[str, str], Measured]  # by model and file
Differences = dict[str, Figures]  # by file


@dataclass
class Summary:
    """``models``: figures by model and file; ``refinement``: rounds by model; ``labels``, ``training`` and ``costs`` by
    step; ``choices``: which candidate went on and why; ``missing``: steps that have not ended.

    Differences, paired by theorem, by model and file: ``since_base``, to the cold start; ``since_before``, of each
    generator to the model that its iteration began with; ``to_specialist``, of the main figures, by iteration;
    ``r_meta``, of the first verifier to itself before R_meta.
    """

    folder: str
    seed: int
    missing: list[str] = field(default_factory=list)
    models: dict[str, dict[str, Figures]] = field(default_factory=dict)
    refinement: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    training: dict[str, dict[str, Any]] = field(default_factory=dict)
    costs: dict[str, dict[str, Any]] = field(default_factory=dict)
    choices: dict[str, Row] = field(default_factory=dict)
    since_base: dict[str, Differences] = field(default_factory=dict)
    since_before: dict[str, Differences] = field(default_factory=dict)
    to_specialist: dict[int, dict[str, dict[str, Estimate]]] = field(default_factory=dict)
    r_meta: Differences = field(default_factory=dict)

    def iterations(self) -> list[str]:
        """The cold start and the generator of each iteration, as far as they are measured."""
        return [model for model in ("base", *self.since_before) if model in self.models]


def summarize(config: CotrainConfig, run: Path) -> Summary:
    """Read a run. Raises LemmataError where a file is damaged."""
    steps = plan(config)
    made = Summary(str(run), config.seed)
    records: Records = {}
    for step in steps:
        _read_step(made, records, config, run, step)
    made.since_base = {model: _differences(records, model, "base") for model in made.models if model != "base"}
    for number in range(1, config.iterations + 1):
        generator = f"{number}-generator"
        made.since_before[generator] = _differences(records, generator, start_of(number))
        made.to_specialist[number] = _to_specialist(records, candidates(steps, number), number)
    made.r_meta = _differences(records, "1-verifier", "1-verifier-alone")
    return made


def start_of(number: int) -> str:
    """The model that an iteration begins with."""
    return "base" if number == 1 else f"{number - 1}-generator"


def specialists(number: int) -> dict[str, str]:
    """By role, the model of an iteration that plays it; after the first the meta-verifier is not trained again."""
    meta = "1-meta-verifier" if number == 1 else start_of(number)
    return {"prover": f"{number}-prover", "verifier": f"{number}-verifier", "meta_verifier": meta}


def candidates(steps: Sequence[Step], number: int) -> list[str]:
    """What is compared in an iteration: where it starts, its specialists, every way to one model, its generator."""
    measured = [step.model for step in steps if isinstance(step, Measure) and step.model.startswith(f"{number}-")]
    return [start_of(number), *measured]


def _read_step(made: Summary, records: Records, config: CotrainConfig, run: Path, step: Step) -> None:
    done = read_object(run / "steps" / step.name / "done")
    if done is None:
        made.missing.append(step.name)
    cost: dict[str, Any] = {
        "kind": type(step).__name__.lower(),
        "seconds": done and done.get("seconds"),
        "tokens": None,
    }
    if isinstance(step, Train):
        _read_training(made, cost, run, step.name)
    elif isinstance(step, Measure):
        cost["tokens"] = _read_measure(made, records, config, run, step)
    elif isinstance(step, Label) and (examined := read_rows(run, step.name, "examined.jsonl")):
        made.labels[step.name] = label_figures(examined, config.labels)
    elif isinstance(step, Select) and (choice := read_choice(run, step.name)):
        made.choices[step.name] = choice
    made.costs[step.name] = cost


def _read_training(made: Summary, cost: dict[str, Any], run: Path, name: str) -> None:
    rows = read_rows(run, name, "metrics.jsonl")
    if rows is None or not rows.rows:
        return
    made.training[name] = {"source": rows.source, "curves": curves(rows), "judges": over_optimization(rows)}
    # `done` knows the last session alone; the metrics know all steps, however often they were interrupted.
    cost |= training_cost(rows)


def _read_measure(made: Summary, records: Records, config: CotrainConfig, run: Path, step: Measure) -> int:
    """Tokens that the model wrote for it."""
    tokens = 0
    for name in (*MAIN, REFINEMENT):
        rows = read_rows(run, step.name, name)
        if rows is None or not rows.rows:
            continue
        tokens += written_tokens(rows.rows)
        if name == REFINEMENT:
            made.refinement[step.model] = refinement_figures(rows, config.measure.rounds)
        else:
            records[step.model, name] = Measured(rows, items_of(name, rows))
            made.models.setdefault(step.model, {})[name] = figures_of(name, rows)
    return tokens


def _differences(records: Records, model: str, other: str) -> Differences:
    found = {name: _difference(records, model, other, name) for name in MAIN}
    return {name: figures for name, figures in found.items() if figures}


def _difference(records: Records, model: str, other: str, name: str, only: str | None = None) -> Figures:
    """All figures of a file, or one of them, of a model less those of another; empty where either has no such file."""
    ours, theirs = records.get((model, name)), records.get((other, name))
    if ours is None or theirs is None:
        return {}
    source = f"{ours.rows.source} - {theirs.rows.source}"
    wanted = [key for key in ours.items if key in theirs.items and only in (None, key)]
    return {key: difference(ours.items[key], theirs.items[key], source) for key in wanted}


def _to_specialist(records: Records, models: Sequence[str], number: int) -> dict[str, dict[str, Estimate]]:
    """Main figures by model and file, none where the model is the specialist itself."""
    own = specialists(number)
    found: dict[str, dict[str, Estimate]] = {}
    for model in models:
        found[model] = {}
        for name, role in ROLES.items():
            if model != own[role]:
                figures = _difference(records, model, own[role], name, MAIN[name])
                if figures:
                    found[model][name] = figures[MAIN[name]]
    return found
