"""Figures of co-training as tables of words, for terminal and Markdown alike; several runs stand side by side."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from core.statistics import Estimate
from rl.recipe.figures import MAIN
from rl.recipe.record_files import VALIDATED
from rl.recipe.summary import ROLES, Summary, specialists, start_of

DECIMALS = ("mean_absolute_error", "quality", "mean_truth")  # the others are shares, in percent
TITLES = {
    "prover.jsonl": "Prover",
    "verifier.jsonl": "Verifier, planted proofs",
    "verifier-real.jsonl": "Verifier, real proofs",
    "meta-verifier.jsonl": "Meta-verifier, planted analyses",
    "meta-verifier-real.jsonl": "Meta-verifier, real analyses",
}
NAMES = {
    "self_score_accuracy": "self-score accuracy",
    "honesty_gap": "honesty gap",
    "precision_all": "precision (all agree)",
    "quality": "quality of analyses",
}
HEADLINES = (
    ("prover.jsonl", "pass@1"),
    ("prover.jsonl", "self_score_accuracy"),
    ("prover.jsonl", "honesty_gap"),
    *((name, figure) for name in ("verifier.jsonl", "verifier-real.jsonl") for figure in ("accuracy", "precision_all")),
    ("verifier-real.jsonl", "quality"),
    ("meta-verifier.jsonl", "accuracy"),
    ("meta-verifier-real.jsonl", "accuracy"),
)


@dataclass(frozen=True)
class Table:
    """``note`` says where the numbers are from."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def words(figures: Sequence[Estimate | None], name: str, *, items: bool = False, signed: bool = False) -> str:
    """One run: value [interval] (items). Several: mean (lowest to highest)."""
    known = [one for one in figures if one is not None and one.value is not None]
    if not known:
        return "-"
    scale, digits = (1, 3) if name in DECIMALS else (100, 1)
    sign = "+" if signed else ""
    values = [scale * one.value for one in known if one.value is not None]
    if len(figures) > 1:
        missing = "" if len(known) == len(figures) else f" ({len(known)} of {len(figures)} runs)"
        average, low, high = (f"{value:{sign}.{digits}f}" for value in (fmean(values), min(values), max(values)))
        return f"{average} ({low} to {high}){missing}"
    one = known[0]
    interval = ""
    if one.low is not None and one.high is not None:
        interval = f" [{scale * one.low:{sign}.{digits}f}, {scale * one.high:{sign}.{digits}f}]"
    return f"{values[0]:{sign}.{digits}f}{interval}" + (f" ({one.n})" if items else "")


def headlines(runs: Sequence[Summary], iterations: int) -> Table:
    """The main figures of the cold start, and of each iteration's specialists and generator, as far as measured."""
    columns: list[tuple[str, Callable[[str], str]]] = [("cold start", lambda role: "base")]
    for number in range(1, iterations + 1):
        columns.append((f"{number}: specialist", specialists(number).__getitem__))
        columns.append((f"{number}: generator", lambda role, model=f"{number}-generator": model))
    found = {
        title: [words(_figures(runs, of(ROLES[name]), name, figure), figure) for name, figure in HEADLINES]
        for title, of in columns
    }
    measured = {title: cells for title, cells in found.items() if set(cells) != {"-"}}
    names = [f"{TITLES[name]}: {NAMES.get(figure, figure)}" for name, figure in HEADLINES]
    rows = [list(row) for row in zip(names, *measured.values(), strict=True)]
    note = "Test stream. Shares in percent; [95 % interval]" if len(runs) == 1 else _SEVERAL
    return Table("Main figures", ["figure", *measured], rows, note)


_SEVERAL = "Test stream. Shares in percent; mean over the runs (lowest to highest)"


