"""Settings of co-training. Imports no torch."""

from collections.abc import Mapping
from typing import Any

from core.config import STRICT, Name, NonNegativeFloat, Positive, Share, settings
from verifier.autolabel import LabelConfig

Changes = Mapping[str, Any]  # what a step changes of the settings in ``train``, nested as there


@settings(frozen=True, config=STRICT)
class IndexerConfig:
    """After the cold start, which is dense: attention over ``index_topk`` tokens, learnt in ``train`` steps."""

    index_topk: Positive
    train: Changes


@settings(frozen=True, config=STRICT)
class OwnConfig:
    """Worked examples on ``samples`` of the model's proofs of each of ``problems`` theorems, learnt in ``train``.

    At a ``temperature`` above that of measuring there are more mistakes to learn from.
    """

    problems: Positive
    samples: Positive
    temperature: NonNegativeFloat
    train: Changes


@settings(frozen=True, config=STRICT)
class FreshConfig:
    """Proofs of the prover's own: ``samples`` of each of ``problems`` theorems, identical ones once.

    ``analyses`` of each by the verifier, where they are wanted. Both at ``temperature``.
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
    """How specialists become one model, each way a candidate: ``merges`` of weights by name, with the settings of
    `lemmata merge` (``method``, else the name; ``models``: roles, else all);
    ``rejection``: fine-tuning on the best of the specialists' answers to ``examples`` prompts of each kind, rewarded
    with ``least`` or more;
    ``distill``: on-policy distillation. None leaves one out. The best by validation goes through ``mixed``
    reinforcement learning, None for none.
    """

    merges: Mapping[str, Changes]
    examples: Positive
    least: Share
    rejection: Changes | None
    distill: Changes | None
    mixed: Changes | None

    def __post_init__(self) -> None:
        if not self.merges and self.rejection is None and self.distill is None:
            raise ValueError("no way to one model is left: at least one of merges, rejection and distill")


@settings(frozen=True, config=STRICT)
class MeasureConfig:
    """How models are measured against the truth, on theorems that no training sees.

    ``problems`` of each level, ``samples`` of each by a prover; ``analyses`` of each real proof, all of which must give
    1 for acceptance; self-refinement of ``chains`` a problem over ``rounds`` on the levels ``hard``; candidates are
    compared on ``validation`` problems of each level.
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
    """``lemmata cotrain``. ``train``: the settings of `lemmata train` that all steps share; each step's own are changes
    to them. ``iterations`` after the first, whose labels are exact, have labels by the models alone. In each, verifier
    and prover take ``turns``: the verifier learns anew on what the prover writes by then.
    """

    run: Name | None
    seed: int
    iterations: Positive
    turns: Positive
    train: Changes
    cold_start: Changes
    indexer: IndexerConfig | None
    own: OwnConfig | None
    fresh: FreshConfig
    verifier: Changes
    meta_verifier: Changes
    verifier_meta: Changes
    prover: Changes
    labels: LabelsConfig
    generator: GeneratorConfig
    measure: MeasureConfig
