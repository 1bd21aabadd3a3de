"""Learner: the model in training with its tokenizer and tasks; accumulates gradients over micro-batches."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from model.balance import count_load
from model.chat import Chat
from model.packed import pack
from model.packed_attention import IndexerStage
from model.tools import FunctionCall, write_calls
from policy.interface import Message, ToolCall, ToolSpec
from policy.request import message_body, tool_bodies
from rl.models.interface import PolicyModel
from rl.parallel import Parallel, add
from rl.task import Task

B = TypeVar("B")


def print_notice(text: str) -> None:
    """Prints a line on standard error."""
    print(text, file=sys.stderr, flush=True)


@dataclass
class Learner:
    """``module`` is trained on ``training`` and measured on ``validation``; all sampling derives from ``seed``.

    ``thinking``: prompts ask for reasoning before the answer. ``judge_early``: answers are judged while others are
    still sampled (`rl.rollout`).

    ``notice`` gets a line of text where data or rewards are not as they should be, and training goes on.
    """

    module: PolicyModel
    tokenizer: PreTrainedTokenizerFast
    training: Task
    validation: Task
    parallel: Parallel
    seed: int
    thinking: bool = False
    judge_early: bool = False
    notice: Callable[[str], None] = print_notice

    def __post_init__(self) -> None:
        self._chat = Chat(self.tokenizer)
        self.loads: dict[str, Tensor] = {}

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return next(self.module.parameters()).device

    def render(self, text: str) -> list[int]:
        """Renders a user's message as a prompt, without reasoning unless ``thinking``."""
        return list(self._chat.render([{"role": "user", "content": text}], thinking=self.thinking))

    def render_chat(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> list[int]:
        """Renders a chat whose last message is the user's or a tool's, as a prompt."""
        bodies = [message_body(message) for message in messages]
        return list(self._chat.render(bodies, tools=tool_bodies(tools), thinking=self.thinking))

    def opens_thinking(self, prompt_ids: Sequence[int]) -> bool:
        """True where a prompt ends inside the reasoning, which the answer has to end."""
        return self._chat.opens_thinking(prompt_ids)

    def encode_calls(self, text: str, calls: Sequence[ToolCall]) -> list[int]:
        """Encodes an answer that ends with calls, the end-of-text token included."""
        written = write_calls(FunctionCall(call.name, call.arguments) for call in calls)
        return [*self.encode(text), *self._chat.encode(written), self.end]

    def encode(self, text: str) -> list[int]:
        """Encodes a text without special tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    @property
    def end(self) -> int:
        """The end-of-text token."""
        end = self.tokenizer.eos_token_id
        assert isinstance(end, int)
        return end

    def accumulate(
        self,
        batches: Sequence[B],
        loss_of: Callable[[B], tuple[Tensor, dict[str, float]]],
        indexer: IndexerStage,
    ) -> dict[str, float]:
        """Accumulates the gradients of every micro-batch's loss; returns the sums of their metrics over all processes.

        Sets ``loads`` to the number of tokens per expert in these micro-batches, by gate (`model.balance`). Processes
        must call collectives equally often: one with fewer micro-batches, or none, computes others of weight 0.
        ``indexer``: how the loss trains the indexers.
        """
        total: dict[str, float] = {}
        self.loads = {}
        for place in range(self.parallel.max(len(batches))):
            counts = place < len(batches)
            with count_load(self.module) as loads:
                loss, parts = loss_of(batches[place]) if counts else (self._zero(indexer), {})
            # FSDP averages gradients over processes; here they are summed.
            (loss * self.parallel.world_size).backward()
            add(total, parts)
            self.loads = {name: self.loads.get(name, 0) + load * counts for name, load in loads.items()}
        return self.parallel.sum(total)

    def measure(
        self, batches: Sequence[B], parts_of: Callable[[B], dict[str, float]], indexer: IndexerStage
    ) -> dict[str, float]:
        """Returns the sums of the micro-batches' metrics over all processes; collectives as in `accumulate`."""
        total: dict[str, float] = {}
        for place in range(self.parallel.max(len(batches))):
            if place < len(batches):
                add(total, parts_of(batches[place]))
            else:
                self._zero(indexer)
        return self.parallel.sum(total)

    def _zero(self, indexer: IndexerStage) -> Tensor:
        """The loss 0 of a process without a micro-batch: a forward pass over two tokens, with gradients of 0."""
        hidden_NM, kl_L = self.module.packed(pack([[self.end] * 2], self.device), indexer)
        return 0.0 * (self.module.logits(hidden_NM).sum() + kl_L.sum())
