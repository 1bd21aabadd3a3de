"""``lemmata prove`` and ``lemmata refine``."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from lemmata.report import report
from lemmata.session import Session, open_session
from proofs.columns import Columns
from proofs.config import STRICT, Name, Positive, read_config, read_part, settings
from proofs.errors import LemmataError
from proofs.problems import load_problems, single_problem
from proofs.records import Problem, Proof, Selection
from refine.config import RefineConfig
from refine.loop import Loop, selection_id


@settings(frozen=True, config=STRICT)
class ProblemsConfig:
    """Which problems."""

    problems: Name | None
    problem: Name | None
    split: Name | None
    revision: Name | None
    limit: Positive | None


@settings(frozen=True, config=STRICT)
class ProveConfig:
    """``proofs`` of each problem."""

    proofs: Positive


def refine_command(config: dict[str, Any]) -> int:
    """Run the whole loop on every problem."""
    settings = read_config(RefineConfig, config["refine"], "refine")
    problems = problems_of(config)
    with open_session("refine", config) as session:
        loop = Loop(session.prover, session.judge(settings.judge), settings, config["seed"])

        async def work(problem: Problem) -> None:
            with closing(session.run.log(problem)) as log:
                done = selection_id(problem.id)
                known = log.get(done) if done in log else None
                selection = known or await loop.run(session.recorder(problem, log))
                assert isinstance(selection, Selection)
                session.meters.accepted += selection.accepted

        code = session.work(problems, work)
        report(session.run)
        return code


def prove_command(config: dict[str, Any]) -> int:
    """Write proofs of every problem."""
    count = read_part(ProveConfig, config).proofs
    problems = problems_of(config)
    with open_session("prove", config) as session:
        code = session.work(problems, lambda problem: _prove(session, problem, count))
        report(session.run)
        return code


async def _prove(session: Session, problem: Problem, count: int) -> None:
    async def keep(proof: Proof) -> Proof:
        return proof

    with closing(session.run.log(problem)) as log:
        await session.prover.prove(session.recorder(problem, log), keep, indices=range(count))


def problems_of(config: dict[str, Any]) -> Iterator[Problem]:
    """The problems that a command's settings name.

    Raises:
        LemmataError: none or two sources are named, or the source cannot be read.
    """
    wanted = read_part(ProblemsConfig, config)
    if wanted.problems is not None and wanted.problem is None:
        columns = read_config(Columns, config["columns"], "columns")
        return load_problems(
            wanted.problems, columns=columns, split=wanted.split, limit=wanted.limit, revision=wanted.revision
        )
    if wanted.problem is not None and wanted.problems is None:
        return iter([single_problem(wanted.problem)])
    raise LemmataError("say which problems: either problems=FILE (or a data set id), or problem='STATEMENT'.")
