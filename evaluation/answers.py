"""Final-answer grader: labels by math-verify, and fixes for three corrupt rows of IMO-AnswerBench."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from core.answer_check import AnswerChecker
from core.errors import LemmataError
from core.ids import digest
from core.problems import problem_id
from core.records import Label, Problem, Proof
from core.store import now

ANSWER = "answer"
UNDECIDED = "not decided: "  # opens the reason of a label
PATCHED = "patched"  # key of Problem.extra: the fix and its reason
_EPOCH = date(1899, 12, 30)  # day 0 of spreadsheets
_SERIAL = re.compile(r"4[0-9]{4}")
_SWALLOWED = re.compile(r'\n,(?P<answer>\$[^$]+\$)"\s*$')
_DESCRIBED = re.compile(r"\s*\$\\left\\\{ \(a,b\):(?P<condition>[^{}]*\{3\})\\right\\\}\$\s*")
CATEGORIES = ("Algebra", "Combinatorics", "Geometry", "Number theory")


@dataclass(frozen=True, slots=True)
class Patch:
    """Fix of one problem's row. ``fix`` returns None where the row is not corrupt in the known way."""

    reason: str
    fix: Callable[[Problem], Problem | None]


def _undo_date(problem: Problem) -> Problem | None:
    if not _SERIAL.fullmatch(problem.answer or ""):
        return None
    day = _EPOCH + timedelta(days=int(problem.answer or ""))
    return replace(problem, answer=f"{day.month}, {day.day}")


def _unshift(problem: Problem) -> Problem | None:
    found = _SWALLOWED.search(problem.statement)
    if found is None or problem.answer not in CATEGORIES:
        return None
    statement = problem.statement[: found.start()]
    return replace(problem, id=problem_id(statement), statement=statement, answer=found["answer"])


def _condition_alone(problem: Problem) -> Problem | None:
    found = _DESCRIBED.fullmatch(problem.answer or "")
    return found and replace(problem, statement=problem.statement.strip(), answer=f"${found['condition']}$")


PATCHES = {
    "imo-bench-geometry-004": Patch("a spreadsheet turned the answer into a date: month, day", _undo_date),
    "imo-bench-algebra-036": Patch("the columns are shifted: the answer is at the end of the statement", _unshift),
    "imo-bench-number_theory-048": Patch(
        "stray blanks, and a set description that math-verify reads as plain text: its condition alone",
        _condition_alone,
    ),
}


def patched(problems: Iterable[Problem]) -> Iterator[Problem]:
    """Yields the problems with known corrupt rows fixed, which `PATCHED` records; other rows are unchanged."""
    for problem in problems:
        patch = PATCHES.get(problem.name)
        fixed = patch.fix(problem) if patch else None
        if patch is None or fixed is None:
            yield problem
        else:
            change = f" (was {problem.answer!r}, is {fixed.answer!r})"
            yield replace(fixed, extra={**fixed.extra, PATCHED: patch.reason + change})


def answer_label(checker: AnswerChecker, problem: Problem, proof: Proof) -> Label:
    """Scores the last answer in a proof against the reference; unscored where the reference cannot be parsed.

    Blocks for a few seconds at most: call it with ``asyncio.to_thread``.
    """
    score, reason = None, "the problem has no reference answer"
    if problem.answer is not None:
        try:
            found = checker.check(proof.body or "", problem.answer)
            score, reason = found.score, found.reason if found.decided else f"{UNDECIDED}{found.reason}"
        except LemmataError as error:
            reason = f"{UNDECIDED}{error}"
    return Label(
        id=label_id(ANSWER, proof),
        problem_id=problem.id,
        proof_id=proof.id,
        grader=ANSWER,
        author="math-verify",
        score=score,
        reason=reason,
        created=now(),
    )


def is_undecided(label: Label) -> bool:
    """True for a label of math-verify that could not read the answer or the reference."""
    return label.grader == ANSWER and label.reason.startswith(UNDECIDED)


def label_id(grader: str, proof: Proof) -> str:
    """Id of an automatic label; it depends on grader and proof alone, so that a proof is labeled once."""
    return digest("label", grader, proof.id)
