"""Measurements of a model that ends none of its answers: recorded and reported as nothing counted, never a crash."""

from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch")

from core.errors import LemmataError
from rl.parallel import Parallel
from rl.recipe.context import RecipeContext
from rl.recipe.plan import plan
from rl.recipe.step_types import Analyze, Measure, Prove
from rl.recipe.steps import run_step
from rl.report.summary import Summary, summarize
from rl.task import Answer
from tests.rl.test_recipe_plan import settings

pytestmark = pytest.mark.trains

STEPS = ("test-proofs", "test-analyses", "measure-base", "measure-1-verifier-alone")


class Endless:
    """A model whose every answer is cut off at the limit."""

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        return [[Answer("and so on " * 5, truncated=True, tokens=15)] * count for _ in prompts]


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecipeContext:
    """A run of the smallest recipe by that model."""
    monkeypatch.setattr(RecipeContext, "judge", lambda *_: Endless())
    return RecipeContext(settings("smoke"), tmp_path)


def measured(context: RecipeContext) -> Summary:
    for step in plan(context.config):
        if step.name in STEPS:
            assert isinstance(step, Prove | Analyze | Measure)
            assert run_step(context, step, Parallel(), lambda *_: None, lambda: False)
    return summarize(context.config, context.folder)


def test_nothing_ended_is_a_result(context: RecipeContext) -> None:
    summary = measured(context)
    passed = summary.models["base"]["prover.jsonl"]["pass@1"]
    assert (passed.value, passed.low) == (0.0, 0.0)
    assert summary.models["1-verifier-alone"]["verifier.jsonl"]["accuracy"].value == 0.0  # of planted proofs
    assert {f"steps/measure-{model}/verifier-real.jsonl" for model in ("base", "1-verifier-alone")} < {*summary.empty}
    assert "steps/measure-1-verifier-alone/meta-verifier-real.jsonl" in summary.empty


def test_nothing_to_learn_from_is_an_error_that_names_the_limit(context: RecipeContext) -> None:
    step = next(step for step in plan(context.config) if step.name == "1-proofs")
    with pytest.raises(LemmataError, match=r"base.*measure\.max_tokens"):
        run_step(context, step, Parallel(), lambda *_: None, lambda: False)
