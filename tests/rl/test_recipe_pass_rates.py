"""Pass rates of problems: measured once, chosen by range, and trained on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from core.errors import LemmataError
from core.json_lines import write_json_lines
from core.reward import Reward
from lab.prompts import templates
from rl.recipe import pass_rates
from rl.recipe.config import PassRatesConfig
from rl.recipe.context import RecipeContext
from rl.recipe.step_types import PassRates, Train
from rl.task import Answer, Example, Task
from rl.tasks.build import make_task
from rl.tasks.problem_numbers import ListedTask, read_problem_numbers
from tests.rl.settings import data_config
from tests.rl.test_recipe_plan import settings

CONFIG = PassRatesConfig(range=(0.1, 0.9), problems=6, samples=4, pass_reward=0.75, least=1)


class Numbered:
    """Problem n has the prompt "n"; the reward of an answer is the number it is; None for a question mark."""

    domain = "numbers"

    def __init__(self, rounds: int = 1) -> None:
        self.rounds = rounds

    def prompt(self, number: int) -> str:
        return str(number)

    def tools(self, number: int) -> None:
        return None

    def follow_ups(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[str | None]:
        return [f"{number} again" if len(answers) < self.rounds else None for number, answers in trajectories]

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        texts = [answers[-1].text for _, answers in trajectories]
        return [Reward(None if text == "?" else float(text), {}) for text in texts]

    def example(self, number: int) -> Example:
        return Example(f"example {number}", "")


class Solver:
    """Answer k of problem n is right where k < n; in a second turn all are right."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, prompts: Sequence[str], count: int, draw: int = 0) -> list[list[Answer]]:
        self.asked += prompts
        return [[Answer(self._text(prompt, place)) for place in range(count)] for prompt in prompts]

    def _text(self, prompt: str, place: int) -> str:
        if prompt.endswith("again"):
            return "1"
        return "?" if prompt == "5" else str(float(place < int(prompt)))


def rates(task: Task) -> dict[int, float | None]:
    found = pass_rates.measure_problems(Solver(), task, range(6), 4, 0.75)
    return {row["problem"]: row["rate"] for row in found}


def test_rates_are_of_the_rewards_of_training() -> None:
    assert rates(Numbered()) == {0: 0.0, 1: 0.25, 2: 0.5, 3: 0.75, 4: 1.0, 5: None}
    assert set(rates(Numbered(rounds=2)).values()) == {1.0}


@pytest.mark.parametrize(
    ("least", "kept"),
    [(1, {1: True, 2: True, 3: True}), (4, {0: False, 1: True, 2: True, 3: True})],
)
def test_problems_of_a_medium_rate_are_chosen(least: int, kept: dict[int, bool]) -> None:
    rows = [*pass_rates.measure_problems(Solver(), Numbered(), range(6), 4, 0.75)]
    chosen = pass_rates.choose(rows, replace(CONFIG, least=least))
    assert {row["problem"]: row["in_range"] for row in chosen} == kept


def test_no_reward_at_all_is_an_error() -> None:
    with pytest.raises(LemmataError, match="no answer to any problem has a reward"):
        pass_rates.choose([{"problem": 0, "rate": None, "rewards": []}], CONFIG)


def test_a_repeated_step_measures_only_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solver = Solver()
    context = RecipeContext(settings("smoke", "pass_rates.problems=40", "pass_rates.samples=4"), tmp_path)
    monkeypatch.setattr(RecipeContext, "judge", lambda *_: solver)
    monkeypatch.setattr(pass_rates, "task_of", lambda *_: Numbered())
    step = PassRates("problems", Train("train", context.config.prover, "base"), first=10)
    pass_rates.pass_rates(context, step)
    table = context.table("problems").read_text()
    assert [int(prompt) for prompt in solver.asked] == list(range(10, 50))
    measured = context.at("problems") / pass_rates.MEASURED
    lines = measured.read_text().splitlines(keepends=True)
    measured.write_text("".join(lines[:20]) + lines[20][:9])  # killed while it wrote
    solver.asked.clear()
    pass_rates.pass_rates(context, step)
    assert [int(prompt) for prompt in solver.asked] == list(range(30, 50))
    assert context.table("problems").read_text() == table
    assert measured.read_text() == "".join(lines)


def test_a_listed_task_has_the_problems_of_its_table(tmp_path: Path) -> None:
    task = ListedTask(Numbered(rounds=2), (7, 3))
    assert [task.prompt(number) for number in range(3)] == ["7", "3", "7"]
    assert task.follow_ups([(1, [Answer("")])]) == ["3 again"]
    assert task.example(4).prompt == "example 4"
    table = tmp_path / "problems.jsonl"
    write_json_lines(table, [{"problem": 4, "rate": 0.5}, {"problem": 9, "rate": 0.25}])
    data = data_config(families=("inequalities",), levels=(1,))
    listed, whole = (
        make_task("prover", replace(data, problem_numbers=name), templates(), "train", 0) for name in (str(table), None)
    )
    assert [listed.prompt(number) for number in range(2)] == [whole.prompt(4), whole.prompt(9)]
    other = make_task("prover", replace(data, problem_numbers=str(table)), templates(), "validation", 0)
    assert other.prompt(0) == make_task("prover", data, templates(), "validation", 0).prompt(0)


@pytest.mark.parametrize("rows", [[], [{"problem": -1}], [{"problem": "one"}], [{"number": 1}]])
def test_a_table_without_problems_is_refused(rows: list[dict[str, object]], tmp_path: Path) -> None:
    write_json_lines(tmp_path / "problems.jsonl", rows)
    with pytest.raises(LemmataError, match="problem"):
        read_problem_numbers(str(tmp_path / "problems.jsonl"))
