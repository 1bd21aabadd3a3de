"""Sampling answers from the engine: several tries of each problem, of one turn or more."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from core.ids import clean_text, derive_seed
from model.engine import Completion, Engine, SamplingParams
from rl.reward import Reward
from rl.reward_shape import ShapeConfig, shape
from rl.task import Answer, Task

UNKNOWN = Reward(None, {})  # until a try is judged


@dataclass(slots=True)
class Turn:
    """A prompt and what the policy answered, as tokens and as text."""

    prompt_ids: list[int]
    completion: Completion

    @property
    def answer(self) -> Answer:
        """What the role reads."""
        truncated = self.completion.finish_reason == "length"
        return Answer(clean_text(self.completion.text), truncated, len(self.completion.token_ids))


@dataclass(slots=True)
class Try:
    """One attempt at problem ``number``, number ``index`` of its group, in one or more turns."""

    number: int
    index: int
    turns: list[Turn]
    reward: Reward = UNKNOWN

    @property
    def answers(self) -> list[Answer]:
        """Of all turns."""
        return [turn.answer for turn in self.turns]


Render = Callable[[str], list[int]]  # a user's message as a prompt


def sample_groups(
    engine: Engine,
    render: Render,
    task: Task,
    numbers: Iterable[int],
    samples: int,
    sampling: SamplingParams,
    shaping: ShapeConfig = ShapeConfig(),  # noqa: B008  frozen
) -> list[Try]:
    """``samples`` tries of each problem with their rewards, ``shaping`` by the last turn included.

    Each is drawn by its own seed, whatever runs beside it.

    The seeds follow from ``sampling.seed``, the problem's number, the try and the turn. Raises ModelError where a
    prompt leaves no room, LemmataError where the task cannot judge.
    """
    numbers = list(numbers)
    prompts = [render(task.prompt(number)) for number in numbers]
    # Of a group that shares its prompt the engine computes it once.
    seeded = [with_seed(sampling, number, 0, 0, n=samples) for number in numbers]
    groups = engine.generate(prompts, seeded)
    tries = [
        Try(number, index, [Turn(prompt, completion)])
        for number, prompt, group in zip(numbers, prompts, groups, strict=True)
        for index, completion in enumerate(group)
    ]
    _further_turns(engine, render, task, tries, sampling)
    rewards = task.rewards([(one.number, one.answers) for one in tries])
    for one, reward in zip(tries, rewards, strict=True):
        last = one.turns[-1]
        one.reward = shape(reward, last.answer.text, len(last.completion.token_ids), shaping)
    return tries


def _further_turns(engine: Engine, render: Render, task: Task, tries: Sequence[Try], sampling: SamplingParams) -> None:
    going = list(tries)
    turn = 0
    while going:
        turn += 1
        asked = [(one, task.follow_up(one.number, one.answers)) for one in going]
        going = [one for one, text in asked if text is not None]
        prompts = [render(text) for _, text in asked if text is not None]
        seeded = [with_seed(sampling, one.number, one.index, turn, n=1) for one in going]
        for one, prompt, (completion,) in zip(going, prompts, engine.generate(prompts, seeded), strict=True):
            one.turns.append(Turn(prompt, completion))


def with_seed(sampling: SamplingParams, *place: int, n: int) -> SamplingParams:
    """``sampling`` for ``n`` completions by the seed of a place: of a problem, a try and a turn."""
    return replace(sampling, n=n, seed=derive_seed(sampling.seed, *place))
