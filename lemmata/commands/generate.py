"""``lemmata prove`` and ``lemmata refine``."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from lemmata.report import report
from lemmata.session import Session, open_session
from proofs.columns import Columns
from proofs.config import read_config
from proofs.errors import LemmataError
from proofs.problems import load_problems, single_problem
from proofs.records import Problem, Proof, Selection
from refine.config import RefineConfig
from refine.loop import Loop, selection_id


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
    if config["proofs"] < 1:
        raise LemmataError(f"proofs={config['proofs']}: at least 1.")
    problems = problems_of(config)
    with open_session("prove", config) as session:
        code = session.work(problems, lambda problem: _prove(session, problem, config["proofs"]))
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
    source, statement = config["problems"], config["problem"]
    if (source is None) == (statement is None):
        raise LemmataError("say which problems: either problems=FILE (or a data set id), or problem='STATEMENT'.")
    if statement is not None:
        return iter([single_problem(str(statement))])
    columns = read_config(Columns, config["columns"], "columns")
    found = load_problems(str(source), columns=columns, split=config["split"], revision=config["revision"])
    return islice(found, config["limit"])
