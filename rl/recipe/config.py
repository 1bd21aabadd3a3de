"""Settings of the co-training recipe. Imports no torch."""

from collections.abc import Mapping
from typing import Any

from core.config import STRICT, Name, NonNegativeFloat, Positive, Share, settings
from verifier.autolabel import LabelConfig

Changes = Mapping[str, Any]  # the settings that a step changes in ``train``, nested as there


@settings(frozen=True, config=STRICT)
class IndexerConfig:
    """Sparse attention over ``index_topk`` tokens after the dense cold start, trained by ``train``."""

    index_topk: Positive
    train: Changes


@settings(frozen=True, config=STRICT)
class DaggerConfig:
    """SFT examples on ``samples`` proofs by the model of each of ``problems`` theorems, learned by ``train``.

    A ``temperature`` above that of measuring gives more mistakes to learn from.
    """

    problems: Positive
    samples: Positive
    temperature: NonNegativeFloat
    train: Changes


@settings(frozen=True, config=STRICT)
class OnPolicyProofsConfig:
    """Proofs by the current prover: ``samples`` of each of ``problems`` theorems, without duplicates.

    ``analyses`` of each by the current verifier, for the steps that train on them. Both at ``temperature``.
    """

    problems: Positive
    samples: Positive
    analyses: Positive
    temperature: NonNegativeFloat


@settings(frozen=True, config=STRICT)
class LabelsConfig:
    """Labels without truth: n ``analyses`` of each proof, m ``reviews`` of each that reports an issue, and the rule.

    DeepSeekMath-V2, section 2.3.
    """

    analyses: Positive
    reviews: Positive
    rule: LabelConfig


@settings(frozen=True, config=STRICT)
class GeneratorConfig:
    """Ways from the specialists to one model, each of which is a candidate; None leaves a way out.

    ``merges`` of weights by name, with the settings of `lemmata merge` (``method``: by default the name; ``models``:
    roles, by default all); ``rejection``: fine-tuning on the specialists' best answers to ``examples`` prompts of each
    kind, those with a reward of ``min_reward`` or more; ``distill``: on-policy distillation. The best candidate on the
    validation stream is then trained by ``mixed`` reinforcement learning of all roles.
    """

    merges: Mapping[str, Changes]
    examples: Positive
    min_reward: Share
    rejection: Changes | None
    distill: Changes | None
    mixed: Changes | None

    def __post_init__(self) -> None:
        if not self.merges and self.rejection is None and self.distill is None:
            raise ValueError("no way to one model: set at least one of merges, rejection and distill")


@settings(frozen=True, config=STRICT)
class MeasureConfig:
    """Measurement of models against the truth, on theorems that no training sees.

    ``problems`` of each level, ``samples`` proofs of each; ``analyses`` of each proof, all of which must give 1 for
    acceptance; self-refinement in ``chains`` of ``rounds`` on ``hard_problems`` of each of the levels ``hard``;
    candidates are compared on ``validation`` problems of each level.
    """

    validation: Positive
    problems: Positive
    samples: Positive
    analyses: Positive
    hard: tuple[Positive, ...]
    hard_problems: Positive
    chains: Positive
    rounds: Positive
    temperature: NonNegativeFloat
    max_tokens: Positive


@settings(frozen=True, config=STRICT)
class CotrainConfig:
    """Settings of ``lemmata cotrain``.

    ``train``: the settings of `lemmata train` that all steps share, and that each step changes. The first of the
    ``iterations`` has exact labels, later ones have labels by the models alone. In each, verifier and prover take
    ``turns``, so that the verifier is trained on proofs of the current prover.
    """

    run: Name | None
    seed: int
    iterations: Positive
    turns: Positive
    train: Changes
    cold_start: Changes
    indexer: IndexerConfig | None
    dagger: DaggerConfig | None
    on_policy_proofs: OnPolicyProofsConfig
    verifier: Changes
    meta_verifier: Changes
    verifier_meta: Changes
    prover: Changes
    labels: LabelsConfig
    generator: GeneratorConfig
    measure: MeasureConfig
