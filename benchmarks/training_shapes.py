"""Models and task of the comparison with TRL: 4 prompts of 64 tokens, 8 answers of 128 tokens each.

A reward that costs nothing and differs within a group: the share of even byte values.
"""

from collections.abc import Sequence
from dataclasses import replace

from typing_extensions import override

from benchmarks.small_model import CONFIG as MOE
from core.reward import Reward
from model.config import ModelConfig
from rl.task import Answer, Example, Task

PROMPTS, SAMPLES, PROMPT, ANSWER = 4, 8, 64, 128
BASE = "Prove that the sum of two even integers is an even integer, using n = 2k. " * 2

# As TRL's Llama of 2.2 million: width 192, 5 layers, 6 heads, feed-forward 512. No experts; attention is its own.
DENSE = replace(
    MOE,
    hidden_size=192,
    num_hidden_layers=5,
    num_attention_heads=6,
    intermediate_size=512,
    first_k_dense_replace=5,
    q_lora_rank=None,
    qk_nope_head_dim=16,
    index_n_heads=2,
)
SHAPES: dict[str, ModelConfig] = {"llama": DENSE, "dsv3": MOE}


class EvenBytes(Task):
    """Task: the share of even character values."""

    @property
    @override
    def domain(self) -> str:
        return "any"

    @override
    def prompt(self, number: int) -> str:
        return f"{number:04d} {BASE}"

    @override
    def follow_ups(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[str | None]:
        return [None] * len(trajectories)

    @override
    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        return [Reward(even_share(answers[-1].text), {}) for _, answers in trajectories]

    @override
    def example(self, number: int) -> Example:
        return Example(self.prompt(number), "")


def even_share(text: str) -> float:
    """The share of even character values."""
    return sum(ord(char) % 2 == 0 for char in text) / max(1, len(text))
