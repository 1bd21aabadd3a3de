"""Tables of measured models: main metrics, every metric, differences, and candidates for one model.

Several runs of one recipe stand side by side: means over the runs, from the lowest to the highest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from core.document import Table
from core.statistics import Estimate
from rl.report.metrics import MAIN
from rl.report.summary import ROLES, Summary, specialists, start_of

MISSING = "–"
DECIMALS = ("mean_absolute_error", "quality", "mean_truth")  # the other metrics are shares, in percent
TITLES = {
    "prover.jsonl": "Prover",
    "verifier.jsonl": "Verifier, planted proofs",
    "verifier-real.jsonl": "Verifier, real proofs",
    "meta-verifier.jsonl": "Meta-verifier, planted analyses",
    "meta-verifier-real.jsonl": "Meta-verifier, real analyses",
}
NAMES = {
    "self_score_accuracy": "self-score accuracy",
    "overclaim_rate": "overclaim rate",
    "precision_all": "precision (all agree)",
    "quality": "quality of analyses",
}
HEADLINES = (
    ("prover.jsonl", "pass@1"),
    ("prover.jsonl", "self_score_accuracy"),
    ("prover.jsonl", "overclaim_rate"),
    *((name, metric) for name in ("verifier.jsonl", "verifier-real.jsonl") for metric in ("accuracy", "precision_all")),
    ("verifier-real.jsonl", "quality"),
    ("meta-verifier.jsonl", "accuracy"),
    ("meta-verifier-real.jsonl", "accuracy"),
)
HEADLINE_ROWS = [f"{TITLES[name]}: {NAMES.get(metric, metric)}" for name, metric in HEADLINES]
MAIN_COLUMNS = [f"{TITLES[name]}: {metric}" for name, metric in MAIN.items()]


def format_estimates(
    estimates: Sequence[Estimate | None], metric: str, *, n: bool = False, signed: bool = False
) -> str:
    """One run: value [interval] (``n``: observations). Several: mean (lowest to highest). In percent, or a score."""
    known = [one for one in estimates if one is not None and one.value is not None]
    if not known:
        return MISSING
    scale, digits = (1, 3) if metric in DECIMALS else (100, 1)
    sign = "+" if signed else ""
    values = [scale * one.value for one in known if one.value is not None]
    if len(estimates) > 1:
        missing = "" if len(known) == len(estimates) else f" ({len(known)} of {len(estimates)} runs)"
        average, low, high = (f"{value:{sign}.{digits}f}" for value in (fmean(values), min(values), max(values)))
        return f"{average} ({low} to {high}){missing}"
    one = known[0]
    interval = ""
    if one.low is not None and one.high is not None:
        interval = f" [{scale * one.low:{sign}.{digits}f}, {scale * one.high:{sign}.{digits}f}]"
    return f"{values[0]:{sign}.{digits}f}{interval}" + (f" ({one.n})" if n else "")


def headlines(runs: Sequence[Summary], iterations: int) -> Table:
    """The main metrics of the cold start, and of each iteration's specialists and generator, as far as measured."""
    columns: list[tuple[str, Callable[[str], str]]] = [("cold start", lambda role: "base")]
    for number in range(1, iterations + 1):
        columns.append((f"{number}: specialist", specialists(number).__getitem__))
        columns.append((f"{number}: generator", lambda role, model=f"{number}-generator": model))
    found = {
        title: [format_estimates(_of_runs(runs, of(ROLES[name]), name, metric), metric) for name, metric in HEADLINES]
        for title, of in columns
    }
    measured = {title: cells for title, cells in found.items() if set(cells) != {MISSING}}
    rows = [list(row) for row in zip(HEADLINE_ROWS, *measured.values(), strict=True)]
    shown = "[95 % interval]" if len(runs) == 1 else "mean over the runs (lowest to highest)"
    return Table(["metric", *measured], rows, f"Test stream. Shares in percent; {shown}.")


