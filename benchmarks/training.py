"""Generated tokens per CPU second of one reinforcement-learning step, end to end, against TRL on one CPU thread.

    LEMMATA_TRL_PYTHON=/path/to/python python -m benchmarks.training [repeats]

The other Python is that of an environment with TRL 1.16 (pip install torch==2.13.0 trl==1.16.0). Same task, same
numbers of prompts, samples and tokens, same loss (DeepSeek-V3.2's, with a reference model), the same number of
parameters within a tenth. Steps are taken in turns. The last line is JSON.
"""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.side_by_side import cpu_seconds, ratio, report  # isort: skip  sets variables that torch reads

import torch

from benchmarks.training_shapes import ANSWER, PROMPT, PROMPTS, SAMPLES, SHAPES, EvenBytes
from lemmata.training import compose_train
from model import new_model
from model.engine import SamplingParams
from model.tokenizer import byte_tokenizer
from rl.learner import Learner
from rl.optimizer import clip_gradients, make_optimizer
from rl.parallel import Parallel
from rl.policy_stage import PolicyStage
from rl.reward_shaping import NO_SHAPING

GENERATED = PROMPTS * SAMPLES * ANSWER
SETTINGS = compose_train(
    *("role=prover", "stage=rl", "algorithm.loss.beta=0.04", "algorithm.beta_by_domain={}"),
    *("algorithm.keep_sampling_mask=false", "stages.rl.steps=1", f"stages.rl.groups={PROMPTS}"),
    *(f"stages.rl.samples={SAMPLES}", f"stages.rl.micro_batch_tokens={1 << 20}", "stages.rl.cache_tokens=65536"),
    *(f"stages.rl.sampling.max_tokens={ANSWER}", "stages.rl.optimizer.warmup_steps=0"),
)


class PlainLearner(Learner):
    """Prompts of exactly so many tokens, without a chat template."""

    def render(self, text: str) -> list[int]:
        """The first tokens of the text."""
        return self.tokenizer(text)["input_ids"][:PROMPT]


class WholeAnswers(PolicyStage):
    """Answers end at the token limit alone."""

    def _sampling(self, *purpose: str | int, temperature: float | None = None) -> SamplingParams:
        sampling = super()._sampling(*purpose, temperature=temperature)
        return SamplingParams(max_tokens=sampling.max_tokens, seed=sampling.seed, ignore_eos=True)


class Ours:
    """A step of our trainer."""

    def __init__(self, shape: str) -> None:
        module = new_model(SHAPES[shape], seed=0)
        self.parameters = sum(weight.numel() for weight in module.parameters())
        learner = PlainLearner(module, byte_tokenizer(), EvenBytes(), EvenBytes(), Parallel(), 0)
        self.settings = SETTINGS.stages.rl.optimizer
        self.stage = WholeAnswers(learner, SETTINGS.stages.rl, SETTINGS.algorithm, NO_SHAPING)
        self.optimizer = make_optimizer(module, self.settings)

    def step(self) -> None:
        """Sample, reward, learn."""
        self.optimizer.zero_grad(set_to_none=True)
        values = self.stage.step()
        assert values["tokens"] == GENERATED
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        clip_gradients([weight for weight in weights if weight.grad is not None], self.settings.max_grad_norm)
        self.optimizer.step()
        self.stage.weights_changed()


class Theirs:
    """A step of TRL's trainer, in its own process."""

    def __init__(self, python: str, shape: str) -> None:
        quiet = {"HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1", "TOKENIZERS_PARALLELIZM": "false"}
        environment = {**os.environ, **quiet, "OMP_NUM_THREADS": "1"}
        command = [
            python,
            "-P",
            "benchmarks/trl_worker.py",
            shape,
        ]  # -P: our kernels.py is not the package of that name
        self._process: Any = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            stderr=subprocess.DEVNULL,
        )
        self.about = self._read()

    def step(self) -> float:
        """CPU seconds of a step."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()["cpu_seconds"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        for line in self._process.stdout:
            if line.startswith('{"'):
                return json.loads(line)
        raise SystemExit("the process with TRL ended; run python -P benchmarks/trl_worker.py llama to see why")


def main() -> None:
    """Both models."""
    torch.set_num_threads(1)
    python = os.environ.get("LEMMATA_TRL_PYTHON")
    if not python:
        raise SystemExit("LEMMATA_TRL_PYTHON must name the Python of an environment with TRL 1.16")
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    report("training", {shape: beside_trl(python, shape, repeats) for shape in SHAPES})


def beside_trl(python: str, shape: str, repeats: int) -> dict[str, Any]:
    """Generated tokens a CPU second of both, and their ratio."""
    ours, theirs = Ours(shape), Theirs(python, shape)
    seconds: dict[str, list[float]] = {"ours": [], "trl": []}
    try:
        for turn in range(repeats + 2):  # of which two do not count
            pair = {"ours": cpu_seconds(ours.step), "trl": theirs.step()}
            if turn > 1:
                for name, value in pair.items():
                    seconds[name].append(value)
    finally:
        theirs.close()
    rates = {name: round(GENERATED / sorted(times)[len(times) // 2]) for name, times in seconds.items()}
    result = ratio(seconds["trl"], seconds["ours"])
    print(f"{shape}: generated tokens a CPU second {rates}, {result}", flush=True)
    sizes = {"ours": ours.parameters, "trl": theirs.about["parameters"]}
    return {**rates, **result, "parameters": sizes, "trl_version": theirs.about["trl"]}


if __name__ == "__main__":
    main()
