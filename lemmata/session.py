"""Runtime context of a command: run folder, policies, roles, guard and meters, from opening to a clean end."""

import asyncio
import signal
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from core.ids import digest
from core.log import ProblemLog
from core.records import Problem, Usage, total_usage
from core.store import Run, flatten, matches
from core.templates import Templates
from lab.calculator_tool import CALCULATOR
from lab.prompts import named_templates
from lemmata.domain import PROVER, VERIFIER, Coverage
from lemmata.policies import Policies, build_policies, weights_of
from lemmata.progress import Progress
from lemmata.settings import SessionConfig
from meta_verifier.role import MetaVerifier
from policy.duplicates import Duplicates
from policy.guard import Guard
from policy.interface import Policy
from policy.meters import Meters
from policy.recorder import Recorder
from policy.throttle import Throttle
from prover.role import Prover
from refine.assess import Assessor, AssessorConfig
from refine.schedule import T, Work, run_problems
from tools.toolbox import PYTHON, RunToolbox
from verifier.comparison import Comparer
from verifier.role import Verifier

SERVING_KEYS = (
    "base_url",
    "api_key_env",
    "concurrency",
    "samples_per_request",
    "stream",
    "request_timeout",
    "idle_timeout",
    "connect_timeout",
    "headers",
    "prices",
    "retry",
    "device",
    "engine",
)
# Settings that may differ on resuming: they change no answer.
MAY_CHANGE = frozenset(
    [
        "run",
        "limit",
        "budget",
        "progress",
        "retry",
        "unusable",
        "interpreter.kernels",
        "interpreter.sandbox",
        *(f"policy.{key}" for key in SERVING_KEYS),
        *(f"policies.*.{key}" for key in SERVING_KEYS),
    ]
)


