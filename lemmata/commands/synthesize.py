"""``lemmata synthesize``: families of tasks that make their own problems, through the funnel into a package."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from core.config import STRICT, Count, Name, Positive, settings
from core.errors import LemmataError
from lemmata.policies import Policies, build_policies
from lemmata.settings import SessionConfig, read_settings
from lemmata.terminal import plain
from policy.guard import Guard
from policy.interface import Sampling
from policy.meters import Meters
from tools.pool import InterpreterPool
from tools.synthesis.candidate import SEEDS, read_candidates
from tools.synthesis.funnel import Examined, FunnelConfig, GuessSolver, Solver, examine, funnel_counts
from tools.synthesis.models import ModelSolver, write_families
from tools.synthesis.package import write_package
from tools.synthesis.runner import Runner

MAX_OUTPUT = 400_000  # characters of what a family prints, whose texts are data here and go to no model


@settings(frozen=True, kw_only=True, config=STRICT)
class SynthesizeSettings(SessionConfig):
    """Settings of ``lemmata synthesize`` (lemmata/conf/synthesize.yaml)."""

    out: Name
    families: Name | None
    write: Count
    solver: Literal["guesses", "model"]
    guesses: Positive
    samples: Positive
    funnel: FunnelConfig


def synthesize_command(config: dict[str, Any]) -> int:
    """Examines every family and writes the package of those in the band."""
    read = read_settings(SynthesizeSettings, config)
    if read.families is None and not read.write:
        raise LemmataError("synthesize: nothing to examine; set families=FOLDER (families=seeds), or write=NUMBER")
    solver, examined = asyncio.run(_examine(read))
    out = Path(read.out)
    count = write_package(out, examined, read.funnel, solver)
    counts = ", ".join(f"{counts} {stage}" for stage, counts in funnel_counts(examined).items())
    Console(highlight=False).print(plain(f"{counts}; {out}: {count} tasks"), soft_wrap=True)
    return 0


async def _examine(read: SynthesizeSettings) -> tuple[str, list[Examined]]:
    """The name of the solver, and every family after the funnel."""
    console = Console(highlight=False, stderr=True)
    uses_model = bool(read.write) or read.solver == "model"
    policies = build_policies(read, Guard(read.budget), Meters()) if uses_model else None
    pool = InterpreterPool(replace(read.interpreter, output=MAX_OUTPUT))
    try:
        solver = _solver(read, policies)
        candidates = [] if read.families is None else read_candidates(_folder(read.families))
        if policies is not None and read.write:
            candidates += await write_families(policies.of("prover"), _sampling(read), read.write, read.seed)
        examined = []
        for candidate in candidates:
            examined.append(await examine(candidate, Runner(pool), solver, read.funnel))
            last = examined[-1]
            rates = ", ".join(f"{rate:.2f}" for rate in last.rates)
            reason = f": {last.reason}" if not last.accepted else ""
            passed = f"pass rates {rates}; " if rates else ""
            console.print(plain(f"{candidate.name}: {passed}{last.stage}{reason}"), soft_wrap=True)
    finally:
        await pool.close()
        if policies is not None:
            await policies.close()
    return solver.name, examined


def _folder(families: str) -> Path:
    return SEEDS if families == "seeds" else Path(families)


def _solver(read: SynthesizeSettings, policies: Policies | None) -> Solver:
    if read.solver == "guesses" or policies is None:
        return GuessSolver(read.guesses)
    return ModelSolver(policies.of("prover"), _sampling(read), read.samples)


def _sampling(read: SynthesizeSettings) -> Sampling:
    role = read.prover
    return Sampling(temperature=role.temperature, top_p=role.top_p, max_tokens=role.max_tokens, stop=tuple(role.stop))
