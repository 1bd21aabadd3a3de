"""A tiny learner for tests, with all parts; a step takes milliseconds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from core.reward import Reward
from model.tokenizer import byte_tokenizer
from model.transformer import DsaModel
from rl.config import (
    CheckpointConfig,
    DistillConfig,
    NewModelConfig,
    NextTokenConfig,
    PolicyConfig,
    StagesConfig,
    SupervisedConfig,
    TrainConfig,
    ValidationConfig,
)
from rl.learner import Learner
from rl.parallel import Parallel
from rl.task import Answer, Example, TaskTools
from rl.trainer import Trainer
from tests.model.tiny import tiny_model
from tests.rl.settings import defaults, optimizer_config

TOKENIZER = byte_tokenizer()
OPTIMIZER = optimizer_config(lr=3e-3, bias_update_speed=0.01)


class Letters:
    """The reward is the share of even characters; ``rounds`` turns, each prompt naming the answer before."""

    domain = "letters"

    def __init__(self, rounds: int = 1) -> None:
        self.rounds = rounds

    def prompt(self, number: int) -> str:
        return f"Say {'x' * (number % 5)}{number % 7}:"

    def tools(self, number: int) -> TaskTools | None:
        return None

    def follow_ups(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[str | None]:
        return [
            f"Better than {len(answers[-1].text)}:" if len(answers) < self.rounds else None
            for _, answers in trajectories
        ]

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        return [self.reward(answers[-1].text) for _, answers in trajectories]

    def reward(self, text: str) -> Reward:
        share = sum(ord(char) % 2 == 0 for char in text) / max(1, len(text))
        return Reward(share, {"even": share})

    def example(self, number: int) -> Example:
        return Example(self.prompt(number), "b" * (1 + number % 4))


class Numbers(Letters):
    """Another kind of problem, with the same reward."""

    def prompt(self, number: int) -> str:
        return f"Count to {number % 3}"


class Uneven(Letters):
    """Every second problem is worth the same whatever is answered."""

    asked: list[int]

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        self.asked = sorted({*getattr(self, "asked", []), *(number for number, _ in trajectories)})
        return [Reward(0.5, {}) if number % 2 else self.reward(answers[-1].text) for number, answers in trajectories]


def small_module(seed: int = 0, dtype: torch.dtype = torch.float64, **changes: Any) -> DsaModel:
    """A model for TOKENIZER; in fp64, rounding decides no sample."""
    return tiny_model(seed, dtype, **{"vocab_size": len(TOKENIZER), "initializer_range": 0.2, **changes})


def learner(module: DsaModel, task: Any = None) -> Learner:
    """One that learns Letters, or ``task``."""
    return Learner(module, TOKENIZER, task or Letters(), task or Letters(), Parallel(), seed=3)


def policy_config(**changes: Any) -> PolicyConfig:
    """Rollouts of 3 problems with 4 samples of up to 6 tokens each."""
    return replace(_small(defaults().stages.rl), **{"samples": 4, **changes})


def distill_config(**changes: Any) -> DistillConfig:
    """Rollouts of 3 problems with 2 samples of up to 6 tokens each."""
    return replace(_small(defaults().stages.distill), **{"samples": 2, **changes})


def _small(stage: Any) -> Any:
    sampling = replace(stage.sampling, max_tokens=6)
    return replace(
        stage,
        steps=4,
        groups=3,
        micro_batch_tokens=80,
        optimizer=OPTIMIZER,
        sampling=sampling,
        max_num_seqs=64,
        cache_tokens=4096,
    )


def supervised_config(**changes: Any) -> NextTokenConfig:
    """Three steps on SFT examples."""
    return replace(defaults().stages.sft, steps=3, optimizer=OPTIMIZER, **changes)


def train_config(
    stage: Any = ("sft", "rl"),
    preset: str = "v32",
    distill: DistillConfig | None = None,
    **rl: Any,
) -> TrainConfig:
    """A few steps of each stage."""
    supervised = supervised_config(tokens=60, micro_batch_tokens=40)
    indexers = SupervisedConfig(steps=3, token_budget=None, tokens=60, micro_batch_tokens=40, optimizer=OPTIMIZER)
    return replace(
        defaults(preset),
        stage=stage,
        seed=3,
        new_model=NewModelConfig(vocab_size=271, tokenizer_examples=1, phrases=True, shape={}),
        data={},
        stages=StagesConfig(supervised, indexers, supervised, policy_config(**rl), distill or distill_config()),
        validation=ValidationConfig(every=2, items=3, temperature=1.0),
        checkpoint=CheckpointConfig(every=1, keep=2, keep_every=None),
        threads=1,
    )


def trainer(folder: Path, config: TrainConfig, task: Any = None, **options: Any) -> Trainer:
    """A fresh start of the same model, as a new process makes it."""
    return Trainer(learner(small_module(), task), config, folder, **options)
