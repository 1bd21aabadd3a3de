"""Parts of the recipe's plan: reinforcement learning on measured problems, and the measurement of a model. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from rl.recipe.config import CotrainConfig
from rl.recipe.step_types import TEST_ANALYZES, TEST_PROOFS, Measure, MeasureOnTables, PassRates, Step, Train


def reinforce(config: CotrainConfig, step: Train, turn: int = 1) -> Iterator[Step]:
    """A step of reinforcement learning on problems whose pass rate was measured before it.

    Each ``turn`` has problems of its own.
    """
    if config.pass_rates is None:
        yield step
        return
    problems = f"{step.name}-problems"
    yield PassRates(problems, step, first=(turn - 1) * config.pass_rates.problems)
    yield replace(step, tables={**step.tables, "problem_numbers": problems})


def measure(config: CotrainConfig, model: str, *, refine: bool = False) -> Measure | MeasureOnTables:
    """The measurement of a model in all roles."""
    if config.on_tables:
        return MeasureOnTables(f"measure-{model}", model, refine=refine)
    return Measure(f"measure-{model}", model, TEST_PROOFS, TEST_ANALYZES, refine)