def by_run(runs: Sequence[Summary], model: str) -> Table:
    """A model's main figures, run by run, each with its own interval."""
    rows = []
    for name, figure in HEADLINES:
        figures = _figures(runs, model, name, figure)
        rows.append(
            [
                f"{TITLES[name]}: {NAMES.get(figure, figure)}",
                *(words([one], figure, items=True) for one in figures),
                words(figures, figure),
            ]
        )
    header = ["figure", *(f"seed {run.seed}" for run in runs), "mean (lowest to highest)"]
    return Table(f"{model} in each run", header, rows, f"From steps/measure-{model} of each run")


def models_table(runs: Sequence[Summary], name: str) -> Table:
    """All figures of a file of the measurements: one row a model."""
    models = _models(runs, name)
    figures = list(dict.fromkeys(key for run in runs for own in run.models.values() for key in own.get(name, ())))
    rows = [[model, *(words(_figures(runs, model, name, key), key, items=True) for key in figures)] for model in models]
    return Table(TITLES[name], ["model", *figures], rows, f"From steps/measure-MODEL/{name}")


def difference_table(
    title: str,
    models: Iterable[str],
    name: str,
    found: Callable[[Summary, str], Mapping[str, Estimate]],
    runs: Sequence[Summary],
) -> Table:
    """Paired differences, one row a model."""
    models = [model for model in models if any(found(run, model) for run in runs)]
    figures = list(dict.fromkeys(key for run in runs for model in models for key in found(run, model)))
    rows = [
        [model, *(words([found(run, model).get(key) for run in runs], key, items=True, signed=True) for key in figures)]
        for model in models
    ]
    return Table(
        f"{TITLES[name]}: {title}", ["model", *figures], rows, f"Paired by theorem, from steps/measure-MODEL/{name}"
    )


def generators(runs: Sequence[Summary], number: int) -> Table:
    """Every way to one model in an iteration, with differences to the specialist of each role."""
    models = list(dict.fromkeys(model for run in runs for model in run.to_specialist.get(number, ())))
    rows = []
    for model in models:
        cells = []
        for name in MAIN:
            figures = _figures(runs, model, name, MAIN[name])
            apart = [run.to_specialist.get(number, {}).get(model, {}).get(name) for run in runs]
            cells += [
                words(figures, ""),
                "specialist" if _is_specialist(model, name, number) else words(apart, "", signed=True),
            ]
        if any(cell not in ("-", "specialist") for cell in cells):
            rows.append([model, *cells])
    header = [title for name in MAIN for title in (f"{TITLES[name]}: {MAIN[name]}", "to specialist")]
    note = "Percent, and points paired by theorem; from steps/measure-MODEL, items as in the tables of the roles"
    return Table(f"Iteration {number}: one model for all roles", ["model", *header], rows, note)


def _is_specialist(model: str, name: str, number: int) -> bool:
    return specialists(number)[ROLES[name]] == model


def iterations_table(runs: Sequence[Summary], iterations: int) -> Table:
    """Gains by iteration: each generator to the model that its iteration began with."""
    rows = []
    for number in range(1, iterations + 1):
        model = f"{number}-generator"
        found = [run.since_before.get(model, {}) for run in runs]
        apart = [
            words([own.get(name, {}).get(MAIN[name]) for own in found], "", items=True, signed=True) for name in MAIN
        ]
        rows.append([f"{model} - {start_of(number)}", *apart])
    note = "Points, paired by theorem, from steps/measure-MODEL"
    return Table("Gains by iteration", ["models", *(f"{TITLES[name]}: {MAIN[name]}" for name in MAIN)], rows, note)


def refinement_table(runs: Sequence[Summary], model: str) -> Table:
    """Rounds of self-refinement beside the same tokens spent on independent samples."""
    own = [run.refinement[model] for run in runs if model in run.refinement]
    rows = []
    for entries in zip(*own, strict=True):
        shown = [
            words([entry[key] for entry in entries], "", items=True, signed=key in ("since_first", "gain"))
            for key in ("pass@1", "since_first", "best", "independent", "gain")
        ]
        ratios = [entry["ratio"] for entry in entries if entry["ratio"] is not None]
        tokens = fmean(entry["tokens"] for entry in entries)
        rows.append([str(entries[0]["round"]), *shown, f"{tokens:.0f}", f"{fmean(ratios):.2f}" if ratios else "-"])
    chains = own[0][0]["chains"] if own and own[0] else 0
    header = [
        "round",
        "pass@1",
        "since round 1",
        f"best of {chains}",
        "same tokens, independent",
        "gain over it",
        "tokens",
        "k",
    ]
    return Table(f"Refinement by {model}", header, rows, f"From steps/measure-{model}/refinement.jsonl")


