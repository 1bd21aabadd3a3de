"""Settings of an algorithm: how rewards become advantages, and advantages a loss. Imports no torch.

The presets are what the papers and their released code use; lemmata/conf/algorithm/*.yaml cites each value's source.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field

from core.config import STRICT, NonNegativeFloat, Positive, PositiveFloat, Share, settings

AtLeastOne = Annotated[float, Field(ge=1)]


@settings(frozen=True, config=STRICT)
class AdvantageConfig:
    """How `rl.advantage.group_advantages` turns rewards into advantages.

    ``divide_by_std``: by the group's standard deviation plus ``std_eps``. ``drop_zero_variance_groups``: leave
    groups whose rewards are all equal out of the batch (they teach nothing), and sample others in their place.
    """

    divide_by_std: bool = False
    std_eps: PositiveFloat = 1e-4
    drop_zero_variance_groups: bool = False


@settings(frozen=True, config=STRICT)
class LossConfig:
    """How `rl.loss.policy_loss` computes the loss.

    ``ratio``: of each token, or one of the whole sequence (its geometric mean per token, GSPO). Ratios are clipped to
    [1 - ``clip_low``, 1 + ``clip_high``]; with ``dual_clip`` c also at c where the advantage is negative.
    ``aggregation``: ``sequence`` divides each sequence by its own length and all by their number; ``token`` divides by
    the number of tokens; ``constant`` by ``constant_length`` and the number of sequences.
    ``kl``: the estimator of KL(new || reference), with the coefficient ``beta``; ``unbiased`` is the one of V3.2.
    ``off_policy_delta``: sequences of negative advantage with a larger mean_t log(sampler / new) lose their surrogate.
    ``importance_cap``: weight tokens by min(old / sampler, cap), truncated importance sampling.
    """

    ratio: Literal["token", "sequence"] = "token"
    clip_low: Share = 0.2
    clip_high: NonNegativeFloat = 0.2
    dual_clip: AtLeastOne | None = None
    aggregation: Literal["sequence", "token", "constant"] = "sequence"
    constant_length: Positive | None = None
    kl: Literal["unbiased", "k3", "k1", "none"] = "unbiased"
    beta: NonNegativeFloat = 0.0
    off_policy_delta: NonNegativeFloat | None = None
    importance_cap: PositiveFloat | None = None

    def __post_init__(self) -> None:
        if self.aggregation == "constant" and self.constant_length is None:
            raise ValueError("aggregation=constant needs constant_length, the length to divide every sequence by")
        if self.kl == "none" and self.beta:
            raise ValueError(f"beta={self.beta:g} weighs a KL that kl=none leaves out")


@settings(frozen=True, config=STRICT)
class AlgorithmConfig:
    """An algorithm. ``beta_by_domain`` replaces ``loss.beta`` for the domains that it names.

    ``keep_routing``: the trainer forces each token through the experts that the rollout chose. ``keep_sampling_mask``:
    log-probabilities are over the tokens that top-k and top-p left to the rollout (`rl.logprobs`).
    """

    advantage: AdvantageConfig = AdvantageConfig()
    loss: LossConfig = LossConfig()
    beta_by_domain: Mapping[str, NonNegativeFloat] = field(default_factory=dict)
    keep_routing: bool = False
    keep_sampling_mask: bool = False

    def __post_init__(self) -> None:
        if self.loss.kl == "none" and any(self.beta_by_domain.values()):
            raise ValueError("beta_by_domain weighs a KL that loss.kl=none leaves out")

    def beta(self, domain: str) -> float:
        """The KL coefficient of a sequence of ``domain``."""
        return self.beta_by_domain.get(domain, self.loss.beta)


PRESETS: Mapping[str, AlgorithmConfig] = {
    "v32": AlgorithmConfig(
        loss=LossConfig(beta=0.001, off_policy_delta=0.1),
        beta_by_domain={"mathematics": 0.0},
        keep_routing=True,
        keep_sampling_mask=True,
    ),
    "grpo": AlgorithmConfig(
        advantage=AdvantageConfig(divide_by_std=True),
        loss=LossConfig(kl="k3", beta=0.04),
    ),
    "dapo": AlgorithmConfig(
        advantage=AdvantageConfig(divide_by_std=True, drop_zero_variance_groups=True),
        loss=LossConfig(clip_high=0.28, aggregation="token", kl="none"),
    ),
    "dr_grpo": AlgorithmConfig(
        loss=LossConfig(aggregation="constant", constant_length=3000, kl="none"),
    ),
    "olmo3": AlgorithmConfig(
        advantage=AdvantageConfig(drop_zero_variance_groups=True),
        loss=LossConfig(clip_high=0.272, aggregation="token", kl="none", importance_cap=2.0),
    ),
}
