"""Learner: the model in training with its tokenizer and tasks; accumulates gradients over micro-batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from model.balance import count_load
from model.chat import Chat
from model.transformer import DsaModel
from rl.parallel import Parallel, add
from rl.task import Task

B = TypeVar("B")


@dataclass
class Learner:
    """``module`` is trained on ``training`` and measured on ``validation``; all sampling derives from ``seed``."""

    module: DsaModel
    tokenizer: PreTrainedTokenizerFast
    training: Task
    validation: Task
    parallel: Parallel
    seed: int

    def __post_init__(self) -> None:
        self._chat = Chat(self.tokenizer)
        self.loads: dict[str, Tensor] = {}

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.module.model.norm.weight.device

    def render(self, text: str) -> list[int]:
        """Renders a user's message as a prompt without reasoning, as the roles' answers are trained."""
        return list(self._chat.render([{"role": "user", "content": text}], thinking=False))

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
        self, batches: Sequence[B], loss_of: Callable[[B], tuple[Tensor, dict[str, float]]]
    ) -> dict[str, float]:
        """Accumulates the gradients of every micro-batch's loss; returns the sums of their metrics over all processes.

        Sets ``loads`` to the number of tokens per expert in these micro-batches, by gate (`model.balance`). Processes
        must call collectives equally often: one with fewer micro-batches repeats its last one with weight 0.
        """
        total: dict[str, float] = {}
        self.loads = {}
        for place in range(self.parallel.max(len(batches))):
            counts = place < len(batches)
            with count_load(self.module.model) as loads:
                loss, parts = loss_of(batches[min(place, len(batches) - 1)])
            # FSDP averages gradients over processes; here they are summed.
            (loss * (self.parallel.world_size if counts else 0.0)).backward()
            if counts:
                add(total, parts)
                self.loads = {name: self.loads.get(name, 0) + load for name, load in loads.items()}
        return self.parallel.sum(total)

    def measure(self, batches: Sequence[B], parts_of: Callable[[B], dict[str, float]]) -> dict[str, float]:
        """Returns the sums of the micro-batches' metrics over all processes."""
        total: dict[str, float] = {}
        for place in range(self.parallel.max(len(batches))):
            parts = parts_of(batches[min(place, len(batches) - 1)])
            if place < len(batches):
                add(total, parts)
        return self.parallel.sum(total)
