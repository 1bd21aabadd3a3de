"""Settings of training for tests, composed from lemmata/conf as the commands compose them."""

from dataclasses import replace
from functools import cache
from typing import Any

from core.config import read_config
from lemmata.training import compose_train
from rl.algorithm import AdvantageConfig, AlgorithmConfig, LossConfig
from rl.config import OptimizerConfig, TrainConfig
from rl.judge import JudgesConfig
from rl.tasks.build import DataConfig


@cache
def defaults(preset: str = "v32") -> TrainConfig:
    """The settings of `lemmata train`, with the preset of an algorithm."""
    return compose_train("role=prover", "stage=rl", f"algorithm={preset}")


def algorithm(preset: str) -> AlgorithmConfig:
    """The preset of an algorithm."""
    return defaults(preset).algorithm


def loss_config(**changes: Any) -> LossConfig:
    """DeepSeek-V3.2's loss without KL coefficient and off-policy mask, with ``changes``."""
    return replace(algorithm("v32").loss, **{"beta": 0.0, "off_policy_delta": None, **changes})


def advantage_config(**changes: Any) -> AdvantageConfig:
    """DeepSeek-V3.2's advantages, with ``changes``."""
    return replace(algorithm("v32").advantage, **changes)


def optimizer_config(**changes: Any) -> OptimizerConfig:
    """The optimizer of a stage that changes no default, with ``changes``."""
    return replace(defaults().stages.warmup.optimizer, **changes)


def data_config(**changes: Any) -> DataConfig:
    """The data of a role, with ``changes``."""
    return replace(read_config(DataConfig, defaults().data, "data"), **changes)


def judges_config(**changes: Any) -> JudgesConfig:
    """The judges of a role, with ``changes``."""
    return replace(data_config().judges, **changes)
