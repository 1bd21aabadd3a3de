"""Rollouts: several trajectories of each problem, of one turn or more, sampled from the engine and rewarded."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

from model.engine import CompletionOutput, SamplingParams
from policy.interface import Message
from rl.models.interface import RolloutEngine
from rl.reward_shaping import NO_SHAPING, RewardShapingConfig, shape_reward
from rl.task import Answer, Task
from rl.tool_turns import calls_of, sample_tool_turns, sample_turns
from rl.trajectory import Prompts, Trajectory, Turn, with_seed

EARLY_THREADS = 32  # groups that wait for judges while others are sampled


def sample_groups(
    engine: RolloutEngine,
    chat: Prompts,
    task: Task,
    numbers: Iterable[int],
    samples: int,
    sampling: SamplingParams,
    shaping: RewardShapingConfig = NO_SHAPING,
    *,
    judge_early: bool = False,
) -> list[Trajectory]:
    """Samples ``samples`` trajectories of each problem, and rewards them; ``shaping`` is applied to the last answer,
    whose length is that of all turns that led to it.

    Each turn has a seed of its own (by ``sampling.seed``, problem, sample and turn), so that results do not depend on
    what else is in the batch. Raises LemmataError where the task cannot judge.
    """
    texts = {number: task.prompt(number) for number in numbers}
    prompts = {number: first_prompt(chat, task, number, text) for number, text in texts.items()}
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
    sample_tool_turns(engine, chat, task, [(one, texts[one.number]) for one in answered], sampling)
    _sample_follow_ups(engine, chat, task, answered, sampling)
    rewards = task.rewards([(trajectory.number, trajectory.answers) for trajectory in answered])
    for trajectory, reward in zip(answered, rewards, strict=True):
        trajectory.reward = shape_reward(reward, trajectory.answers[-1].text, trajectory.last_tokens, shaping)
    left_out = [
        Trajectory(number, index, [], too_long=len(prompts[number]))
        for number in prompts.keys() - fitting.keys()
        for index in range(samples)
    ]
    return sorted(answered + left_out, key=lambda trajectory: (trajectory.number, trajectory.index))


def first_prompt(chat: Prompts, task: Task, number: int, text: str) -> list[int]:
    """Renders the user's message of a problem, with the tools of its answers."""
    tools = task.tools(number)
    return chat.render(text) if tools is None else chat.render_chat([Message("user", text)], tools.specs)


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
        turns = [Turn(prompt, one, opened) for one in completions]
        if self._task.tools(number) is None or not any(map(calls_of, turns)):
            self._pool.submit(self._judge, [(number, [turn.answer]) for turn in turns])

    def _judge(self, trajectories: list[tuple[int, list[Answer]]]) -> None:
        if not any(self._task.follow_ups(trajectories)):
            self._task.rewards(trajectories)


def _sample_follow_ups(
    engine: RolloutEngine, chat: Prompts, task: Task, trajectories: Sequence[Trajectory], sampling: SamplingParams
) -> None:
    """Appends turns until the task has no follow-up for any trajectory, or its prompt is too long."""
    unfinished = [trajectory for trajectory in trajectories if trajectory.too_long is None]
    while unfinished:
        texts = task.follow_ups([(trajectory.number, trajectory.answers) for trajectory in unfinished])
        asked = [(one, text) for one, text in zip(unfinished, texts, strict=True) if text is not None]
        rendered = [(one, text, first_prompt(chat, task, one.number, text)) for one, text in asked]
        for trajectory, _, prompt in rendered:
            trajectory.too_long = len(prompt) if len(prompt) >= engine.max_model_len else None
        fitting = [(one, text, prompt) for one, text, prompt in rendered if one.too_long is None]
        sample_turns(engine, chat, [(one, prompt) for one, _, prompt in fitting], sampling)
        sample_tool_turns(engine, chat, task, [(one, text) for one, text, _ in fitting], sampling)
        unfinished = [one for one, _, _ in fitting if one.too_long is None]


def sampled_tokens(trajectories: Sequence[Trajectory]) -> int:
    """Number of tokens that sampling computed: a problem's first prompt once, other prompts and answers each."""
    turns = [(one.number if place == 0 else None, turn) for one in trajectories for place, turn in enumerate(one.turns)]
    first = {number: len(turn.prompt_ids) for number, turn in turns if number is not None}
    later = sum(len(turn.prompt_ids) for number, turn in turns if number is None)
    return sum(first.values()) + later + sum(len(turn.completion.token_ids) for _, turn in turns)
