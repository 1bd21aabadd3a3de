"""Settings of a training run. Imports no torch."""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field

from core.config import STRICT, Count, Name, NonNegativeFloat, Positive, PositiveFloat, Share, settings
from rl.algorithm import AlgorithmConfig
from rl.reward_shaping import RewardShapingConfig

StageName = Literal["sft", "warmup", "sparse", "rl", "distill"]
RoleName = Literal["prover", "verifier", "meta_verifier", "generator"]
DivergenceName = Literal["reverse", "forward", "js"]
LoggerName = Literal["tensorboard", "wandb", "trackio"]


@settings(frozen=True, config=STRICT)
class OptimizerConfig:
    """AdamW, or Muon for matrices (`rl.muon`) and AdamW for the rest.

    The rate climbs for ``warmup_steps``, then stays or falls to ``min_lr_ratio`` of it at the stage's end.
    ``indexer_lr``: another rate for the indexers. ``max_grad_norm``: of all gradients together. ``bias_update_speed`` moves
    the gates' biases by load after every step (`model.balance`).
    """

    lr: PositiveFloat
    kind: Literal["adamw", "muon"] = "adamw"
    indexer_lr: PositiveFloat | None = None
    betas: tuple[Share, Share] = (0.9, 0.95)
    eps: PositiveFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.0
    max_grad_norm: PositiveFloat = 1.0
    warmup_steps: Count = 0
    decay: Literal["constant", "linear", "cosine"] = "constant"
    min_lr_ratio: Share = 0.1
    bias_update_speed: NonNegativeFloat = 0.0


@settings(frozen=True, config=STRICT)
class SupervisedConfig:
    """A stage on worked examples: every step learns from ``tokens`` of them, in micro-batches of ``micro_batch_tokens``.

    ``train_on_prompts``: the prompts are learnt with the answers, as in pretraining.
    """

    steps: Positive
    tokens: Positive
    micro_batch_tokens: Positive
    optimizer: OptimizerConfig
    train_on_prompts: bool = False


@settings(frozen=True, config=STRICT)
class SamplingConfig:
    """How answers are sampled in training."""

    temperature: PositiveFloat = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_k: Count = 0
    max_tokens: Positive = 256


@settings(frozen=True, config=STRICT)
class RolloutConfig:
    """A stage that learns from the model's own answers.

    A rollout is ``samples`` trajectories of each of ``groups`` problems. It is learnt from ``epochs`` times in ``minibatches``
    steps each. ``indexer_weight`` of the indexers' own loss. ``sequences`` of the engine decode side by side in a cache
    of ``cache_tokens``.
    """

    steps: Positive
    groups: Positive
    samples: Positive
    micro_batch_tokens: Positive
    optimizer: OptimizerConfig
    sampling: SamplingConfig
    epochs: Positive = 1
    minibatches: Positive = 1
    indexer_weight: NonNegativeFloat = 0.0
    max_num_seqs: Positive = 64
    cache_tokens: Positive = 65536

    def __post_init__(self) -> None:
        if self.minibatches > self.groups:
            raise ValueError(f"minibatches={self.minibatches} is more than groups={self.groups}, which stay together")

    @property
    def steps_per_rollout(self) -> int:
        """Steps that learn from one rollout."""
        return self.epochs * self.minibatches


@settings(frozen=True, config=STRICT)
class PolicyConfig(RolloutConfig):
    """A stage of reinforcement learning.

    ``max_resamples``: how often other groups are sampled in place of dropped ones. ``keep_selection``: attend to the
    tokens that the rollout attended to. ``reference_every``: steps after which the policy becomes the reference of
    its KL (None: the stage's first).
    """

    max_resamples: Count = 4
    keep_selection: bool = False
    reference_every: Positive | None = None


@settings(frozen=True, config=STRICT)
class DistillConfig(RolloutConfig):
    """A stage of on-policy distillation.

    ``teachers``: the model's folder for each kind of problem (a role that is trained alone is the one kind); None is
    no teacher. ``divergence`` as in `rl.divergence`.
    """

    teachers: Mapping[str, Name | None] = field(default_factory=dict)
    divergence: DivergenceName = "reverse"


@settings(frozen=True, config=STRICT)
class StagesConfig:
    """Settings of each stage; a run uses those of the stages it goes through."""

    sft: SupervisedConfig
    warmup: SupervisedConfig
    sparse: SupervisedConfig
    rl: PolicyConfig
    distill: DistillConfig


@settings(frozen=True, config=STRICT)
class ValidationConfig:
    """Every ``every`` steps, and at each stage's end: on ``items`` examples, or ``items`` problems once each.

    ``temperature`` 0 takes the likeliest tokens.
    """

    every: Positive
    items: Positive
    temperature: NonNegativeFloat = 1.0


@settings(frozen=True, config=STRICT)
class CheckpointConfig:
    """``every`` so many steps; the ``keep`` latest stay."""

    every: Positive
    keep: Positive


@settings(frozen=True, config=STRICT)
class NewModelConfig:
    """A model from scratch: ``shape`` in the names of `model.config`, and a tokenizer of ``vocab_size`` trained on
    ``tokenizer_examples`` of all kinds. ``phrases``: one token may hold several words (`model.tokenizer`)."""

    vocab_size: Positive
    tokenizer_examples: Positive
    shape: Mapping[str, int | float | bool]
    phrases: bool = True


@settings(frozen=True, config=STRICT)
class TrainConfig:
    """``lemmata train``. ``model``: a folder; None: ``new_model``.

    ``threads`` of torch: sums of several threads may differ in their last bits from those of another number.
    """

    role: RoleName
    stage: StageName | tuple[StageName, ...]
    run: Name | None
    seed: int
    model: Name | None
    new_model: NewModelConfig
    data: Mapping[str, Any]
    prompts: Name | None
    stages: StagesConfig
    algorithm: AlgorithmConfig
    reward_shaping: RewardShapingConfig
    validation: ValidationConfig
    checkpoint: CheckpointConfig
    save_rollouts_every: Positive
    threads: Positive
    device: Name = "cpu"
    loggers: tuple[LoggerName, ...] = field(default=())

    @property
    def schedule(self) -> tuple[StageName, ...]:
        """The stages in their order."""
        return (self.stage,) if isinstance(self.stage, str) else self.stage
