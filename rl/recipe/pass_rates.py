"""Pass rates of problems, measured before a step of reinforcement learning, which trains on those of a medium rate.

The problems at the ends teach nothing: all answers of a group have one reward. An answer passes by the reward that
training uses, so that the truth decides only where it is the reward.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.errors import LemmataError
from core.json_lines import write_json_lines
from rl.judge import Judge
from rl.recipe.chains import sample_apart
from rl.recipe.config import PassRatesConfig
from rl.recipe.context import RecipeContext
from rl.recipe.step_types import PassRates
from rl.setup import make_judges, task_of
from rl.task import Answer, Task

MEASURED = "measured.jsonl"  # grows by `CHUNK` problems at a time, and is gone on with by a repeated step
CHUNK = 16
Row = dict[str, Any]


def pass_rates(context: RecipeContext, step: PassRates) -> None:
    """Measures the problems of a training step and writes those in range, in the order of their numbers."""
    config = context.config.pass_rates
    assert config is not None
    assert step.train.start is not None
    folder = context.at(step.name)
    folder.mkdir(parents=True, exist_ok=True)
    rows = {row["problem"]: row for row in read_measured(folder / MEASURED)}
    missing = [number for number in range(step.first, step.first + config.problems) if number not in rows]
    if missing:
        settings = context.training(step.train)
        sampling = settings.stages.rl.sampling
        task = task_of(settings, settings.role, "train", make_judges(settings, folder))
        model = context.judge(step.train.start, step.name, sampling.temperature, sampling.max_tokens)
        for start in range(0, len(missing), CHUNK):
            numbers = missing[start : start + CHUNK]
            found = list(measure_problems(model, task, numbers, config.samples, config.pass_reward))
            append_lines(folder / MEASURED, found)
            rows |= {row["problem"]: row for row in found}
    kept = choose([rows[number] for number in sorted(rows)], config)
    write_json_lines(context.table(step.name), kept)


def measure_problems(
    model: Judge, task: Task, numbers: Sequence[int], samples: int, pass_reward: float
) -> Iterable[Row]:
    """One row a problem: its number, the rewards of its answers, and the fraction that passes (None without any)."""
    trajectories = answer(model, task, numbers, samples)
    rewards: dict[int, list[float]] = {number: [] for number in numbers}
    for (number, _), reward in zip(trajectories, task.rewards(trajectories), strict=True):
        if reward.total is not None:
            rewards[number].append(reward.total)
    for number, found in rewards.items():
        passed = sum(reward >= pass_reward for reward in found)
        yield {"problem": number, "rate": passed / len(found) if found else None, "rewards": found}


def answer(model: Judge, task: Task, numbers: Sequence[int], samples: int) -> list[tuple[int, list[Answer]]]:
    """``samples`` trajectories of each problem, all turns of each; a prompt that leaves no room ends its trajectory."""
    groups = model.ask([task.prompt(number) for number in numbers], samples)
    trajectories = [(number, [one]) for number, group in zip(numbers, groups, strict=True) for one in group]
    running, turn = trajectories, 0
    while running:
        turn += 1
        texts = task.follow_ups(running)
        asked = [(one, text) for one, text in zip(running, texts, strict=True) if text is not None]
        answers = sample_apart(model, [text for _, text in asked], turn)
        running = [one for (one, _), found in zip(asked, answers, strict=True) if found is not None]
        for (_, turns), found in zip(running, (found for found in answers if found is not None), strict=True):
            turns.append(found)
    return trajectories


def choose(rows: Sequence[Row], config: PassRatesConfig) -> list[Row]:
    """The rows in range; where they are fewer than ``config.least``, also those nearest to the middle of the range."""
    low, high = config.range
    known = [row for row in rows if row["rate"] is not None]
    inside = [row for row in known if low <= row["rate"] <= high]
    others = sorted((row for row in known if row not in inside), key=lambda row: abs(row["rate"] - (low + high) / 2))
    chosen = [*inside, *others[: max(0, config.least - len(inside))]]
    if not chosen:
        raise LemmataError("no answer to any problem has a reward: the judge failed on each, or no prompt leaves room")
    return [{**row, "in_range": row in inside} for row in sorted(chosen, key=lambda row: row["problem"])]


def read_measured(path: Path) -> list[Row]:
    """The whole lines of a growing file; a torn last line is cut off."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def append_lines(path: Path, rows: Iterable[Row]) -> None:
    """Appends rows to a file of JSON Lines. Raises OSError where it cannot be written."""
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
