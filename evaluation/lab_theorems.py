"""Lab theorems as problems of an evaluation, and the grader that labels their proofs by the exact checker."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Literal

from core.config import STRICT, Count, Name, Positive, settings
from core.errors import LemmataError
from core.problems import LEFT_SIDE, single_problem
from core.records import Label, Problem, Proof
from core.store import now
from evaluation.answers import label_id
from lab.checker import DATE, check_statement
from lab.domain import ModelDomain, outside, read_domain
from lab.generator import LEVELS, families
from lab.items import Stream
from lab.statements import Unsupported
from policy.local_config import model_folder

EXACT = "exact"
RARE = 100  # distinct theorems that are drawn at most for one of a domain


@settings(frozen=True, config=STRICT)
class LabTheoremsConfig:
    """Draw of ``count`` distinct theorems, families and levels in turn (None: all).

    ``domain_of``: folder of a model (or ``pkg://PACKAGE/FOLDER``) outside whose domain none is drawn.
    """

    count: Positive
    families: tuple[str, ...] | None = None
    levels: tuple[int, ...] | None = None
    split: Literal["train", "validation", "test"] = "test"
    seed: Count = 0
    domain_of: Name | None = None


def lab_problems(config: LabTheoremsConfig) -> Iterator[Problem]:
    """Yields the theorems; their ``source`` is the level, so that a report has scores per level.

    Raises:
        LemmataError: a family or a level does not exist, or the model of ``domain_of`` states no domain.
    """
    try:
        stream = Stream("prove", config.families or families(), config.levels or LEVELS, config.split, config.seed)
    except ValueError as error:
        raise LemmataError(f"lab: {error}") from error
    domain = None if config.domain_of is None else _domain(config.domain_of)
    drawn = stream.distinct(config.count if domain is None else config.count * RARE)
    items = (item for item in drawn if domain is None or not outside(domain, item.theorem.statement))
    for item in islice(items, config.count):
        problem = single_problem(item.theorem.statement)
        name = f"{item.family}-{item.level}-{item.seed}-{item.split}"
        extra = {LEFT_SIDE: item.theorem.left_side}
        yield replace(problem, name=name, source=f"lab level {item.level}", extra=extra)


def _domain(model: str) -> ModelDomain:
    folder = model_folder(model)
    if (domain := read_domain(folder)) is None:
        raise LemmataError(f"lab.domain_of={model}: {folder} has no domain.json; leave lab.domain_of out")
    return domain


def exact_label(problem: Problem, proof: Proof) -> Label:
    """Labels a proof with the checker's score; unscored where the checker cannot decide the statement."""
    verdict = check_statement(problem.statement, proof.body or "")
    if isinstance(verdict, Unsupported):
        score, reason = None, f"the lab cannot decide this statement: {verdict.reason}"
    else:
        score = verdict.score
        reason = "; ".join(defect.kind for defect in verdict.defects)
    return Label(
        id=label_id(EXACT, proof),
        problem_id=problem.id,
        proof_id=proof.id,
        grader=EXACT,
        author=f"the lab's checker of {DATE}",
        score=score,
        reason=reason,
        created=now(),
    )
