"""Summary of a co-training run: all estimates, from the files of the run alone. No torch.

An unfinished run is summarized as far as it has files; the steps that are missing are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.statistics import Estimate, difference
from rl.recipe.config import CotrainConfig
from rl.recipe.plan import plan
from rl.recipe.step_types import LabelProofs, Measure, Select, Step, Train
from rl.report.curves import curves, over_optimization, training_cost, written_tokens
from rl.report.labels import label_metrics
from rl.report.metrics import MAIN, Estimates, Observations, estimates_of, observations_of, overclaims
from rl.report.record_files import Row, Rows, read_choice, read_object, read_rows
from rl.report.refinement import refinement_metrics
from rl.report.signals import signal_estimates

# The role that each file of a measurement is about, by its name in `rl.recipe.plan`.
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
    """A file of a model's measurement with the observations of its metrics."""

    rows: Rows
    observations: Observations


Records = dict[tuple[str, str], Measured]  # by model and file
Differences = dict[str, Estimates]  # by file


@dataclass
class Summary:
    """``models``: estimates by model and file; ``refinement``: rounds by model; ``labels``, ``training`` and ``costs``
    by step; ``choices``: by step, the candidate that was chosen and the scores of all; ``missing``: unfinished steps;
    ``empty``: files of measurements that hold no record.

    Differences, paired by theorem, by model and file: ``since_base``, to the cold start; ``since_before``, of each
    generator to the model that its iteration began with; ``to_specialist``, of the main metrics, by iteration;
    ``r_meta``, of the first verifier to itself before R_meta. ``signals``: the comparison of verifier signals
    (`rl.report.signals`). ``early``: the early checkpoint with the pass rates of all. ``ended_early``: by step, the
    reason why a training ended before its last step. ``overclaims``: by model, its overclaim rate less the base's, over
    all theorems.
    """

    folder: str
    seed: int
    missing: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    models: dict[str, dict[str, Estimates]] = field(default_factory=dict)
    refinement: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    labels: dict[str, dict[str, Any]] = field(default_factory=dict)
    training: dict[str, dict[str, Any]] = field(default_factory=dict)
    costs: dict[str, dict[str, Any]] = field(default_factory=dict)
    choices: dict[str, Row] = field(default_factory=dict)
    since_base: dict[str, Differences] = field(default_factory=dict)
    since_before: dict[str, Differences] = field(default_factory=dict)
    to_specialist: dict[int, dict[str, dict[str, Estimate]]] = field(default_factory=dict)
    r_meta: Differences = field(default_factory=dict)
    signals: dict[str, Any] = field(default_factory=dict)
    overclaims: dict[str, Estimate] = field(default_factory=dict)
    early: Row | None = None
    ended_early: dict[str, str] = field(default_factory=dict)

    def iterations(self) -> list[str]:
        """The cold start and the generator of each iteration, as far as they are measured."""
        return [model for model in ("base", *self.since_before) if model in self.models]


def summarize(config: CotrainConfig, run: Path) -> Summary:
    """The summary of the run in folder ``run``. Raises LemmataError where a file is damaged."""
    steps = plan(config)
    summary = Summary(str(run), config.seed)
    records: Records = {}
    for step in steps:
        _read_step(summary, records, config, run, step)
    summary.since_base = {model: _differences(records, model, "base") for model in summary.models if model != "base"}
    for model in summary.since_base:
        own, base = (records.get((name, "prover.jsonl")) for name in (model, "base"))
        if own is not None and base is not None:
            summary.overclaims[model] = difference(overclaims(own.rows), overclaims(base.rows), own.rows.source)
    for number in range(1, config.iterations + 1):
        generator = f"{number}-generator"
        summary.since_before[generator] = _differences(records, generator, start_of(number))
        summary.to_specialist[number] = _to_specialist(records, candidates(steps, number), number)
    summary.r_meta = _differences(records, "1-verifier", "1-verifier-alone")
    if config.signals is not None:
        summary.signals = signal_estimates(run, config.signals)
    summary.early = read_object(run / "steps" / "early" / "early.json")
    return summary


def start_of(number: int) -> str:
    """The model that an iteration begins with."""
    return "base" if number == 1 else f"{number - 1}-generator"


