"""Python interface: refine problems, verify proofs, and check proofs exactly, by the commands' own code path."""

import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.document import counted
from core.errors import LemmataError
from core.imported import imported_proof
from core.log import ProblemLog, read_log
from core.problems import single_problem
from core.records import Problem
from lemmata.commands.refine import refine_problem
from lemmata.compose import compose
from lemmata.policy_choice import PolicyLike, choose_policy
from lemmata.results import Result, Results, Verification, read_result
from lemmata.running import run_sync
from lemmata.session import Session, open_session
from lemmata.settings import RefineSettings, SessionConfig, VerifySettings, read_settings
from refine.schedule import T as Item
from refine.schedule import Work

if TYPE_CHECKING:
    from lab.defects import CheckResult

S = TypeVar("S", bound=SessionConfig)
Config = Mapping[str, Any]


def refine(
    problem: str | Problem,
    *,
    policy: PolicyLike = "shipped",
    model: str | None = None,
    config: Config | None = None,
    run: str | Path | None = None,
) -> Result:
    """Prove, verify, meta-verify and refine one problem, and select a proof: ``lemmata refine`` from Python.

    Args:
        problem: the statement, such as "Prove that the sum of two odd integers is even.", or a Problem.
        policy: what plays the three roles: a preset ("shipped": the model of the project), a folder with a DSA model,
            the base URL of an OpenAI-compatible server, settings of a policy, a ``lemmata.Engine``, or any object with
            the methods of `policy.interface.Policy`.
        model: name of the model at the server.
        config: settings that differ from ``lemmata refine``'s defaults, by their keys on the command line:
            ``{"refine.rounds": 2, "verifier.temperature": 0.6}``; ``{"refine": "paper"}`` chooses a preset.
        run: run folder; the same call with it resumes. None: a temporary folder.

    Returns:
        The result; it is accepted or not, and says why.

    Raises:
        LemmataError: a setting is wrong, the server cannot be reached, or a budget ended the run before a selection.
    """
    return run_sync(arefine(problem, policy=policy, model=model, config=config, run=run))


async def arefine(
    problem: str | Problem,
    *,
    policy: PolicyLike = "shipped",
    model: str | None = None,
    config: Config | None = None,
    run: str | Path | None = None,
) -> Result:
    """The asynchronous form of `refine`. An in-process model is loaded before the first await."""
    [result] = await arefine_many([problem], policy=policy, model=model, config=config, run=run)
    return result


def refine_many(
    problems: Sequence[str | Problem],
    *,
    policy: PolicyLike = "shipped",
    model: str | None = None,
    config: Config | None = None,
    run: str | Path | None = None,
) -> Results:
    """Refine several problems side by side in one run; arguments and errors as of `refine`. Results in their order.

    A problem whose prompts are set aside, or that stays unfinished while others finish, has none: ``set_aside`` of the
    results names it with the reason, and a warning says so. Where no problem has a result, that is an error.
    """
    return run_sync(arefine_many(problems, policy=policy, model=model, config=config, run=run))


async def arefine_many(
    problems: Sequence[str | Problem],
    *,
    policy: PolicyLike = "shipped",
    model: str | None = None,
    config: Config | None = None,
    run: str | Path | None = None,
) -> Results:
    """The asynchronous form of `refine_many`."""
    wanted = [single_problem(problem) if isinstance(problem, str) else problem for problem in problems]
    async with _session("refine", RefineSettings, policy, model, config or {}, run) as (session, settings, folder):

        async def work(problem: Problem) -> None:
            with closing(session.run.log(problem)) as log:
                await refine_problem(session, settings.refine, session.recorder(problem, log))

        set_aside = await session.process(wanted, work)
        paths = {path.stem: path for path in session.run.log_paths()}
        found = [read_result(tuple(read_log(paths[one.id])), folder) for one in wanted if one.id in paths]
        results = Results((result for result in found if result is not None), set_aside)
        _raise_if_stopped(session, set_aside if not results else ())
    if set_aside:
        warnings.warn(f"{counted(len(set_aside), 'problem')} without a result: {'; '.join(set_aside)}", stacklevel=2)
    return results


