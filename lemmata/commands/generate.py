"""``lemmata prove`` and ``lemmata refine``."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from core.columns import Columns
from core.config import STRICT, Count, Name, Positive, read_config, read_part, settings
from core.errors import LemmataError
from core.problems import load_problems, single_problem
from core.records import Problem, Proof, Selection
from lab.generator import generate
from lemmata.domain import SHIPPED, prover_model, with_warning
from lemmata.report import report
from lemmata.session import Session, open_session
from lemmata.trace import trace
from refine.config import RefineConfig
from refine.loop import ProofLoop, selection_id


@settings(frozen=True, config=STRICT)
class LabProblem:
    """Coordinates of a theorem of the lab."""

    family: Name
    level: Positive
    seed: Count
    split: Name


@settings(frozen=True, config=STRICT)
class ProblemsConfig:
    """Which problems; ``lab_problem`` is what the shipped model takes where none are named."""

    problems: Name | None
    problem: Name | None
    split: Name | None
    revision: Name | None
    limit: Positive | None
    lab_problem: LabProblem


@settings(frozen=True, config=STRICT)
class ProveConfig:
    """``proofs`` of each problem."""

    proofs: Positive


def refine_command(config: dict[str, Any]) -> int:
    """Run the whole loop on every problem."""
    settings = read_config(RefineConfig, config["refine"], "refine")
    problems = with_warning(problems_of(config), config, "refine")
    with open_session("refine", config) as session:
        loop = ProofLoop(session.prover, session.judge(settings.judge), settings, config["seed"])

        async def work(problem: Problem) -> None:
            with closing(session.run.log(problem)) as log:
                done = selection_id(problem.id)
                known = log.get(done) if done in log else None
                selection = known or await loop.run(session.recorder(problem, log))
                assert isinstance(selection, Selection)
                session.meters.accepted += selection.accepted

        code = session.work(problems, work)
        report(session.run)
        trace(session.run)
        return code


def prove_command(config: dict[str, Any]) -> int:
    """Write proofs of every problem."""
    count = read_part(ProveConfig, config).proofs
    problems = with_warning(problems_of(config), config, "prove")
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
    if wanted.problem is None and prover_model(config) == SHIPPED:
        return iter([_problem_of_the_lab(wanted.lab_problem)])
    raise LemmataError("say which problems: either problems=FILE (or a data set id), or problem='STATEMENT'.")


def _problem_of_the_lab(wanted: LabProblem) -> Problem:
    """The theorem at these coordinates, as a problem. Raises LemmataError where there is none."""
    try:
        theorem = generate(wanted.family, wanted.level, wanted.seed, wanted.split)
    except ValueError as error:
        raise LemmataError(f"lab_problem: {error}") from error
    name = f"{wanted.family}-{wanted.level}-{wanted.seed}-{wanted.split}"
    return replace(single_problem(theorem.statement), name=name, source="lab")
