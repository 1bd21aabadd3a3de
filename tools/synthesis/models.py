"""Models in the synthesis: one writes families, one solves their instances. Both are policies of any kind."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.ids import derive_seed, digest
from policy.interface import Policy, Sampling, user_prompt
from tools.synthesis.candidate import Candidate, Instance
from tools.synthesis.runner import Runner

PROMPT = Path(__file__).with_name("writer.txt")
CATEGORIES = ("number theory", "algebra", "combinatorics", "geometry with integer coordinates", "graphs")
INSTRUCTION = "\n\nThe answer is one integer. End with it as \\boxed{INTEGER}."
_CODE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)
_BOX = re.compile(r"\\boxed\{([^{}]{1,100})\}")


async def write_families(policy: Policy, sampling: Sampling, count: int, seed: int) -> list[Candidate]:
    """``count`` families by a model, of all categories in turn. An answer without code is a family without code."""
    template = PROMPT.read_text(encoding="utf-8")
    found = []
    for number in range(count):
        prompt = user_prompt(template.replace("{category}", CATEGORIES[number % len(CATEGORIES)], 1))
        own = replace(sampling, n=1, seed=derive_seed("synthesis", seed, number))
        [[completion]] = await policy.sample([prompt], own)
        code = (_CODE.findall(completion.text) or [""])[-1]
        found.append(Candidate(f"written_{number + 1}_{digest(code, length=6)}", code, completion.model))
    return found


@dataclass(frozen=True)
class ModelSolver:
    """A model that answers each instance ``samples`` times; an answer is its last box, checked by the family."""

    policy: Policy
    sampling: Sampling
    samples: int

    @property
    def name(self) -> str:
        """Name for the card."""
        return f"{self.policy.name}, {self.samples} samples"

    async def rates(self, runner: Runner, candidate: Candidate, instances: Sequence[Instance]) -> list[float]:
        """The share of right answers to each instance."""
        rates = []
        for instance in instances:
            seed = derive_seed("solve", candidate.name, instance.seed, instance.level)
            sampling = replace(self.sampling, n=self.samples, seed=seed)
            [completions] = await self.policy.sample([user_prompt(instance.statement + INSTRUCTION)], sampling)
            answers = [(instance, (_BOX.findall(one.text) or [""])[-1].strip()) for one in completions]
            rates.append(sum(await runner.verify(candidate, answers)) / len(answers))
        return rates
