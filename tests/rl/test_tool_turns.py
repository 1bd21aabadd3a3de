"""Tool turns in training: outputs are no targets, rollouts go on after a call, budgets and context policies hold."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("torch")

from core.reward import Reward
from lab.calculator_tool import CALCULATOR
from lab.prompts import templates
from model.engine import CompletionOutput, SamplingParams
from model.tools import FunctionCall, split_calls, write_calls
from policy.interface import ToolCall
from policy.tool_loop import SUMMARIZE, USED_UP
from rl.learner import Learner
from rl.parallel import Parallel
from rl.reward_shaping import LengthConfig, RewardShapingConfig
from rl.rollout import sample_groups
from rl.rollout_log import rollout_metrics, write_rollout
from rl.supervised import encode
from rl.task import Answer, Task, TaskTools
from rl.tasks.build import make_task
from rl.trajectory import Trajectory
from tests.rl.settings import data_config
from tests.rl.small import TOKENIZER, Letters, learner, small_module
from tools.context import context_policy

ANSWER = "The answer."


def calculator_task() -> Task:
    data = data_config(families=("identities",), levels=(1,), mixture={"calculator_verifier": 1})
    return make_task("generator", data, templates(), "train", seed=0)


def test_the_models_calls_are_targets_and_the_tools_outputs_are_not() -> None:
    taught, task = learner(small_module()), calculator_task()
    for number in range(4):
        example = task.example(number)
        [turn] = example.turns
        ids, targets = encode(taught, example)
        learned = TOKENIZER.decode([ids[place] for place in targets])
        written = write_calls(FunctionCall(call.name, call.arguments) for call in turn.calls)
        assert learned == f"{written}{TOKENIZER.eos_token}{example.answer}{TOKENIZER.eos_token}"
        shown = TOKENIZER.decode(ids)
        assert f"<｜tool▁output▁begin｜>{turn.outputs[0]}<｜tool▁output▁end｜>" in shown
        assert CALCULATOR.spec.description in shown
        assert turn.outputs[0] == CALCULATOR.run(turn.calls[0])


def test_what_the_calculator_examples_answer_has_full_reward() -> None:
    task = calculator_task()
    for number in range(20):
        (reward,) = task.rewards([(number, [Answer(task.example(number).answer)])])
        assert reward.total == 1.0


def test_calls_are_read_as_they_are_written() -> None:
    calls = [FunctionCall("calculator", '{"text": "1 = 1"}'), FunctionCall("other", "{}")]
    assert split_calls("Before." + write_calls(calls)) == ("Before.", calls)
    assert write_calls([]) == ""


@dataclass
class Calling:
    """An engine whose model makes ``calls`` calls, then answers; ``asked`` lists prompts and seeds."""

    calls: int
    max_model_len: int = 4000
    asked: list[tuple[str, int]] = field(default_factory=list)

    def generate(
        self, prompts: Sequence[Sequence[int]], sampling: Sequence[SamplingParams], finished: Any = None
    ) -> list[list[CompletionOutput]]:
        """A completion for each prompt and sample."""
        return [self._group(list(ids), one) for ids, one in zip(prompts, sampling, strict=True)]

    def _group(self, ids: list[int], sampling: SamplingParams) -> list[CompletionOutput]:
        prompt = decode(ids)
        self.asked.append((prompt, sampling.seed or 0))
        return [completion(self._text(prompt)) for _ in range(sampling.n)]

    def _text(self, prompt: str) -> str:
        if SUMMARIZE in prompt:
            return "Found 7."
        if len(self.asked) > self.calls:
            return ANSWER
        return write_calls([FunctionCall("calculator", json.dumps({"text": f"{len(self.asked)} = 1"}))])


def decode(ids: Sequence[int]) -> str:
    """The text of tokens."""
    return str(TOKENIZER.decode(list(ids)))


def completion(text: str) -> CompletionOutput:
    """A completion of the text."""
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    return CompletionOutput(text=text, token_ids=ids, logprobs=[0.0] * len(ids), finish_reason="stop", seed=0)


@dataclass
class Asking(Letters):
    """Letters with the calculator; ``ran`` lists its calls. The reward is 1 for the answer."""

    turns: int = 4
    context: str = "none"
    rounds: int = 1
    size: int = 0
    ran: list[str] = field(default_factory=list)

    def tools(self, number: int) -> TaskTools:
        return TaskTools((CALCULATOR.spec,), self._run, self.turns, context_policy(self.context), 0.5)

    def _run(self, call: ToolCall) -> str:
        self.ran.append(call.arguments)
        return CALCULATOR.run(call) + "." * self.size

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        return [Reward(float(answers[-1].text == ANSWER), {}) for _, answers in trajectories]


def rollout(task: Asking, engine: Any, shaping: RewardShapingConfig | None = None) -> Trajectory:
    """One trajectory."""
    taught = Learner(small_module(), TOKENIZER, task, task, Parallel(), seed=3)
    options = [shaping] if shaping else []
    [one] = sample_groups(engine, taught, task, [0], 1, SamplingParams(max_tokens=600, seed=5), *options)
    return one


def test_a_trajectory_stops_at_a_call_and_goes_on_with_its_output() -> None:
    task, engine = Asking(), Calling(2)
    one = rollout(task, engine)
    assert [turn.kind for turn in one.turns] == ["call", "call", "answer"]
    assert [turn.outputs for turn in one.turns] == [("0",), ("1",), ()]
    assert [answer.text for answer in one.answers] == [ANSWER]
    assert one.reward.total == 1.0
    prompts = [prompt for prompt, _ in engine.asked]
    for turn, before, after in zip(one.turns, prompts, prompts[1:], strict=False):
        assert after.startswith(f"{before}{turn.completion.text}")  # the history is as it was sampled
        assert after.removeprefix(before).count(f"begin｜>{turn.outputs[0]}<") == 1
    assert len({seed for _, seed in engine.asked}) == 3


def test_no_token_of_a_tool_is_a_sampled_one() -> None:
    one = rollout(Asking(size=50), Calling(2))
    sampled = "".join(decode(turn.completion.token_ids) for turn in one.turns)
    assert "." * 50 not in sampled
    assert "." * 50 in TOKENIZER.decode(one.turns[-1].prompt_ids)


def test_beyond_the_budget_of_turns_calls_do_not_run() -> None:
    task, engine = Asking(turns=1), Calling(5)
    one = rollout(task, engine)
    assert len(task.ran) == 1
    assert USED_UP in engine.asked[-1][0]
    assert [turn.kind for turn in one.turns] == ["call", "answer"]
    assert one.reward.total == 0.0  # it is no answer


def test_the_length_of_an_answer_is_that_of_all_its_turns() -> None:
    shaping = RewardShapingConfig(LengthConfig(soft_limit=0, cache=1000), None)
    one = rollout(Asking(), Calling(2), shaping)
    tokens = sum(len(turn.completion.token_ids) for turn in one.turns)
    assert one.reward.total == pytest.approx(1 - tokens / 1000)


@pytest.mark.parametrize("context", ["none", "discard_all", "discard_75", "summary"])
def test_a_nearly_full_context_is_changed_by_the_policy(context: str) -> None:
    task, engine = Asking(context=context, size=1200), Calling(2, max_model_len=4000)
    one = rollout(task, engine)
    last, kinds = TOKENIZER.decode(one.turns[-1].prompt_ids), [turn.kind for turn in one.turns]
    assert one.turns[-1].kind == "answer"
    assert ("Found 7." in last) == (context == "summary") == ("summary" in kinds)
    assert last.count("." * 1200) == (2 if context == "none" else 0)


def test_a_prompt_without_room_ends_a_trajectory_without_an_answer() -> None:
    one = rollout(Asking(size=5000), Calling(2))
    assert one.too_long is not None
    assert one.answers == [Answer("", truncated=True)]
    assert one.reward.total == 0.0


def test_follow_ups_come_after_the_tool_turns_of_an_answer(tmp_path: Any) -> None:
    task, engine = Asking(rounds=2), Calling(1)
    one = rollout(task, engine)
    assert [turn.kind for turn in one.turns] == ["call", "answer", "answer"]
    assert [answer.text for answer in one.answers] == [ANSWER, ANSWER]
    write_rollout(tmp_path / "r.jsonl", [one], task.prompt)
    row = json.loads((tmp_path / "r.jsonl").read_text())
    assert row["answers"] == [ANSWER, ANSWER]
    assert [turn["outputs"] for turn in row["tool_turns"]] == [["0"]]
    assert rollout_metrics([one], Parallel())["tool_calls"] == 1.0
