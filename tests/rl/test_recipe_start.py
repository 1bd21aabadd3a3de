"""The start of the recipe: an early checkpoint by pass rate, and a given base."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch")

from core.errors import LemmataError
from lab.items import Stream
from rl.recipe import start_steps
from rl.recipe.context import RecipeContext
from rl.recipe.step_types import Copy, Early
from rl.task import Answer
from tests.rl.test_recipe_plan import settings

STEPS = {100: 0.0, 200: 0.5, 300: 0.75, 400: 1.0, 500: 1.0}  # pass rate by checkpoint
STREAM = Stream("prove", ("inequalities",), (1,), "validation", 0)
RIGHT = {item.prompt: item.answer for item in (STREAM.item(number) for number in range(400))}


class Prover:
    """Proves the given fraction of what it is asked; remembers the number of prompts."""

    def __init__(self, rate: float, asked: list[float]) -> None:
        self.rate, self.asked = rate, asked

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        self.asked += [self.rate] * len(prompts)
        right = round(self.rate * len(prompts))
        return [[Answer(RIGHT[p] if place < right else "")] * count for place, p in enumerate(prompts)]


def checkpoints(run: Path) -> Path:
    for step in STEPS:
        folder = run / "checkpoints" / f"step-{step:08d}" / "model"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(str(step))
    return run


def prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, low: float, high: float
) -> tuple[RecipeContext, list[float]]:
    asked: list[float] = []
    run = checkpoints(tmp_path / "cold")
    wanted = [f"early.run={run}", f"early.pass_rate=[{low},{high}]", "early.problems=4", "early.samples=1"]
    context = RecipeContext(settings("smoke", *wanted), tmp_path / "run")

    def judge_in(_: RecipeContext, folder: Path, *__: object) -> Prover:
        return Prover(STEPS[int(folder.parent.name.removeprefix("step-"))], asked)

    monkeypatch.setattr(RecipeContext, "judge_in", judge_in)
    return context, asked


@pytest.mark.parametrize(
    ("limits", "chosen", "inside", "measured"),
    [((0.3, 0.6), 200, True, 3), ((0.6, 0.8), 300, True, 4), ((0.1, 0.2), 200, False, 2), ((0.8, 0.9), 400, False, 4)],
)
def test_the_checkpoint_nearest_to_the_middle_of_the_range_is_chosen(
    limits: tuple[float, float],
    chosen: int,
    inside: bool,
    measured: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context, asked = prepared(tmp_path, monkeypatch, *limits)
    start_steps.early(context, Early("early", None))
    found = json.loads((context.at("early") / "early.json").read_text())
    assert (found["chosen"], found["in_range"]) == (f"step-{chosen:08d}", inside)
    assert found["pass_rates"] == {f"step-{step:08d}": rate for step, rate in list(STEPS.items())[:measured]}
    assert (context.model("early") / "config.json").read_text() == str(chosen)
    assert len(asked) == 4 * measured
    start_steps.early(context, Early("early", None))
    assert len(asked) == 4 * measured  # no checkpoint is measured again


def test_checkpoints_below_the_range_are_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, _ = prepared(tmp_path, monkeypatch, 0.3, 0.6)
    monkeypatch.setitem(STEPS, 100, 0.25)
    for step in (200, 300, 400, 500):
        monkeypatch.setitem(STEPS, step, 0.0)
    with pytest.raises(LemmataError, match=r"early\.pass_rate\[0\]=0\.3; the highest is 0\.25, of step-00000100"):
        start_steps.early(context, Early("early", None))
    assert not context.model("early").exists()


def test_a_run_without_checkpoints_is_named(tmp_path: Path) -> None:
    context = RecipeContext(settings("smoke", f"early.run={tmp_path / 'none'}"), tmp_path / "run")
    with pytest.raises(LemmataError, match=r"none has no checkpoints.*early\.run"):
        start_steps.early(context, Early("early", None))


def test_a_base_is_copied(tmp_path: Path) -> None:
    context = RecipeContext(settings("smoke"), tmp_path)
    start_steps.copy(context, Copy("base", "pkg://model/shipped"))
    assert (context.model("base") / "model.safetensors").is_file()
    with pytest.raises(LemmataError, match="nowhere is no folder of a model"):
        start_steps.copy(context, Copy("base", "nowhere"))