def verify(
    statement: str | Problem,
    proof: str,
    *,
    policy: PolicyLike = "shipped",
    model: str | None = None,
    config: Config | None = None,
    run: str | Path | None = None,
) -> Verification:
    """Score a given proof by n analyses with m reviews each: ``lemmata verify`` from Python.

    Args:
        statement: what the proof is meant to prove.
        proof: the text of the proof; all of it is shown to the verifier.
        policy, model, run: as in `refine`.
        config: settings that differ from ``lemmata verify``'s defaults: ``{"judge.analyses": 8}``.

    Raises:
        LemmataError: a setting is wrong, the proof is empty, the server cannot be reached, or a budget was used up.
    """
    return run_sync(averify(statement, proof, policy=policy, model=model, config=config, run=run))


async def averify(
    statement: str | Problem,
    proof: str,
    *,
    policy: PolicyLike = "shipped",
    model: str | None = None,
    config: Config | None = None,
    run: str | Path | None = None,
) -> Verification:
    """The asynchronous form of `verify`. An in-process model is loaded before the first await."""
    problem = single_problem(statement) if isinstance(statement, str) else statement
    record = imported_proof(problem, proof, model="given")
    changes = {**(config or {}), "source": "Python"}
    found: list[Verification] = []
    async with _session("verify", VerifySettings, policy, model, changes, run) as (session, settings, folder):
        assessor = session.assessor(settings.judge)

        async def work(problem: Problem) -> None:
            with closing(session.run.log(problem)) as log:
                _append_once(log, record)
                assessed = await assessor.assess(session.recorder(problem, log), record)
                records = tuple(read_log(log.path))
                found.append(Verification(problem, record, assessed.decision, assessed.tally, records, folder))

        await _process(session, [problem], work)
    return found[0]


def check(statement: str, proof: str) -> "CheckResult":
    """The exact verdict of the lab on a proof: its score (0, 0.5 or 1) and every defect. No model is asked.

    Raises:
        LemmataError: the lab cannot decide this statement (docs/guides/lab.md says which it can).
    """
    from lab.checker import check_statement  # noqa: PLC0415  the lab's tables take a moment to load
    from lab.statements import Unsupported  # noqa: PLC0415

    verdict = check_statement(statement, proof)
    if isinstance(verdict, Unsupported):
        raise LemmataError(f"the lab cannot decide this statement ({verdict.reason}); docs/guides/lab.md says why")
    return verdict


@asynccontextmanager
async def _session(
    command: str, cls: type[S], policy: PolicyLike, model: str | None, changes: Config, run: str | Path | None
) -> AsyncIterator[tuple[Session, S, Path | None]]:
    """A session with its typed settings, and the run folder where it is not a temporary one."""
    choice = choose_policy(policy, model)
    with _folder(run) as folder:
        config = compose(command, {**choice.changes, **changes, "run": str(folder)})
        settings = read_settings(cls, config)
        objects = {"policy": choice.policy} if choice.policy else {}
        with open_session(command, settings, config, objects) as session:
            yield session, settings, None if run is None else folder


@contextmanager
def _folder(run: str | Path | None) -> Iterator[Path]:
    if run is not None:
        yield Path(run)
    else:
        with tempfile.TemporaryDirectory(prefix="lemmata-") as folder:
            yield Path(folder) / "run"


async def _process(session: Session, problems: Sequence[Item] | Iterator[Item], work: Work[Item]) -> None:
    _raise_if_stopped(session, await session.process(problems, work))


def _raise_if_stopped(session: Session, unfinished: Sequence[str]) -> None:
    """Raises LemmataError where the run stopped early, or problems are unfinished."""
    if session.guard.reason is not None:
        raise LemmataError(f"stopped: {session.guard.reason}")
    if unfinished:
        raise LemmataError("; ".join(unfinished))


def _append_once(log: ProblemLog, record: Any) -> None:
    if record.id not in log:
        log.append([record])