def by_run(runs: Sequence[Summary], model: str) -> Table:
    """The main metrics of a model, run by run, each with its own interval."""
    rows = []
    for title, (name, metric) in zip(HEADLINE_ROWS, HEADLINES, strict=True):
        estimates = _of_runs(runs, model, name, metric)
        each = [format_estimates([one], metric, n=True) for one in estimates]
        rows.append([title, *each, format_estimates(estimates, metric)])
    columns = ["metric", *(f"seed {run.seed}" for run in runs), "mean (lowest to highest)"]
    return Table(columns, rows, f"From steps/measure-{model} of each run.")


def models_table(runs: Sequence[Summary], name: str) -> Table:
    """All metrics of file ``name`` of the measurements: one row for each model."""
    models = dict.fromkeys(model for run in runs for model, files in run.models.items() if name in files)
    metrics = list(dict.fromkeys(key for run in runs for files in run.models.values() for key in files.get(name, ())))
    rows = [
        [model, *(format_estimates(_of_runs(runs, model, name, metric), metric, n=True) for metric in metrics)]
        for model in models
    ]
    return Table(["model", *metrics], rows, f"From steps/measure-MODEL/{name}.")


def difference_table(
    models: Iterable[str],
    name: str,
    found: Callable[[Summary, str], Mapping[str, Estimate]],
    runs: Sequence[Summary],
) -> Table:
    """Paired differences that ``found`` has of each run and model: one row for each model."""
    models = [model for model in models if any(found(run, model) for run in runs)]
    metrics = list(dict.fromkeys(metric for run in runs for model in models for metric in found(run, model)))
    rows = []
    for model in models:
        by_metric = {metric: [found(run, model).get(metric) for run in runs] for metric in metrics}
        cells = [format_estimates(estimates, key, n=True, signed=True) for key, estimates in by_metric.items()]
        rows.append([model, *cells])
    return Table(["model", *metrics], rows, f"Paired by theorem, from steps/measure-MODEL/{name}.")


def generators(runs: Sequence[Summary], number: int) -> Table:
    """Every way to one model in an iteration, with differences to the specialist of each role."""
    rows = []
    for model in dict.fromkeys(model for run in runs for model in run.to_specialist.get(number, ())):
        cells = []
        for name, metric in MAIN.items():
            apart = [run.to_specialist.get(number, {}).get(model, {}).get(name) for run in runs]
            itself = specialists(number)[ROLES[name]] == model
            cells.append(format_estimates(_of_runs(runs, model, name, metric), ""))
            cells.append("specialist" if itself else format_estimates(apart, "", signed=True))
        if any(cell not in (MISSING, "specialist") for cell in cells):
            rows.append([model, *cells])
    columns = ["model", *(column for title in MAIN_COLUMNS for column in (title, "to specialist"))]
    caption = "Percent, and points paired by theorem; from steps/measure-MODEL, n as in the tables of the roles."
    return Table(columns, rows, caption)


def iterations_table(runs: Sequence[Summary], iterations: int) -> Table:
    """Gains by iteration: each generator less the model that its iteration began with."""
    rows = []
    for number in range(1, iterations + 1):
        model = f"{number}-generator"
        found = [run.since_before.get(model, {}) for run in runs]
        apart = {name: [files.get(name, {}).get(metric) for files in found] for name, metric in MAIN.items()}
        cells = [format_estimates(estimates, "", n=True, signed=True) for estimates in apart.values()]
        rows.append([f"iteration {number}, less {start_of(number)}", *cells])
    return Table(["generator", *MAIN_COLUMNS], rows, "Points, paired by theorem, from steps/measure-MODEL.")


def _of_runs(runs: Sequence[Summary], model: str, name: str, metric: str) -> list[Estimate | None]:
    return [run.models.get(model, {}).get(name, {}).get(metric) for run in runs]
