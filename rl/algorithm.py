"""Settings of an RL algorithm: how rewards become advantages, and advantages a loss. Imports no torch.

The presets are lemmata/conf/algorithm/*.yaml, with the source of each value in the papers and their released code.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from core.config import STRICT, NonNegativeFloat, Positive, PositiveFloat, Share, settings

AtLeastOne = Annotated[float, Field(ge=1)]


@settings(frozen=True, config=STRICT)
class AdvantageConfig:
    """Settings of `rl.advantage.group_advantages`.

    ``divide_by_std``: divide by the group's standard deviation plus ``std_eps``. ``drop_zero_variance_groups``: leave
    groups whose rewards are all equal out of the batch (their gradient is 0), and sample others in their place.
    """

    divide_by_std: bool
    std_eps: PositiveFloat
    drop_zero_variance_groups: bool


@settings(frozen=True, config=STRICT)
class LossConfig:
    """Settings of `rl.loss.policy_loss`.

    ``ratio``: of each token, or one of the whole sequence (its geometric mean per token, GSPO). Ratios are clipped to
    [1 - ``clip_low``, 1 + ``clip_high``]; with ``dual_clip`` c also at c where the advantage is negative.
    ``aggregation``: ``sequence`` divides each sequence by its own length and all by their number; ``token`` divides by
    the number of tokens; ``constant`` by ``constant_length`` and the number of sequences.
    ``kl``: the estimator of KL(new || reference), with the coefficient ``beta``; ``unbiased`` is the one of V3.2.
    ``off_policy_delta``: sequences of negative advantage with a larger mean_t log(sampler / new) lose their surrogate.
    ``importance_cap``: weight tokens by min(old / sampler, cap), truncated importance sampling.
    """

    ratio: Literal["token", "sequence"]
    clip_low: Share
    clip_high: NonNegativeFloat
    dual_clip: AtLeastOne | None
    aggregation: Literal["sequence", "token", "constant"]
    constant_length: Positive | None
    kl: Literal["unbiased", "k3", "k1", "none"]
    beta: NonNegativeFloat
    off_policy_delta: NonNegativeFloat | None
    importance_cap: PositiveFloat | None

    def __post_init__(self) -> None:
        if self.aggregation == "constant" and self.constant_length is None:
            raise ValueError("aggregation=constant needs constant_length, the length to divide every sequence by")
        if self.kl == "none" and self.beta:
            raise ValueError(f"beta={self.beta:g} has no effect with kl=none: set beta=0, or choose an estimator")


@settings(frozen=True, config=STRICT)
class AlgorithmConfig:
    """An algorithm. ``beta_by_domain`` replaces ``loss.beta`` for the domains that it names.

    ``keep_routing``: the trainer routes each token to the experts that the rollout chose. ``keep_sampling_mask``:
    log-probabilities are over the tokens that top-k and top-p left to the rollout (`rl.logprobs`).
    """

    advantage: AdvantageConfig
    loss: LossConfig
    beta_by_domain: Mapping[str, NonNegativeFloat]
    keep_routing: bool
    keep_sampling_mask: bool

    def __post_init__(self) -> None:
        if self.loss.kl == "none" and any(self.beta_by_domain.values()):
            raise ValueError("beta_by_domain has no effect with loss.kl=none: leave it empty, or choose an estimator")

    def beta(self, domain: str) -> float:
        """The KL coefficient of a sequence of ``domain``."""
        return self.beta_by_domain.get(domain, self.loss.beta)