def specialists(number: int) -> dict[str, str]:
    """The model of each role in an iteration; only the first iteration trains a meta-verifier."""
    meta = "1-meta-verifier" if number == 1 else start_of(number)
    return {"prover": f"{number}-prover", "verifier": f"{number}-verifier", "meta_verifier": meta}


def candidates(steps: Sequence[Step], number: int) -> list[str]:
    """The models compared in an iteration: its start, its specialists, every way to one model, its generator."""
    measured = [step.model for step in steps if isinstance(step, Measure) and step.model.startswith(f"{number}-")]
    return [start_of(number), *measured]


def _read_step(summary: Summary, records: Records, config: CotrainConfig, run: Path, step: Step) -> None:
    done = read_object(run / "steps" / step.name / "done")
    if done is None:
        summary.missing.append(step.name)
    cost: dict[str, Any] = {
        "kind": type(step).__name__.lower(),
        "seconds": done and done.get("seconds"),
        "tokens": None,
    }
    if isinstance(step, Train):
        cost |= _read_training(summary, run, step.name)
    elif isinstance(step, Measure):
        cost["tokens"] = _read_measure(summary, records, config, run, step)
    elif isinstance(step, LabelProofs) and (examined := read_rows(run, step.name, "examined.jsonl")):
        summary.labels[step.name] = label_metrics(examined, config.labels)
    elif isinstance(step, Select) and (choice := read_choice(run, step.name)):
        summary.choices[step.name] = choice
    summary.costs[step.name] = cost


def _read_training(summary: Summary, run: Path, name: str) -> dict[str, Any]:
    """The cost of a training: ``done`` has the seconds of the last session alone, the metrics those of all steps."""
    ended = run / "steps" / name / "ended-early.txt"
    if ended.exists():
        summary.ended_early[name] = ended.read_text(encoding="utf-8").strip()
    rows = read_rows(run, name, "metrics.jsonl")
    if rows is None or not rows.rows:
        return {}
    summary.training[name] = {"source": rows.source, "curves": curves(rows), "judges": over_optimization(rows)}
    return training_cost(rows)


def _read_measure(summary: Summary, records: Records, config: CotrainConfig, run: Path, step: Measure) -> int:
    """The number of tokens that the model wrote for it."""
    tokens = 0
    for name in (*MAIN, REFINEMENT):
        rows = read_rows(run, step.name, name)
        if rows is None:
            continue
        if not rows.rows:
            summary.empty.append(rows.source)
        tokens += written_tokens(rows.rows)
        if name == REFINEMENT:
            summary.refinement[step.model] = refinement_metrics(rows, config.measure.rounds)
        else:
            records[step.model, name] = Measured(rows, observations_of(name, rows))
            summary.models.setdefault(step.model, {})[name] = estimates_of(name, rows)
    return tokens


def _differences(records: Records, model: str, baseline: str) -> Differences:
    found = {name: _difference(records, model, baseline, name) for name in MAIN}
    return {name: estimates for name, estimates in found.items() if estimates}


def _difference(records: Records, model: str, baseline: str, name: str, only: str | None = None) -> Estimates:
    """All metrics of a file, or ``only`` one, of a model less those of ``baseline``; empty without both files."""
    measured, compared = records.get((model, name)), records.get((baseline, name))
    if measured is None or compared is None:
        return {}
    source = f"{measured.rows.source} - {compared.rows.source}"
    shared = [metric for metric in measured.observations if metric in compared.observations and only in (None, metric)]
    return {
        metric: difference(measured.observations[metric], compared.observations[metric], source) for metric in shared
    }


def _to_specialist(records: Records, models: Sequence[str], number: int) -> dict[str, dict[str, Estimate]]:
    """Differences of the main metrics by model and file; none where the model is the specialist itself."""
    compared = specialists(number)
    found: dict[str, dict[str, Estimate]] = {}
    for model in models:
        found[model] = {}
        for name, role in ROLES.items():
            if model != compared[role]:
                estimates = _difference(records, model, compared[role], name, MAIN[name])
                if estimates:
                    found[model][name] = estimates[MAIN[name]]
    return found
