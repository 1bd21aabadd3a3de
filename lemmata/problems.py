"""Problems of a command: a table, one statement, or a theorem of the lab for the shipped model."""

from collections.abc import Iterator
from dataclasses import replace

from core.errors import LemmataError
from core.problems import load_problems, single_problem
from core.records import Problem
from lab.generator import generate
from lemmata.settings import LabProblem, ProblemsConfig
from policy.local_config import SHIPPED


def problems_of(config: ProblemsConfig, model: str | None) -> Iterator[Problem]:
    """The problems that the settings name; ``model`` is the folder of an in-process prover.

    Raises:
        LemmataError: no source or two sources are named, or the source cannot be read.
    """
    if config.problems is not None and config.problem is None:
        return load_problems(
            config.problems, columns=config.columns, split=config.split, limit=config.limit, revision=config.revision
        )
    if config.problem is not None and config.problems is None:
        return iter([single_problem(config.problem)])
    if config.problem is None and model == SHIPPED:
        return iter([lab_problem(config.lab_problem)])
    raise LemmataError("say which problems: either problems=FILE (or a data set id), or problem='STATEMENT'.")


def lab_problem(place: LabProblem) -> Problem:
    """The theorem of the lab at ``place``. Raises LemmataError where there is none."""
    try:
        theorem = generate(place.family, place.level, place.seed, place.split)
    except ValueError as error:
        raise LemmataError(f"lab_problem: {error}") from error
    name = f"{place.family}-{place.level}-{place.seed}-{place.split}"
    return replace(single_problem(theorem.statement), name=name, source="lab")
