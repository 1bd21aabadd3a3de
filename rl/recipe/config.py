"""Settings of the co-training recipe. Imports no torch."""

from collections.abc import Mapping
from typing import Any, Literal

from core.config import STRICT, Count, Name, NonNegativeFloat, Positive, Share, settings
from verifier.autolabel import LabelConfig

Changes = Mapping[str, Any]  # the settings that a step changes in ``train``, nested as there


@settings(frozen=True, config=STRICT)
class EarlyConfig:
    """Start of reinforcement learning: an early checkpoint of the cold start, chosen by the prover's pass rate.

    Of the kept checkpoints the one whose pass rate is nearest to the middle of ``pass_rate`` [lowest, highest], by
    ``samples`` proofs of each of ``problems`` theorems of each level, on the validation stream. ``run``: folder of a
    `lemmata train` whose checkpoints are taken in place of the cold start's; None: the cold start's.
    """

    run: Name | None
    pass_rate: tuple[Share, Share]
    problems: Positive
    samples: Positive

    def __post_init__(self) -> None:
        _check_range("pass_rate", self.pass_rate)


@settings(frozen=True, config=STRICT)
class PassRatesConfig:
    """Problems of each step of reinforcement learning: those of a pass rate in ``range`` [lowest, highest].

    The rate is over ``samples`` answers to each of ``problems`` problems by the model that the step starts from; an
    answer passes with a reward of ``pass_reward`` or more. Where fewer than ``least`` are in range, the problems
    nearest to its middle fill them up.
    """

    range: tuple[Share, Share]
    problems: Positive
    samples: Positive
    pass_reward: Share
    least: Positive

    def __post_init__(self) -> None:
        _check_range("range", self.range)
        if self.least > self.problems:
            raise ValueError(f"least={self.least} is more than problems={self.problems}")


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

    DeepSeekMath-V2, section 2.3. ``verifier`` and ``meta_verifier``: models that label in place of the run's own: a
    folder, ``pkg://PACKAGE/FOLDER``, ``endpoint:NAME`` of ``train.data.judges.endpoints``, or several; None: its own.
    """

    verifier: Name | tuple[Name, ...] | None
    meta_verifier: Name | tuple[Name, ...] | None
    analyses: Positive
    reviews: Positive
    rule: LabelConfig


@settings(frozen=True, config=STRICT)
class GeneratorConfig:
    """Ways from the specialists to one model, each of which is a candidate.

    ``merges`` of weights by name, with the settings of `lemmata merge` (``method``: by default the name; ``models``:
    roles, by default all); ``distill``: on-policy distillation from the specialist of each kind of prompt, None: none.
    The generator is the best candidate on the validation stream.
    """

    merges: Mapping[str, Changes]
    distill: Changes | None

    def __post_init__(self) -> None:
        if not self.merges and self.distill is None:
            raise ValueError("no way to one model: set merges, distill, or both")


@settings(frozen=True, config=STRICT)
class SignalsConfig:
    """Comparison of signals that train a verifier (`rl.recipe.signals`).

    ``tokens``: computed tokens of each arm, in sampling and in training. Self-trained arms spend ``sampled`` of them on
    ``analyses`` of each problem with the ``reference`` in the prompt, the rest on SFT. ``rl`` and ``sft``: what the
    arms change in ``train``; their steps are upper limits. Verify-and-refine: ``chains`` of at most ``rounds`` on each
    problem, by ``measure.analyses``. ``loop``: what the prover in the loop with the best verifier changes, with
    ``loop_tokens``; None: no such prover.
    """

    tokens: Positive
    sampled: Share
    reference: Literal["derivation", "defects"]
    analyses: Positive
    rl: Changes
    sft: Changes
    chains: Positive
    rounds: Positive
    loop: Changes | None
    loop_tokens: Positive


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

    ``base``: folder of a model, or ``pkg://PACKAGE/FOLDER``, in place of the cold start; None: a cold start.
    ``train``: the settings of `lemmata train` that all steps share, and that each step changes. The first of the
    ``iterations`` has exact labels, later ones have labels by the models alone. In each, verifier and prover take
    ``turns``, so that the verifier is trained on proofs of the current prover. ``signals``: before the iterations, a
    comparison of signals that train a verifier; None: none.
    """

    run: Name | None
    seed: int
    iterations: Count
    turns: Positive
    base: Name | None
    train: Changes
    cold_start: Changes
    early: EarlyConfig | None
    indexer: IndexerConfig | None
    dagger: DaggerConfig | None
    on_policy_proofs: OnPolicyProofsConfig
    pass_rates: PassRatesConfig | None
    verifier: Changes
    meta_verifier: Changes
    verifier_meta: Changes
    prover: Changes
    labels: LabelsConfig
    generator: GeneratorConfig
    signals: SignalsConfig | None
    measure: MeasureConfig

    def __post_init__(self) -> None:
        if not self.on_tables:
            if self.labels.verifier or self.labels.meta_verifier:
                raise ValueError(
                    "labels.verifier and labels.meta_verifier are for tables alone: set train.data.lab=none"
                )
            return
        if self.base is None:
            raise ValueError("train.data.lab=none needs a model to begin from: set base=FOLDER")
        if self.signals is not None or not self._data.get("problems"):
            raise ValueError("train.data.lab=none needs signals=null and problems: train.data.problems=TABLE")

    @property
    def _data(self) -> Mapping[str, Any]:
        return self.train.get("data") or {}

    @property
    def on_tables(self) -> bool:
        """True where all problems are of tables, whose truth nobody knows."""
        return self._data.get("lab") == "none"

    @property
    def has_rated_analyses(self) -> bool:
        """True where a table of rated analyses trains the meta-verifier."""
        return bool(self._data.get("analyses"))


def _check_range(name: str, limits: tuple[float, float]) -> None:
    if limits[0] > limits[1]:
        raise ValueError(f"{name}={list(limits)}: the lowest rate is above the highest")
