"""Estimate of a recipe before it runs: tokens sampled and trained on by each step, and minutes by given rates.

    python -m benchmarks.recipe_cost recipe=gpu [SETTING=VALUE ...] [--sampled-per-second N] [--trained-per-second N]

Tokens are counted from the settings: steps x groups x samples x turns x length, and so on (docs/guides/recipe.md has
the formulas). An answer is assumed to have ``--length`` of its token limit. Without rates they follow from the model's
FLOPs (`model.counts`) at ``--flops`` per second times ``--utilization``, and from ``--decode-seconds`` of a step of the
engine for sampling.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import OmegaConf

from core.config import read_config
from lemmata.compose import whole_mappings
from model.config import ModelConfig
from model.counts import token_flops
from model.initialize import outline
from rl.config import RolloutConfig, SupervisedConfig, TrainConfig
from rl.recipe.config import CotrainConfig
from rl.recipe.context import RecipeContext
from rl.recipe.plan import plan
from rl.recipe.step_types import (
    Analyze,
    Dagger,
    Early,
    Imitate,
    LabelProofs,
    Measure,
    MeasureLoop,
    MeasureVerifier,
    PassRates,
    Prove,
    Select,
    SelectVerifier,
    Step,
    Train,
)

BACKWARD = 3  # a training step has the FLOPs of three forward passes


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens of a step: ``sampled`` one by one in batches of ``batch`` sequences, and ``trained`` on."""

    sampled: float = 0.0
    trained: float = 0.0
    batch: float = 1.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Seconds by tokens. ``sampled`` and ``trained``: tokens per second; None: by FLOPs and by decoding steps."""

    sampled: float | None
    trained: float | None
    decode_seconds: float
    flops_per_second: float
    flops_per_token: float

    def minutes(self, cost: Cost) -> float:
        """The minutes of a step."""
        trained = self.trained or self.flops_per_second / (BACKWARD * self.flops_per_token)
        sampled = self.sampled or min(cost.batch / self.decode_seconds, self.flops_per_second / self.flops_per_token)
        return (cost.sampled / sampled + cost.trained / trained) / 60


@dataclass(frozen=True)
class Estimator:
    """Costs of the steps of a recipe, whose answers have ``length`` of their limit."""

    context: RecipeContext
    length: float

    @property
    def config(self) -> CotrainConfig:
        """The recipe."""
        return self.context.config

    def steps(self) -> Iterator[tuple[str, Cost]]:
        """The cost of each step, in order."""
        for step in plan(self.config):
            yield step.name, self._cost(step)

    def _cost(self, step: Step) -> Cost:
        if isinstance(step, Train):
            return self._training(self.context.training(step))
        answers = self._answers(step)
        return Cost(answers * self.length * self.config.measure.max_tokens, batch=min(answers, 256.0) or 1.0)

    def _training(self, config: TrainConfig) -> Cost:
        parts = [self._stage(config, getattr(config.stages, name)) for name in config.schedule]
        total = Cost(*(sum(getattr(part, name) for part in parts) for name in ("sampled", "trained")))
        return Cost(total.sampled, total.trained, max(part.batch for part in parts))

    def _stage(self, config: TrainConfig, stage: Any) -> Cost:
        if isinstance(stage, SupervisedConfig):
            return Cost(trained=min(stage.steps * stage.tokens, stage.token_budget or float("inf")))
        assert isinstance(stage, RolloutConfig)
        rollout = stage.groups * stage.samples * config.data["rounds"]
        count = rollout * stage.steps / stage.steps_per_rollout
        tokens = count * self.length * stage.sampling.max_tokens
        judges = config.data["judges"]
        judged = sum(judges[many] for role, many in JUDGED if judges[role]) * count * self.length * judges["max_tokens"]
        if stage.token_budget is not None:
            factor = min(1.0, stage.token_budget / (2 * tokens))
            tokens, judged = tokens * factor, judged * factor
        return Cost(tokens + judged, tokens * stage.epochs, min(rollout, stage.max_num_seqs))

    def _answers(self, step: Step) -> float:
        """The number of answers that a step samples at most."""
        count = ANSWERS.get(type(step))
        return 0.0 if count is None else count(self, step)

    @property
    def on_policy(self) -> float:
        """Proofs of a table to train on."""
        return self.config.on_policy_proofs.problems * self.config.on_policy_proofs.samples

    def proofs(self, per_level: int, each: float) -> float:
        """``each`` answers to so many problems of every level."""
        return per_level * len(self.context.shared.data["levels"]) * each

    def pass_rates(self, step: PassRates) -> float:
        """Answers to the problems of a training."""
        config = self.config.pass_rates
        return 0.0 if config is None else config.problems * config.samples

    def early(self, step: Early) -> float:
        """Proofs by the checkpoints that are measured."""
        config = self.config.early
        return 0.0 if config is None else KEPT * self.proofs(config.problems, config.samples)

    def dagger(self, step: Dagger) -> float:
        """Proofs, and an analysis of each."""
        config = self.config.dagger
        return 0.0 if config is None else 2 * config.problems * config.samples

    def prove(self, step: Prove) -> float:
        """Proofs to train on, or of the test stream."""
        config = self.config.measure
        return self.on_policy if step.split == "train" else self.proofs(config.problems, config.samples)

    def label(self, step: LabelProofs) -> float:
        """Analyses, and reviews of all of them."""
        return self.on_policy * self.config.labels.analyses * (1 + self.config.labels.reviews)

    def measure(self, step: Measure) -> float:
        """Proofs, analyses of planted and real proofs, reviews of both, and chains."""
        config = self.config.measure
        chains = config.hard_problems * len(config.hard) * config.chains * config.rounds if step.refine else 0
        each = config.samples * (2 + config.analyses) + config.analyses + 1
        return self.proofs(config.problems, each) + chains

    def verify_refine(self, problems: float) -> float:
        """Proofs and analyses of chains on so many problems."""
        config = self.config.signals
        return 0.0 if config is None else problems * config.chains * config.rounds * (1 + self.config.measure.analyses)

    @property
    def hard(self) -> float:
        """Hard problems of the test stream."""
        return self.config.measure.hard_problems * len(self.config.measure.hard)

    def measure_verifier(self, step: MeasureVerifier) -> float:
        """Analyses of planted and real proofs, and verify-and-refine."""
        config = self.config.measure
        return self.proofs(config.problems, config.analyses * (1 + config.samples)) + self.verify_refine(self.hard)

    def measure_loop(self, step: MeasureLoop) -> float:
        """Proofs, and verify-and-refine."""
        config = self.config.measure
        return self.proofs(config.problems, config.samples) + self.verify_refine(self.hard)

    def select_verifier(self, step: SelectVerifier) -> float:
        """An analysis of each planted proof, and verify-and-refine, by each candidate."""
        problems = self.proofs(self.config.measure.validation, 1)
        return len(step.candidates) * (problems + self.verify_refine(problems))


ANSWERS: dict[type, Callable[[Estimator, Any], float]] = {
    PassRates: Estimator.pass_rates,
    Early: Estimator.early,
    Dagger: Estimator.dagger,
    Prove: Estimator.prove,
    Analyze: lambda own, step: own.on_policy * own.config.on_policy_proofs.analyses,
    LabelProofs: Estimator.label,
    Select: lambda own, step: len(step.candidates) * own.proofs(own.config.measure.validation, 3),
    Measure: Estimator.measure,
    MeasureVerifier: Estimator.measure_verifier,
    MeasureLoop: Estimator.measure_loop,
    SelectVerifier: Estimator.select_verifier,
    Imitate: lambda own, step: step.tokens / (own.length * own.config.measure.max_tokens),
}
JUDGED = (("verifier", "analyses"), ("meta_verifier", "reviews"))
KEPT = 8  # checkpoints that are measured before one is above the range


def model_flops(config: CotrainConfig, context: RecipeContext) -> float:
    """Forward FLOPs of a token in the middle of the context, by the shape of the new model."""
    new = context.shared.new_model
    shape = ModelConfig(vocab_size=new.vocab_size, bos_token_id=0, eos_token_id=1, pad_token_id=2, **new.shape)  # pyright: ignore[reportArgumentType]
    return float(token_flops(outline(shape, torch.float32), config.measure.max_tokens).total)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a line for each step, and the totals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="as of `lemmata cotrain`, such as recipe=gpu")
    parser.add_argument("--length", type=float, default=0.33, help="of an answer, as a part of its token limit")
    parser.add_argument("--sampled-per-second", type=float, help="tokens")
    parser.add_argument("--trained-per-second", type=float, help="tokens")
    parser.add_argument("--decode-seconds", type=float, default=0.03, help="of a decoding step of all sequences")
    parser.add_argument("--flops", type=float, default=67e12, help="peak per second; an H200 has 67e12 in fp32")
    parser.add_argument("--utilization", type=float, default=0.1)
    args = parser.parse_args(arguments)
    with hydra.initialize_config_module("lemmata.conf", version_base=None):
        composed = OmegaConf.to_container(hydra.compose("cotrain", whole_mappings(args.overrides)), resolve=True)
    config = read_config(CotrainConfig, composed, "")
    context = RecipeContext(config, Path("nowhere"))
    flops = model_flops(config, context)
    rates = Rates(
        args.sampled_per_second, args.trained_per_second, args.decode_seconds, args.flops * args.utilization, flops
    )
    total = [0.0, 0.0, 0.0]
    print(f"{'step':32} {'sampled':>14} {'trained':>14} {'minutes':>8}")
    for name, cost in Estimator(context, args.length).steps():
        values = (cost.sampled, cost.trained, rates.minutes(cost))
        total = [before + value for before, value in zip(total, values, strict=True)]
        print(f"{name:32} {values[0]:14,.0f} {values[1]:14,.0f} {values[2]:8.1f}")
    print(f"{'all':32} {total[0]:14,.0f} {total[1]:14,.0f} {total[2]:8.1f}")


if __name__ == "__main__":
    main()
