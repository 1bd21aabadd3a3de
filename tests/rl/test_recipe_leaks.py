"""After the first iteration no training data depends on the truth: with another truth it is the same.

Models are scripted, so that proofs, analyses and reviews of every kind occur; the steps are the recipe's own.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st

from core.ids import derive_seed
from lab.items import Item, Stream
from lab.prompts import templates
from rl.config import TrainConfig
from rl.judge import Judges
from rl.parallel import Parallel
from rl.recipe import pass_rates
from rl.recipe.context import RecipeContext
from rl.recipe.plan import plan
from rl.recipe.step_types import LabelProofs, PassRates, Step, Train
from rl.recipe.steps import run_step
from rl.setup import task_of
from rl.task import Answer, Task
from rl.tasks import judged, lab
from rl.tasks.build import DataConfig, make_task
from rl.tasks.lab import case_of
from rl.tasks.tables import Case
from tests.rl.settings import data_config, judges_config
from tests.rl.test_recipe_plan import settings

pytestmark = pytest.mark.slow

OPENING = "Here is my evaluation of the solution:\n"
REVIEW = 'Here is my analysis of the "solution evaluation":\n'
RATING = 'Based on my analysis, I will rate the "solution evaluation" as:'
SAYS = "%s\nBased on my evaluation, the final overall score should be:\n\\boxed{%s}"
PROOFS = [Stream("verify", ("inequalities",), (1,), "train", 8).item(number).proof.text for number in range(6)]
NUMBERS = range(20)


class Model:
    """Writes proofs, analyses and reviews that follow from the prompt alone."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        return [[Answer(self._write(prompt, number)) for number in range(count)] for prompt in prompts]

    def _write(self, prompt: str, number: int) -> str:
        chosen = derive_seed(self.name, prompt, number)
        verdict = SAYS % (f"Line {chosen % 3}: it is so.", ("0", "0.5", "1")[chosen // 3 % 3])
        if prompt.startswith("Judge the evaluation"):
            return REVIEW + verdict.replace("Based on my evaluation, the final overall score should be:", RATING)
        if prompt.startswith("Judge the proof"):
            return OPENING + verdict
        return f"## Solution\n{PROOFS[chosen % len(PROOFS)]}\n\n## Self Evaluation\n\n{OPENING}{verdict}"


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecipeContext:
    """A run whose models are scripted, and whose settings are small."""
    monkeypatch.setattr(RecipeContext, "judge", lambda context, step, *_: Model(step))
    monkeypatch.setattr(pass_rates, "make_judges", scripted_judges)
    return RecipeContext(
        settings(
            "smoke",
            "turns=2",
            "on_policy_proofs.samples=4",
            "labels.analyses=4",
            "pass_rates.problems=12",
            "pass_rates.least=12",
        ),
        tmp_path,
    )


def scripted_judges(config: TrainConfig, _: Path | None = None) -> Judges | None:
    """The scripted models of the steps that a training names as its judges."""
    data = DataConfig(**{**config.data, "judges": judges_config(analyses=2, reviews=2)})
    named = [config.data["judges"][role] for role in ROLES]
    models = [None if folder is None else Model(Path(folder).parent.name) for folder in named]
    return Judges(data.judges, *models) if any(models) else None


def gather(context: RecipeContext) -> None:
    """All tables of the run, in order."""
    for step in plan(context.config):
        if type(step).__name__ in ("Prove", "Analyze", "LabelProofs", "PassRates"):
            assert run_step(context, step, Parallel(), lambda *_: None, lambda: False)


def another_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checker and the ratings of analyses say 0.5 of everything, planted labels too."""

    def half(*_: object) -> Any:
        return SimpleNamespace(score=0.5)

    def planted(item: Item) -> Case:
        case = case_of(item)
        return replace(case, label=None if case.label is None else 0.5, quality=None if case.quality is None else 0.5)

    for module in ("rl.recipe.collect", "rl.tasks.lab"):
        monkeypatch.setattr(f"{module}.check", half)
    for module in ("rl.recipe.collect", "rl.tasks.judged"):
        monkeypatch.setattr(f"{module}.analysis_quality", lambda *_: 0.5)
    monkeypatch.setattr(lab, "case_of", planted)


def trained_on(context: RecipeContext, step: Step) -> list[tuple[str, float | None]]:
    """Prompts and rewards of a step of reinforcement learning, for answers of many kinds."""
    assert isinstance(step, Train)
    config = context.training(step)
    task = task_of(config, config.role, "train", scripted_judges(config))
    return [one for number in NUMBERS for one in _tries(task, number)]


ROLES = ("verifier", "meta_verifier")


def _tries(task: Task, number: int) -> list[tuple[str, float | None]]:
    prompt = task.prompt(number)
    (answers,) = Model("learner").ask([prompt], 4)
    return [(prompt, reward.total) for reward in task.rewards([(number, [answer]) for answer in answers])]


def reinforced(context: RecipeContext, number: int) -> list[Train]:
    steps = [step for step in plan(context.config) if isinstance(step, Train) and step.changes["stage"] == "rl"]
    return [step for step in steps if step.name.startswith(f"{number}-")]


def test_tables_and_rewards_of_a_later_iteration_are_the_models_alone(
    context: RecipeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    gather(context)
    later = [
        step
        for step in plan(context.config)
        if step.name.startswith("2-") and isinstance(step, LabelProofs | PassRates)
    ]
    tables = {step.name: context.table(step.name).read_text() for step in later}
    rewards = {step.name: trained_on(context, step) for step in reinforced(context, 2)}
    assert all(tables.values())
    turns = {f"2-{role}{mark}" for role in ("verifier", "prover") for mark in ("-turn-1", "")}
    assert rewards.keys() == turns
    # Something is at stake: rewards differ within each step.
    assert all(len({total for _, total in found}) > 2 for found in rewards.values())
    another_truth(monkeypatch)
    for step in plan(context.config):
        if step.name.startswith("2-") and type(step).__name__ in ("Prove", "Analyze", "LabelProofs", "PassRates"):
            run_step(context, step, Parallel(), lambda *_: None, lambda: False)
    assert {name: context.table(name).read_text() for name in tables} == tables
    for step in reinforced(context, 2):
        assert trained_on(context, step) == rewards[step.name], step.name


def test_the_first_iteration_does_rest_on_the_truth(context: RecipeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    gather(context)
    before = {step.name: trained_on(context, step) for step in reinforced(context, 1)}
    another_truth(monkeypatch)
    after = {step.name: trained_on(context, step) for step in reinforced(context, 1)}
    assert {name for name in before if before[name] != after[name]} == before.keys() - {"1-prover-turn-1", "1-prover"}


@given(
    truth=st.sampled_from([0.0, 0.5, 1.0]),
    number=st.integers(0, 20),
    body=st.sampled_from([*PROOFS, "", "Clear."]),
    score=st.sampled_from(["0", "0.5", "1", "2"]),
    truncated=st.booleans(),
)
def test_no_truth_moves_a_judged_reward(truth: float, number: int, body: str, score: str, truncated: bool) -> None:
    data = data_config(families=("inequalities",), levels=(1,))
    judges = Judges(judges_config(analyses=2), Model("verifier"), Model("meta"))
    task = make_task("prover", data, templates(), "train", 0, judges)
    text = f"## Solution\n{body}\n\n## Self Evaluation\n\n{OPENING}{SAYS % ('So.', score)}"
    trajectories = [(number, [Answer(text, truncated=truncated)])]
    (reward,) = task.rewards(trajectories)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judged, "exact_score", lambda *_: truth)
        (other,) = task.rewards(trajectories)
    assert other.total == reward.total
    assert other.parts["truth"] == truth  # it is in the log
