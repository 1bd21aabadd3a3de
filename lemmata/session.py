"""A command at work: its run folder, policies, roles, guard and meters, from start to a clean end."""

import asyncio
import signal
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StrictInt

from core.config import STRICT, Name, read_config, read_part, settings
from core.ids import digest
from core.log import ProblemLog
from core.records import Generated, Problem, Usage
from core.store import Run, flatten, matches
from core.templates import Templates
from lab.prompts import templates as lab_templates
from lemmata.policies import Policies, build_policies, weights_of
from lemmata.progress import Progress
from meta_verifier.role import MetaVerifier
from policy.guard import BudgetConfig, Guard
from policy.meters import Meters
from policy.recorder import Recorder
from prover.role import Prover
from refine.assess import Assessor, AssessorConfig
from refine.schedule import T, Work, run_problems
from verifier.role import Verifier

LAB_PROMPTS = "lab"  # the lab's own short templates; any other name is a folder's
_HOW_SERVED = (
    "base_url",
    "api_key_env",
    "concurrency",
    "samples_per_request",
    "request_timeout",
    "connect_timeout",
    "headers",
    "prices",
    "retry",
    "device",
    "engine",
)
MAY_CHANGE = frozenset(
    [
        "run",
        "limit",
        "budget",
        "progress",
        *(f"policy.{key}" for key in _HOW_SERVED),
        *(f"policies.*.{key}" for key in _HOW_SERVED),
    ]
)


@settings(frozen=True, config=STRICT)
class ProgressConfig:
    """``seconds`` between two lines of progress."""

    seconds: Annotated[float, Field(gt=0)]


@settings(frozen=True, config=STRICT)
class SessionConfig:
    """Settings that every command which asks models has."""

    run: Name | None
    seed: StrictInt
    prompts: Name | None
    progress: ProgressConfig


@dataclass
class Session:
    """What a command works with."""

    run: Run
    config: Mapping[str, Any]
    policies: Policies
    templates: Templates
    guard: Guard
    meters: Meters

    @property
    def prover(self) -> Prover:
        """The prover of this run."""
        return Prover(self.policies.of("prover"), self.templates, self.policies.roles["prover"].sampling)

    def judge(self, config: AssessorConfig) -> Assessor:
        """Verifier and meta-verifier of this run."""
        verifier = Verifier(self.policies.of("verifier"), self.templates, self.policies.roles["verifier"].sampling)
        sampling = self.policies.roles["meta_verifier"].sampling
        return Assessor(verifier, MetaVerifier(self.policies.of("meta_verifier"), self.templates, sampling), config)

    def recorder(self, problem: Problem, log: ProblemLog) -> Recorder:
        """Asks and records for one problem."""
        return Recorder(problem, log, self.config["seed"], self.meters, self.guard)

    def work(self, problems: Iterable[T], work: Work[T]) -> int:
        """Run ``work`` on all problems, with progress, until done or stopped. Returns the exit code."""
        return asyncio.run(self._work(problems, work))

    async def _work(self, problems: Iterable[T], work: Work[T]) -> int:
        progress = Progress(self.meters, self.run, self.config["progress"]["seconds"])
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def interrupt() -> None:
            # The first signal lets calls in flight finish, the second does not.
            if self.guard.reason is not None:
                task.cancel()
            else:
                progress.say("finishing the calls in flight; interrupt again to drop them")
            self.guard.stop("interrupted")

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        policies = list(self.policies.by_name.values())
        try:
            async with progress:
                unfinished = await run_problems(problems, work, policies, self.guard, self.meters)
                progress.explain(self.guard.reason, unfinished)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            await self.policies.close()
        return 2 if unfinished or self.guard.reason else 0


@contextmanager
def open_session(command: str, config: Mapping[str, Any]) -> Iterator[Session]:
    """Open or resume the run of a command; its folder is released at the end."""
    templates, config = with_contents(config)
    folder = run_folder(command, config, MAY_CHANGE)
    budget = read_config(BudgetConfig, config["budget"], "budget")
    meters = Meters()
    guard = Guard(budget)
    policies = build_policies(config, guard, meters)
    with Run.start(folder, command, config, MAY_CHANGE) as run:
        if budget.tokens or budget.money:
            guard.spent = spent(run)
        yield Session(run, config, policies, templates, guard, meters)


def run_folder(command: str, config: Mapping[str, Any], may_change: Collection[str]) -> str:
    """The run folder that the settings name, or one named by their digest, so that repeating a command resumes."""
    identity = {key: value for key, value in flatten(config) if not matches(key, may_change)}
    name = f"runs/{command}-{digest(*map(repr, sorted(identity.items(), key=str)), length=8)}"
    return read_part(SessionConfig, config).run or name


def with_contents(config: Mapping[str, Any]) -> tuple[Templates, Mapping[str, Any]]:
    """The prompt texts that the settings name, and the settings with digests of these and of the models' weights.

    Both belong to a run as its settings do: a changed template changes every prompt, other weights every answer.
    """
    prompts = read_part(SessionConfig, config).prompts
    templates = lab_templates() if prompts == LAB_PROMPTS else Templates.load(prompts)
    texts = {name: templates.identity(name) for name in templates.texts}
    return templates, {**config, "templates": texts, "weights": weights_of(config)}


def spent(run: Run) -> Usage:
    """What all calls of a run have used so far."""
    usages = (record.usage for record in run.records() if isinstance(record, Generated) and record.usage)
    return sum(usages, start=Usage())