@dataclass
class Session:
    """The objects that a command works with."""

    run: Run
    settings: SessionConfig
    policies: Policies
    templates: Templates
    guard: Guard
    meters: Meters
    toolbox: RunToolbox | None = None

    @property
    def prover(self) -> Prover:
        """The prover of this run."""
        return Prover(self.policies.of("prover"), self.templates, self.policies.roles["prover"].sampling)

    @property
    def comparer(self) -> Comparer:
        """Judge of two proofs: the verifier's policy. Raises LemmataError where the prompts hold no text for it."""
        role = self.policies.roles["verifier"]
        return Comparer(self.policies.of("verifier"), self.templates, role.sampling, self.settings.verdicts)

    def assessor(self, config: AssessorConfig) -> Assessor:
        """Verifier and meta-verifier of this run."""
        roles, verdicts = self.policies.roles, self.settings.verdicts
        verifier = Verifier(self.policies.of("verifier"), self.templates, roles["verifier"].sampling, verdicts)
        meta = self.policies.of("meta_verifier")
        meta_verifier = MetaVerifier(meta, self.templates, roles["meta_verifier"].sampling, verdicts)
        return Assessor(verifier, meta_verifier, config, partial(self.outside, roles=(VERIFIER,)))

    @cached_property
    def coverage(self) -> Coverage:
        """Domains of the models of this run."""
        return Coverage.of(self.settings)

    def outside(self, statement: str, roles: Sequence[str] = (PROVER, VERIFIER)) -> str:
        """The reason why a model of this run does not cover a statement; empty where all do."""
        return self.coverage.outside(statement, *roles)

    @cached_property
    def duplicates(self) -> Duplicates:
        """The texts of this run, by which a copy at another problem is found."""
        return Duplicates(self.run.records())

    def recorder(self, problem: Problem, log: ProblemLog) -> Recorder:
        """The recorder of one problem."""
        return Recorder(
            problem,
            log,
            self.settings.seed,
            self.meters,
            self.guard,
            self.duplicates,
            retry_refused=self.settings.retry == "refused",
            unusable=self.settings.unusable,
            toolbox=self.toolbox,
        )

    def work(self, problems: Iterable[T], work: Work[T], total: Callable[[], int] | None = None) -> int:
        """Run ``work`` on all problems with progress, until done or stopped by a signal. Returns the exit code.

        ``total`` counts the problems, in a thread of its own, for the remaining time.

        Raises:
            KeyboardInterrupt: a second signal arrived; calls in flight are dropped.
        """
        return asyncio.run(self._work(problems, work, total))

    async def process(self, problems: Iterable[T], work: Work[T]) -> list[str]:
        """Run ``work`` on all problems and close the policies; returns one line for each unfinished problem."""
        try:
            policies = list(self.policies.by_name.values())
            return await run_problems(problems, work, policies, self.guard, self.meters)
        finally:
            if self.toolbox is not None:
                await self.toolbox.close()
            await self.policies.close()

    async def _work(self, problems: Iterable[T], work: Work[T], total: Callable[[], int] | None) -> int:
        progress = Progress(self.meters, self.run, self.settings.progress.seconds, total)
        self._handle_signals(progress.say)
        try:
            async with progress:
                unfinished = await self.process(problems, work)
                progress.explain(self.guard.reason, unfinished)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        return 2 if unfinished or self.guard.reason else 0

    def _handle_signals(self, say: Callable[[str], None]) -> None:
        """Let the first SIGINT or SIGTERM end the run after the calls in flight, and the second one at once."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def interrupt() -> None:
            if self.guard.reason is not None:
                task.cancel()
            else:
                say("finishing the calls in flight; interrupt again to drop them")
            self.guard.stop("interrupted")

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)


@contextmanager
def open_session(
    command: str,
    settings: SessionConfig,
    config: Mapping[str, Any],
    objects: Mapping[str, Policy] | None = None,
    may_change: Collection[str] = MAY_CHANGE,
) -> Iterator[Session]:
    """Open or resume the run of a command; its folder is released at the end.

    Args:
        command: name of the command, which the run records.
        settings: the typed settings.
        config: the same settings as the plain mapping that the run records and compares on resuming.
        objects: policies that exist already, by name; they are not closed at the end. The others are built.
        may_change: keys of settings that may differ on resuming.
    """
    templates, config = with_contents(settings, config)
    folder = settings.run or default_folder(command, config, may_change)
    meters, guard = Meters(), Guard(settings.budget)
    given = {name: _throttled(policy, settings, guard, meters) for name, policy in (objects or {}).items()}
    toolbox = build_toolbox(settings)
    policies = build_policies(settings, guard, meters, given)
    with Run.start(folder, command, config, may_change) as run:
        if settings.budget.tokens or settings.budget.cost:
            guard.spent = spent(run)
        yield Session(run, settings, replace(policies, borrowed=frozenset(given)), templates, guard, meters, toolbox)


def build_toolbox(settings: SessionConfig) -> RunToolbox | None:
    """The tools of a run; None without any. Raises LemmataError where no sandbox works."""
    if not settings.tools:
        return None
    functions = [CALCULATOR] if CALCULATOR.spec.name in settings.tools else []
    return RunToolbox(settings.tool_use, settings.interpreter if PYTHON in settings.tools else None, functions)


def _throttled(policy: Policy, settings: SessionConfig, guard: Guard, meters: Meters) -> Throttle:
    return Throttle(policy, int(settings.policy["concurrency"]), guard, meters)


def default_folder(command: str, config: Mapping[str, Any], may_change: Collection[str]) -> str:
    """The run folder named by a digest of the settings, so that repeating a command resumes its run."""
    identity = {key: value for key, value in flatten(config) if not matches(key, may_change)}
    return f"runs/{command}-{digest(*map(repr, sorted(identity.items(), key=str)), length=8)}"


def with_contents(settings: SessionConfig, config: Mapping[str, Any]) -> tuple[Templates, Mapping[str, Any]]:
    """The prompt texts that the settings name, and ``config`` with digests of these and of the models' weights.

    The digests belong to a run as its settings do: a changed template changes every prompt, other weights every answer.
    """
    templates = named_templates(settings.prompts)
    texts = {name: templates.identity(name) for name in templates.texts}
    return templates, {**config, "templates": texts, "weights": weights_of(settings)}


def spent(run: Run) -> Usage:
    """The usage of all calls that a run holds."""
    return total_usage(run.records())
