"""Settings of a training run. Imports no torch.

Defaults are in lemmata/conf/training.yaml only; these classes check the values.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from core.config import STRICT, Count, Name, NonNegativeFloat, Positive, PositiveFloat, Share, settings
from rl.algorithm import AlgorithmConfig
from rl.reward_shaping import RewardShapingConfig

StageName = Literal["sft", "warmup", "sparse", "rl", "distill"]
RoleName = Literal["prover", "verifier", "meta_verifier", "generator"]
DivergenceName = Literal["reverse", "forward", "js"]
LoggerName = Literal["tensorboard", "wandb", "trackio"]
# Settings whose keys the user chooses: one that is given replaces the default, instead of being merged into it.
WHOLE_MAPPINGS = ("mixture", "teachers", "beta_by_domain")


@settings(frozen=True, config=STRICT)
class OptimizerConfig:
    """AdamW, or Muon for matrices (`rl.muon`) and AdamW for the rest.

    The learning rate rises for ``warmup_steps`` to ``lr``, then stays or falls to ``min_lr_ratio`` times ``lr`` at the
    end of the stage. ``indexer_lr``: of the indexers; None: ``lr``. ``max_grad_norm``: norm of all gradients together.
    ``bias_update_speed``: change of the gates' biases by load after every step (`model.balance`).
    """

    kind: Literal["adamw", "muon"]
    lr: PositiveFloat
    indexer_lr: PositiveFloat | None
    betas: tuple[Share, Share]
    eps: PositiveFloat
    weight_decay: NonNegativeFloat
    max_grad_norm: PositiveFloat
    warmup_steps: Count
    decay: Literal["constant", "linear", "cosine"]
    min_lr_ratio: Share
    bias_update_speed: NonNegativeFloat


@settings(frozen=True, config=STRICT)
class SupervisedConfig:
    """A stage on SFT examples: ``tokens`` tokens per step, ``micro_batch_tokens`` at a time.

    ``token_budget``: computed tokens after which it ends before its last step; None: no limit.
    """

    steps: Positive
    token_budget: Positive | None
    tokens: Positive
    micro_batch_tokens: Positive
    optimizer: OptimizerConfig


@settings(frozen=True, config=STRICT)
class NextTokenConfig(SupervisedConfig):
    """A stage on SFT examples that learns to predict tokens.

    ``train_on_prompts``: those of the prompts too, as in pretraining.
    """

    train_on_prompts: bool


@settings(frozen=True, config=STRICT)
class RolloutSamplingConfig:
    """Sampling of rollouts."""

    temperature: PositiveFloat
    top_p: Annotated[float, Field(gt=0, le=1)]
    top_k: Count
    max_tokens: Positive


@settings(frozen=True, config=STRICT)
class RolloutConfig:
    """A stage that learns from the model's own answers.

    A rollout is ``samples`` trajectories of each of ``groups`` problems; it is used for ``epochs`` epochs of
    ``minibatches`` steps. ``token_budget``: computed tokens after which it ends before its last step, those of prompts
    (once for all answers to one) and answers, when they are sampled and when they are trained on; None: no limit. The
    tokens of judges and teachers do not count. ``indexer_weight``: of the indexers' own loss. ``max_num_seqs`` and
    ``cache_tokens``: of the engine, sequences that decode at a time and tokens of its KV cache.
    """

    steps: Positive
    token_budget: Positive | None
    groups: Positive
    samples: Positive
    epochs: Positive
    minibatches: Positive
    micro_batch_tokens: Positive
    indexer_weight: NonNegativeFloat
    max_num_seqs: Positive
    cache_tokens: Positive
    sampling: RolloutSamplingConfig
    optimizer: OptimizerConfig

    def __post_init__(self) -> None:
        if self.minibatches > self.groups:
            raise ValueError(f"minibatches={self.minibatches} is more than groups={self.groups}; a group is not split")

    @property
    def steps_per_rollout(self) -> int:
        """The number of steps that learn from one rollout."""
        return self.epochs * self.minibatches


@settings(frozen=True, config=STRICT)
class ToolTurnsConfig:
    """Tool turns of a problem's answers: at most ``turns`` with calls.

    ``context``: the policy (`tools.context`) where a prompt is above ``context_share`` of the context.
    """

    turns: Positive
    context: Literal["none", "discard_all", "discard_75", "summary"]
    context_share: Share


@settings(frozen=True, config=STRICT)
class PolicyConfig(RolloutConfig):
    """A stage of reinforcement learning.

    ``max_resamples``: how often dropped groups are replaced by others. ``max_rollouts_without_variance``: rollouts in a
    row whose groups all have equal rewards, after which the stage stops with an error. ``keep_selection``: attention is
    over the tokens that the rollout attended to. ``reference_every``: steps after which the policy becomes the
    reference of its KL (None: the reference is the policy at the start of the stage).
    """

    max_resamples: Count
    max_rollouts_without_variance: Positive
    keep_selection: bool
    reference_every: Positive | None


@settings(frozen=True, config=STRICT)
class DistillConfig(RolloutConfig):
    """A stage of on-policy distillation.

    ``teachers``: the model's folder, or ``pkg://PACKAGE/FOLDER``, for each kind of problem (a role that is trained
    alone is the one kind); None: no teacher. ``divergence``: of student and teacher (`rl.divergence`).
    """

    teachers: Mapping[str, Name | None]
    divergence: DivergenceName


@settings(frozen=True, config=STRICT)
class StagesConfig:
    """Settings by stage; a run uses those of its own stages."""

    sft: NextTokenConfig
    warmup: SupervisedConfig
    sparse: NextTokenConfig
    rl: PolicyConfig
    distill: DistillConfig


@settings(frozen=True, config=STRICT)
class ValidationConfig:
    """Validation every ``every`` steps and at the end of each stage, on ``items`` examples, or on one answer to each of
    ``items`` problems, sampled at ``temperature`` (0: greedily).
    """

    every: Positive
    items: Positive
    temperature: NonNegativeFloat


@settings(frozen=True, config=STRICT)
class CheckpointConfig:
    """A checkpoint every ``every`` steps; the ``keep`` latest are kept.

    ``keep_every``: of checkpoints at multiples of these steps the model is kept too; None: of none.
    """

    every: Positive
    keep: Positive
    keep_every: Positive | None


@settings(frozen=True, config=STRICT)
class NewModelConfig:
    """A model from scratch: ``shape`` by the names of `model.config`, and a tokenizer of ``vocab_size`` tokens, trained
    on ``tokenizer_examples`` examples of all kinds. ``phrases``: a token may span several words (`model.tokenizer`).
    """

    vocab_size: Positive
    tokenizer_examples: Positive
    phrases: bool
    shape: Mapping[str, int | float | bool]


@settings(frozen=True, config=STRICT)
class TrainConfig:
    """Settings of ``lemmata train``. ``model``: the folder to start from; None: ``new_model``. ``thinking``: prompts
    ask for reasoning before the answer, by the chat template; the reasoning counts neither as proof nor as verdict.

    ``gradient_checkpointing``: a layer's inputs alone are kept for the backward pass, which computes the layer again:
    the same gradients from far less memory, in about a third more time.
    ``threads``: of torch; with another number, sums may differ in their last bits.
    """

    role: RoleName
    stage: StageName | tuple[StageName, ...]
    run: Name | None
    seed: int
    model: Name | None
    new_model: NewModelConfig
    data: Mapping[str, Any]
    prompts: Name | None
    thinking: bool
    stages: StagesConfig
    algorithm: AlgorithmConfig
    reward_shaping: RewardShapingConfig
    validation: ValidationConfig
    checkpoint: CheckpointConfig
    save_rollouts_every: Positive
    gradient_checkpointing: bool
    threads: Positive
    device: Name
    loggers: tuple[LoggerName, ...]

    @property
    def schedule(self) -> tuple[StageName, ...]:
        """The stages in their order."""
        return (self.stage,) if isinstance(self.stage, str) else self.stage
