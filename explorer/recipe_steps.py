"""Steps of a co-training run: the recipe's plan, their state, duration and measurement."""

import re
from dataclasses import dataclass
from functools import lru_cache
from json import loads
from math import inf
from pathlib import Path

from core.errors import LemmataError
from core.store import Run
from explorer.index import stamp_of
from explorer.run_progress import State, ended_early
from explorer.training_log import last_line
from rl.recipe.plan import plan
from rl.report.metrics import MAIN, observations_of
from rl.report.record_files import read_rows
from rl.report.runs import recorded_recipe

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class RecipeStep:
    """One step. ``kind``: such as "train" or "measure"; ``seconds``: duration of a finished one; ``words``: progress
    of a training, or the main metric of each file of a measurement. ``has_metrics``: it has a page of its own.
    """

    number: int
    name: str
    kind: str
    state: State
    seconds: float | None
    words: str
    has_metrics: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """Steps of a run. ``planned``: all of them are known; otherwise those that have begun, and ``error`` says why."""

    steps: tuple[RecipeStep, ...]
    planned: bool
    error: str = ""

    @property
    def current(self) -> RecipeStep | None:
        """The first step that is not done."""
        return next((step for step in self.steps if step.state != "done"), None)

    @property
    def done(self) -> bool:
        """True where every step of the plan is done."""
        return self.planned and self.current is None

    @property
    def words(self) -> str:
        """Progress in words, such as ``step 40 of 52: 2-prover, rl step 12``."""
        step, of = self.current, f" of {len(self.steps)}" if self.planned else ""
        if self.done:
            return f"{len(self.steps)} steps"
        if step is None:
            return f"{len(self.steps)} steps so far"
        return f"step {step.number}{of}: {step.name}" + (f", {step.words}" if step.words else "")


def read_recipe(folder: Path, *, running: bool) -> Recipe:
    """Steps of the co-training run in ``folder``."""
    try:
        planned, error = list(_plan(folder, stamp_of(folder / "run.yaml"))), ""
    except LemmataError as problem:
        planned, error = _begun(folder), str(problem)
    steps: list[RecipeStep] = []
    for number, (name, kind) in enumerate(planned, 1):
        reached = all(step.state == "done" for step in steps)
        steps.append(_step(folder, number, name, kind, current=reached, running=running))
    return Recipe(tuple(steps), not error, error)


@lru_cache(maxsize=200)
def _plan(folder: Path, stamp: tuple[int, int] | None) -> tuple[tuple[str, str], ...]:
    """Names and kinds of all steps, by the recorded settings. Raises LemmataError where they are of another version."""
    steps = plan(recorded_recipe(Run.read(folder)))
    return tuple((step.name, _CAPITAL.sub(" ", type(step).__name__).lower()) for step in steps)


def _begun(folder: Path) -> list[tuple[str, str]]:
    """Steps that have begun, in the order of time."""
    found = [path for path in (folder / "steps").glob("*") if path.is_dir()]
    return [(path.name, "") for path in sorted(found, key=lambda path: (_ended(path), path.name))]


def _ended(step: Path) -> float:
    """Time at which a step was done; infinite before."""
    stamp = stamp_of(step / "done")
    return stamp[0] if stamp else inf


def _step(folder: Path, number: int, name: str, kind: str, *, current: bool, running: bool) -> RecipeStep:
    place = folder / "steps" / name
    seconds = _seconds(place / "done")
    state: State = "done" if (place / "done").is_file() else ""
    if not state and current:
        state = "running" if running else ended_early(folder)
    metrics = place / "metrics.jsonl"
    has_metrics = metrics.is_file()
    words = measurement(folder, name) if state == "done" and name.startswith("measure") else ""
    if has_metrics and state:
        last = last_line(metrics)
        words = f"{last.get('stage', '')} step {last['step']}" if "step" in last else ""
    return RecipeStep(number, name, kind, state, seconds, words, has_metrics)


def _seconds(path: Path) -> float | None:
    try:
        value = loads(path.read_text(encoding="utf-8"))["seconds"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return float(value) if isinstance(value, int | float) else None


def measurement(folder: Path, name: str) -> str:
    """Main metric of each file of a measurement, such as ``prover pass@1 83 %``."""
    stamps = tuple(stamp_of(folder / "steps" / name / file) for file in MAIN)
    return _measurement(folder, name, stamps)


@lru_cache(maxsize=2000)
def _measurement(folder: Path, name: str, stamps: tuple[tuple[int, int] | None, ...]) -> str:
    words = []
    for (file, metric), stamp in zip(MAIN.items(), stamps, strict=True):
        if stamp is None:
            continue
        try:
            rows = read_rows(folder, name, file)
            observed = observations_of(file, rows).get(metric, []) if rows else []
        except LemmataError as error:
            words.append(str(error))
            continue
        total = sum(one.weight for one in observed)
        if total:
            value = sum(one.value for one in observed) / total
            words.append(f"{file.removesuffix('.jsonl')} {metric} {value:.0%}")
    return " · ".join(words)
