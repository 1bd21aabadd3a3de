"""Rollouts: several trajectories of each problem, of one turn or more, sampled from the engine and rewarded."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Protocol

from core.ids import clean_text, derive_seed
from core.reward import Reward
from model.engine import CompletionOutput, LLMEngine, SamplingParams
from model.tokenizer import THINK
from rl.reward_shaping import NO_SHAPING, RewardShapingConfig, shape_reward
from rl.task import Answer, Task

EARLY_THREADS = 32  # groups that wait for judges while others are sampled
NO_REWARD = Reward(None, {})  # of a trajectory before its task has judged it


@dataclass(slots=True)
class Turn:
    """A prompt and the policy's completion, as tokens and as text. ``opened``: the prompt ends inside the reasoning."""

    prompt_ids: list[int]
    completion: CompletionOutput
    opened: bool = False

    @property
    def answer(self) -> Answer:
        """The completion as the tasks read it."""
        truncated = self.completion.finish_reason == "length"
        text = f"{THINK}{self.completion.text}" if self.opened else self.completion.text
        return Answer(clean_text(text), truncated, len(self.completion.token_ids))


@dataclass(slots=True)
class Trajectory:
    """Sample ``index`` of the group of problem ``number``, in one or more turns.

    ``too_long``: the number of tokens of a prompt that left no room for an answer. The turns before it count; without
    any there is no reward.
    """

    number: int
    index: int
    turns: list[Turn]
    reward: Reward = NO_REWARD
    too_long: int | None = None

    @property
    def answers(self) -> list[Answer]:
        """The answers of all turns."""
        return [turn.answer for turn in self.turns]


class Prompts(Protocol):
    """Renders prompts (`rl.learner.Learner`)."""

    def render(self, text: str) -> list[int]:
        """Renders a user's message as prompt tokens."""
        ...

    def opens_thinking(self, prompt_ids: Sequence[int]) -> bool:
        """True where a prompt ends inside the reasoning."""
        ...


def sample_groups(
    engine: LLMEngine,
    chat: Prompts,
    task: Task,
    numbers: Iterable[int],
    samples: int,
    sampling: SamplingParams,
    shaping: RewardShapingConfig = NO_SHAPING,
    *,
    judge_early: bool = False,
) -> list[Trajectory]:
    """Samples ``samples`` trajectories of each problem, and rewards them; ``shaping`` is applied to the last turn.

    Each turn has a seed of its own (by ``sampling.seed``, problem, sample and turn), so that results do not depend on
    what else is in the batch. Raises LemmataError where the task cannot judge.
    """
    prompts = {number: chat.render(task.prompt(number)) for number in numbers}
    fitting = {number: prompt for number, prompt in prompts.items() if len(prompt) < engine.max_model_len}
    # One request per group (n=samples): the engine computes their common prompt once.
    seeded = [with_seed(sampling, number, 0, 0, n=samples) for number in fitting]
    with EarlyJudging(task, chat, fitting) if judge_early else nullcontext(no_judging) as finished:
        groups = engine.generate(list(fitting.values()), seeded, finished)
    answered = [
        Trajectory(number, index, [Turn(prompt, completion, chat.opens_thinking(prompt))])
        for (number, prompt), group in zip(fitting.items(), groups, strict=True)
        for index, completion in enumerate(group)
    ]
    _sample_follow_ups(engine, chat, task, answered, sampling)
    rewards = task.rewards([(trajectory.number, trajectory.answers) for trajectory in answered])
    for trajectory, reward in zip(answered, rewards, strict=True):
        last = trajectory.turns[-1]
        trajectory.reward = shape_reward(reward, last.answer.text, len(last.completion.token_ids), shaping)
    left_out = [
        Trajectory(number, index, [], too_long=len(prompts[number]))
        for number in prompts.keys() - fitting.keys()
        for index in range(samples)
    ]
    return sorted(answered + left_out, key=lambda trajectory: (trajectory.number, trajectory.index))


def no_judging(place: int, completions: Sequence[CompletionOutput]) -> None:
    """Judges nothing before all answers are there."""


class EarlyJudging:
    """Has the answers of each group judged in threads as soon as it is whole, if it has no further turn.

    Only the judges' recorded answers are used later: `Task.rewards` then finds them, whatever happened here.
    """

    def __init__(self, task: Task, chat: Prompts, prompts: Mapping[int, list[int]]) -> None:
        self._task, self._chat, self._prompts = task, chat, list(prompts.items())
        self._pool = ThreadPoolExecutor(EARLY_THREADS, "early-judging")

    def __enter__(self) -> Callable[[int, list[CompletionOutput]], None]:
        return self._start

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, place: int, completions: list[CompletionOutput]) -> None:
        number, prompt = self._prompts[place]
        opened = self._chat.opens_thinking(prompt)
        self._pool.submit(self._judge, [(number, [Turn(prompt, one, opened).answer]) for one in completions])

    def _judge(self, trajectories: list[tuple[int, list[Answer]]]) -> None:
        if not any(self._task.follow_ups(trajectories)):
            self._task.rewards(trajectories)


def _sample_follow_ups(
    engine: LLMEngine, chat: Prompts, task: Task, trajectories: Sequence[Trajectory], sampling: SamplingParams
) -> None:
    """Appends turns until the task has no follow-up for any trajectory, or its prompt is too long."""
    unfinished = list(trajectories)
    turn = 0
    while unfinished:
        turn += 1
        texts = task.follow_ups([(trajectory.number, trajectory.answers) for trajectory in unfinished])
        asked = zip(unfinished, texts, strict=True)
        rendered = [(trajectory, chat.render(text)) for trajectory, text in asked if text is not None]
        for trajectory, prompt in rendered:
            trajectory.too_long = len(prompt) if len(prompt) >= engine.max_model_len else None
        unfinished = [trajectory for trajectory, _ in rendered if trajectory.too_long is None]
        prompts = [prompt for trajectory, prompt in rendered if trajectory.too_long is None]
        seeded = [with_seed(sampling, one.number, one.index, turn, n=1) for one in unfinished]
        for trajectory, prompt, (completion,) in zip(
            unfinished, prompts, engine.generate(prompts, seeded), strict=True
        ):
            trajectory.turns.append(Turn(prompt, completion, chat.opens_thinking(prompt)))


def sampled_tokens(trajectories: Sequence[Trajectory]) -> int:
    """Number of tokens that sampling computed: a problem's first prompt once, other prompts and answers each."""
    turns = [(one.number if place == 0 else None, turn) for one in trajectories for place, turn in enumerate(one.turns)]
    first = {number: len(turn.prompt_ids) for number, turn in turns if number is not None}
    later = sum(len(turn.prompt_ids) for number, turn in turns if number is None)
    return sum(first.values()) + later + sum(len(turn.completion.token_ids) for _, turn in turns)


def with_seed(sampling: SamplingParams, *path: int, n: int) -> SamplingParams:
    """Returns ``sampling`` with ``n`` completions and the seed of a problem, a sample and a turn."""
    return replace(sampling, n=n, seed=derive_seed(sampling.seed, *path))