def labels_table(runs: Sequence[Summary]) -> Table:
    """Labels without truth, at the recipe's n, m and k."""
    rows = []
    for step in dict.fromkeys(step for run in runs for step in run.labels):
        chosen = [run.labels[step]["chosen"] for run in runs if step in run.labels]
        settings = f"n={chosen[0]['n']}, m={chosen[0]['m']}, k={chosen[0]['k']}"
        shown = [words([one[key] for one in chosen], "", items=True) for key in ("share", "accuracy")]
        rows.append([step, settings, *shown])
    return Table(
        "Labels without truth",
        ["step", "settings", "share labeled", "accuracy"],
        rows,
        "From steps/STEP/examined.jsonl",
    )


def judges_table(runs: Sequence[Summary]) -> Table:
    """The trained judge's score beside the truth, early and late in training."""
    rows = []
    for run in runs:
        for step, training in run.training.items():
            for one in training["judges"]:
                shown = [words([one[key]], "mean_truth", signed=key == "gap") for key in ("judge", "truth", "gap")]
                name = f"{step} (seed {run.seed})" if len(runs) > 1 else step
                rows.append([name, one["kind"] or "all", f"{one['part']} fifth", *shown, str(one["steps"])])
    header = ["step", "kind", "of training", "judge's score", "truth", "gap", "steps"]
    note = (
        "Means over steps, by steps/STEP/metrics.jsonl: the judge's of answers in the right format, the truth's of all"
    )
    return Table("The judge against the truth", header, rows, note)


def choices_table(runs: Sequence[Summary]) -> Table:
    """Candidates' scores by validation; the chosen one of each is marked."""
    rows = []
    for run in runs:
        for step, choice in run.choices.items():
            for name, scores in choice["validation"].items():
                mark = "chosen" if name == choice["chosen"] else ""
                shown = f"{name} (seed {run.seed})" if len(runs) > 1 else name
                rows.append([step, shown, *(f"{100 * scores[role]:.1f}" for role in VALIDATED), mark])
    return Table(
        "Choice by validation", ["step", "candidate", *VALIDATED, ""], rows, "Percent, from steps/STEP/choice.json"
    )


def costs_table(runs: Sequence[Summary]) -> Table:
    """Seconds and tokens of each step, mean over the runs that have it."""
    rows = []
    for step in runs[0].costs:
        own = [run.costs[step] for run in runs if run.costs[step]["seconds"] is not None]
        if own:
            rows.append([step, own[0]["kind"], *(_mean_of(own, key) for key in ("steps", "seconds", "tokens"))])
    total = fmean(sum(cost["seconds"] or 0 for cost in run.costs.values()) for run in runs)
    rows.append(["all", "", "", f"{total:,.1f}", ""])
    note = "Training: by its metrics, tokens learnt from; others: seconds by `done`, tokens of recorded answers"
    return Table("Seconds and tokens", ["step", "kind", "steps", "seconds", "tokens"], rows, note)


def _mean_of(costs: Sequence[Mapping[str, Any]], key: str) -> str:
    values = [cost[key] for cost in costs if cost.get(key) is not None]
    return f"{fmean(values):,.{1 if key == 'seconds' else 0}f}" if values else ""


def _figures(runs: Sequence[Summary], model: str, name: str, figure: str) -> list[Estimate | None]:
    return [run.models.get(model, {}).get(name, {}).get(figure) for run in runs]


def _models(runs: Sequence[Summary], name: str) -> Iterator[str]:
    return iter(dict.fromkeys(model for run in runs for model, own in run.models.items() if name in own))
