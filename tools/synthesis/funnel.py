"""Funnel of candidate families: each must run, be deterministic by seed, verify soundly, and lie within a band.

| stage | what a candidate must do |
|---|---|
| ran | its instances are made in the sandbox, and differ from seed to seed |
| deterministic | the same seeds give the same instances in another kernel |
| sound | `verify` accepts every reference and refuses every mutation of it; few statements hold their answers |
| in band | at some level, a solver's pass rate lies within the band; levels are raised while it is above |
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.config import STRICT, Positive, Share, settings
from tools.synthesis.candidate import Candidate, Instance
from tools.synthesis.runner import Failed, Runner

STAGES = ("written", "ran", "deterministic", "sound", "in band")
JUNK = ("", "unknown", "True", "[]", "0.12345")


@settings(frozen=True, config=STRICT)
class FunnelConfig:
    """``seeds``: instances of a level; ``rounds``: levels that are tried at most; ``low`` and ``high``: the band."""

    seeds: Positive
    rounds: Positive
    low: Share
    high: Share


class Solver(Protocol):
    """Solves instances."""

    @property
    def name(self) -> str:
        """Name for the card."""
        ...

    async def rates(self, runner: Runner, candidate: Candidate, instances: Sequence[Instance]) -> list[float]:
        """The pass rate of each instance."""
        ...


@dataclass(frozen=True)
class GuessSolver:
    """Guess and check: passes where one of the integers of least size, at most ``guesses``, is accepted."""

    guesses: int

    @property
    def name(self) -> str:
        """Name for the card."""
        return f"guess and check of {self.guesses} integers"

    async def rates(self, runner: Runner, candidate: Candidate, instances: Sequence[Instance]) -> list[float]:
        """1 or 0 for each instance."""
        return [float(one) for one in await runner.search(candidate, instances, self.guesses)]


@dataclass(frozen=True)
class Examined:
    """A candidate after the funnel. ``stage``: the last that it passed; ``reason``: why it passed no further.

    ``rates``: mean pass rate by level, from level 1; ``instances``: those of the level in the band.
    """

    candidate: Candidate
    stage: str
    reason: str
    rates: tuple[float, ...] = ()
    instances: tuple[Instance, ...] = ()

    @property
    def accepted(self) -> bool:
        """True where it passed every stage."""
        return self.stage == STAGES[-1]


async def examine(candidate: Candidate, runner: Runner, solver: Solver, config: FunnelConfig) -> Examined:
    """Sends a candidate through the funnel. Raises LemmataError where no sandbox runs."""
    stage, rates = STAGES[0], list[float]()
    seeds = range(1, config.seeds + 1)
    try:
        for level in range(1, config.rounds + 1):
            stage = STAGES[0] if level == 1 else stage
            instances = await runner.generate(candidate, seeds, level)
            if len({instance.statement for instance in instances}) <= len(instances) // 2:
                raise Failed(f"level {level}: half of the seeds give the same statement")
            stage = max(stage, STAGES[1], key=STAGES.index)
            if await runner.generate(candidate, seeds, level) != instances:
                raise Failed(f"level {level}: the same seeds give other instances")
            stage = max(stage, STAGES[2], key=STAGES.index)
            await check_verifier(candidate, runner, instances)
            stage = max(stage, STAGES[3], key=STAGES.index)
            found = await solver.rates(runner, candidate, instances)
            rates.append(sum(found) / len(found))
            if config.low <= rates[-1] <= config.high:
                return Examined(candidate, STAGES[4], "", tuple(rates), tuple(instances))
            if rates[-1] < config.low:
                raise Failed(f"level {level} is too hard: the pass rate of {rates[-1]:.2f} is below {config.low:g}")
        raise Failed(f"too easy: the pass rate stays above {config.high:g} up to level {config.rounds}")
    except Failed as failure:
        return Examined(candidate, stage, str(failure), tuple(rates))


async def check_verifier(candidate: Candidate, runner: Runner, instances: Sequence[Instance]) -> None:
    """Raises Failed where `verify` refuses a reference or accepts a mutation, or statements hold their answers."""
    if sum(map(shows_answer, instances)) > len(instances) // 2:
        raise Failed("more than half of the statements hold their answers")
    if not all(await runner.verify(candidate, [(one, one.reference) for one in instances])):
        raise Failed("verify refuses a reference")
    mutated = [(one, wrong) for one in instances for wrong in mutations(one.reference)]
    verdicts = await runner.verify(candidate, mutated)
    accepted = [answer for (_, answer), verdict in zip(mutated, verdicts, strict=True) if verdict]
    if accepted:
        raise Failed(f"verify accepts {len(accepted)} of {len(mutated)} mutations, such as {accepted[0]!r}")


def shows_answer(instance: Instance) -> bool:
    """True where the statement holds the reference as a word of its own."""
    return re.search(rf"(?<!\w){re.escape(instance.reference)}(?!\w)", instance.statement) is not None


def mutations(reference: str) -> list[str]:
    """Wrong answers near a reference: every integer in it one more and one less, and texts that answer nothing."""
    found: list[str] = [*JUNK]
    for match in re.finditer(r"-?\d+", reference):
        for change in (1, -1):
            number = str(int(match[0]) + change)
            found.append(f"{reference[: match.start()]}{number}{reference[match.end() :]}")
    return [text for text in dict.fromkeys(found) if text != reference]


def funnel_counts(examined: Iterable[Examined]) -> dict[str, int]:
    """The number of candidates that passed each stage."""
    reached = Counter(STAGES.index(one.stage) for one in examined)
    return {stage: sum(reached[later] for later in range(place, len(STAGES))) for place, stage in enumerate(STAGES)}
