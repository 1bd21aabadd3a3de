"""Turns and trajectories of rollouts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from core.ids import clean_text, derive_seed
from core.reward import Reward
from model.engine import CompletionOutput, SamplingParams
from model.tokenizer import THINK
from policy.interface import Message, ToolSpec
from rl.task import Answer

NO_REWARD = Reward(None, {})  # of a trajectory before its task has judged it


@dataclass(slots=True)
class Turn:
    """A prompt and the policy's completion, as tokens and as text. ``opened``: the prompt ends inside the reasoning.

    ``kind``: an answer, calls of tools with their ``outputs``, or a summary of earlier turns.
    """

    prompt_ids: list[int]
    completion: CompletionOutput
    opened: bool = False
    kind: Literal["answer", "call", "summary"] = "answer"
    outputs: tuple[str, ...] = ()

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
        """The answers of all turns but those with calls or summaries; a truncated one where there is none."""
        answers = [turn.answer for turn in self.turns if turn.kind == "answer"]
        return answers or [Answer("", truncated=True)]

    @property
    def last_tokens(self) -> int:
        """The number of tokens of the last answer, with the calls and summaries that led to it."""
        tokens = 0
        for place, turn in enumerate(reversed(self.turns)):
            if place and turn.kind == "answer":
                break
            tokens += len(turn.completion.token_ids)
        return tokens


class Prompts(Protocol):
    """Renders prompts (`rl.learner.Learner`)."""

    def render(self, text: str) -> list[int]:
        """Renders a user's message as prompt tokens."""
        ...

    def render_chat(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> list[int]:
        """Renders a chat as prompt tokens."""
        ...

    def opens_thinking(self, prompt_ids: Sequence[int]) -> bool:
        """True where a prompt ends inside the reasoning."""
        ...


def with_seed(sampling: SamplingParams, *path: int, n: int) -> SamplingParams:
    """Returns ``sampling`` with ``n`` completions and the seed of a problem, a sample and a turn."""
    return replace(sampling, n=n, seed=derive_seed(sampling.seed, *path))
