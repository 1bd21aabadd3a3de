"""Rollouts: seeds, several turns, rewards, and the log."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch")

from core.reward import Reward
from model.engine import EngineConfig, LLMEngine, SamplingParams
from rl.parallel import Parallel
from rl.reward_shaping import NO_SHAPING, LengthConfig, RewardShapingConfig
from rl.rollout import sample_groups
from rl.rollout_log import rollout_metrics, write_rollout
from rl.task import Answer
from rl.trajectory import Trajectory
from tests.rl.small import Letters, learner, small_module

SAMPLING = SamplingParams(max_tokens=6, seed=5)


def trajectories(
    numbers: Sequence[int], task: Letters | None = None, shaping: RewardShapingConfig | None = None
) -> list[Trajectory]:
    module = small_module()
    taught = learner(module, task)
    engine = LLMEngine(module, taught.tokenizer, EngineConfig(cache_tokens=4096, page_size=4))
    return sample_groups(engine, taught, taught.training, numbers, 3, SAMPLING, shaping or NO_SHAPING)


def texts(some: Sequence[Trajectory], number: int) -> list[list[str]]:
    return [[answer.text for answer in one.answers] for one in some if one.number == number]


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_problems_tries_do_not_depend_on_what_runs_beside_it(rounds: int) -> None:
    together, alone = trajectories([0, 1, 2, 9], Letters(rounds)), trajectories([2], Letters(rounds))
    assert texts(together, 2) == texts(alone, 2)
    assert len({repr(texts(together, number)) for number in (0, 1, 2, 9)}) == 4


def test_tries_of_a_group_differ_and_share_their_prompt() -> None:
    group = trajectories([4])
    assert [one.index for one in group] == [0, 1, 2]
    assert len({one.answers[0].text for one in group}) > 1
    assert len({tuple(one.turns[0].prompt_ids) for one in group}) == 1


def test_every_turn_goes_on_from_the_one_before() -> None:
    taught = learner(small_module(), Letters(3))
    for one in trajectories([0, 1], Letters(3)):
        assert len(one.turns) == 3
        for before, after in zip(one.turns, one.turns[1:], strict=False):
            assert after.prompt_ids == taught.render(f"Better than {len(before.answer.text)}:")
        assert one.reward == Letters().reward(one.answers[-1].text)


def test_truncation_is_told() -> None:
    for one in trajectories([0, 1, 2]):
        full = len(one.turns[0].completion.token_ids) == SAMPLING.max_tokens
        assert one.answers[0].truncated == (full and one.turns[0].completion.finish_reason == "length")


def test_long_answers_lose() -> None:
    shaping = RewardShapingConfig(LengthConfig(soft_limit=2, cache=2), None)
    for plain, shaped in zip(trajectories([0, 1]), trajectories([0, 1], shaping=shaping), strict=True):
        tokens = len(plain.turns[-1].completion.token_ids)
        assert plain.reward.total is not None
        assert shaped.reward.total == pytest.approx(plain.reward.total - min(max(tokens - 2, 0) / 2, 1))


class Moody(Letters):
    """A judge that fails on every second trajectory."""

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        judged = super().rewards(trajectories)
        return [Reward(None, {"even": None}) if place % 2 else reward for place, reward in enumerate(judged)]


def test_a_judge_that_fails_is_left_out_of_the_figures(tmp_path: Path) -> None:
    some = trajectories([0, 1, 2, 3], Moody())
    judged = [one.reward.total for one in some if one.reward.total is not None]
    parts = rollout_metrics(some, Parallel())
    assert parts["reward"] == parts["reward/even"] == pytest.approx(sum(judged) / len(judged))
    assert parts["reward_missing"] == 0.5
    write_rollout(tmp_path / "rollouts" / "1.jsonl", some, "Prove {}.".format)
    lines = [json.loads(line) for line in (tmp_path / "rollouts" / "1.jsonl").read_text().splitlines()]
    prompts = {line["problem"]: line["prompt"] for line in lines if "prompt" in line}  # once for each problem
    assert prompts == {one.number: f"Prove {one.number}." for one in some}
    assert sum("prompt" in line for line in lines) == len(prompts)
    assert [line["reward"] for line in lines] == [one.reward.total for one in some]
    assert [line["answers"] for line in lines] == [[answer.text for answer in one.answers] for one in some]


class Counted(Letters):
    """Notes which answers are judged."""

    def __init__(self, rounds: int = 1) -> None:
        super().__init__(rounds)
        self.judged: list[tuple[int, str]] = []

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        self.judged += [(number, answers[-1].text) for number, answers in trajectories]
        return super().rewards(trajectories)


@pytest.mark.parametrize("rounds", [1, 2])
def test_answers_may_be_judged_as_soon_as_they_are_whole(rounds: int) -> None:
    task = Counted(rounds)
    module = small_module()
    taught = learner(module, task)
    engine = LLMEngine(module, taught.tokenizer, EngineConfig(cache_tokens=4096, page_size=4))
    found = sample_groups(engine, taught, taught.training, range(4), 3, SAMPLING, judge_early=True)
    assert [one.reward for one in found] == [one.reward for one in trajectories(range(4), Letters(rounds))]
    # Only whole answers are judged early, and only those that no further turn follows.
    last = [(one.number, one.answers[-1].text) for one in found]
    assert set(task.judged) == set(last)
    assert task.judged[-len(last) :] == last
