"""Published tables of model solutions with their grades: one reader for each format, recognized by its columns.

A row becomes a `FoundProof`: statement, proof, model, and the grades that the format holds, each with its author.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.columns import Cells, Row
from core.errors import LemmataError
from core.found_proofs import (
    AUTOMATIC,
    FoundGrade,
    FoundProof,
    cell_or_empty,
    found_grades,
    listed,
    optional_cell,
    text_cell,
)
from core.grades import HUMAN, Points
from core.rollout_formats import CHAT_COLUMNS, chat_messages, lm_eval_answer, nemo_gym, nemo_skills


@dataclass(frozen=True, slots=True)
class Format:
    """A published format: rows that have all ``columns``, and none of ``without``, are of it."""

    name: str
    columns: tuple[str, ...]
    read: Callable[[Row], FoundProof]
    without: tuple[str, ...] = ()

    def matches(self, cells: Cells) -> bool:
        """True for a row of this format."""
        return all(name in cells for name in self.columns) and not any(name in cells for name in self.without)


def format_of(cells: Cells) -> Format | None:
    """The format of a row; None for a table of no known format."""
    return next((each for each in FORMATS if each.matches(cells)), None)


def _matharena_proofs(row: Row) -> FoundProof:
    grades: list[FoundGrade] = []
    guidelines = ""
    numbers = [name.removeprefix("points_judge_") for name in row.cells if name.startswith("points_judge_")]
    for number in numbers:
        most = row.cells.get(f"max_points_judge_{number}")
        maximum = float(most) if isinstance(most, int | float) and most > 0 else 7.0
        details = _criteria(row.cells.get(f"grading_details_judge_{number}"))
        points = row.cells[f"points_judge_{number}"]
        remarks = _listing(details, "points", "desc")
        grades += found_grades(row, HUMAN, f"MathArena judge {number}", points, maximum, remarks)
        guidelines = guidelines or _listing(details, "max_points", "grading_scheme_desc")
    return replace(_matharena(row, None, grades), guidelines=guidelines or None)


def _criteria(details: Any) -> list[Mapping[str, Any]]:
    """The criteria of a MathArena judge, as a list of objects or the same in JSON; empty where there are none."""
    if isinstance(details, str):
        try:
            details = json.loads(details)
        except ValueError:
            return []
    return [each for each in listed(details) if isinstance(each, Mapping)]


def _listing(criteria: Sequence[Mapping[str, Any]], points: str, text: str) -> str:
    """One paragraph for each criterion that has a ``text``: its title, its points, the text."""
    said = [each for each in criteria if isinstance(each.get(text), str) and each[text].strip()]
    return "\n\n".join(f"{each.get('title') or 'Criterion'} ({each.get(points)} points): {each[text]}" for each in said)


def _matharena_answers(row: Row) -> FoundProof:
    grades = found_grades(row, AUTOMATIC, "MathArena answer check", row.cells.get("correct"), 1)
    return _matharena(row, optional_cell(row, "gold_answer"), list(grades))


def _matharena(row: Row, answer: str | None, grades: Sequence[FoundGrade]) -> FoundProof:
    index = row.cells.get("idx_answer")
    return FoundProof(
        statement=text_cell(row, "problem"),
        proof=text_cell(row, "answer"),
        model=cell_or_empty(row, "model_name"),
        name=cell_or_empty(row, "problem_idx"),
        answer=answer,
        attempt=index if isinstance(index, int) else None,
        grades=tuple(grades),
    )


def _open_proof_corpus(row: Row) -> FoundProof:
    scores, judges, feedback = (listed(row.cells.get(name)) for name in ("score", "judge_id", "feedback"))
    grades: list[FoundGrade] = []
    for number, score in enumerate(scores):
        judge = judges[number] if number < len(judges) and judges[number] else number + 1
        reason = feedback[number] if number < len(feedback) and isinstance(feedback[number], str) else ""
        grades += found_grades(row, HUMAN, f"Open Proof Corpus judge {judge}", score, 1, reason)
    return FoundProof(
        statement=text_cell(row, "problem"),
        proof=text_cell(row, "solution"),
        model=cell_or_empty(row, "model_id"),
        name=cell_or_empty(row, "problem_id"),
        reference=optional_cell(row, "ground_truth_solution"),
        attempt=number if isinstance(number := row.cells.get("attempt"), int) else None,
        grades=tuple(grades),
    )


def _grading_bench(row: Row) -> FoundProof:
    reason = cell_or_empty(row, "Reward", "reward")
    points = row.cells.get("Points", row.cells.get("points"))
    return FoundProof(
        statement=cell_or_empty(row, "Problem", "problem_statement"),
        proof=cell_or_empty(row, "Response", "proof"),
        name=cell_or_empty(row, "Problem ID", "problem_id"),
        reference=optional_cell(row, "Solution", "reference_solution"),
        guidelines=optional_cell(row, "Grading guidelines", "rubric"),
        grades=tuple(found_grades(row, HUMAN, "IMO-GradingBench", points, 7, reason)),
    )


def _proof_bench(row: Row) -> FoundProof:
    number = row.cells.get("response_number")
    return FoundProof(
        statement=text_cell(row, "problem"),
        proof=text_cell(row, "model_solution"),
        model=cell_or_empty(row, "generator"),
        name=cell_or_empty(row, "problem_id"),
        reference=optional_cell(row, "reference_solution"),
        guidelines=optional_cell(row, "marking_scheme"),
        attempt=number if isinstance(number, int) else None,
        grades=tuple(found_grades(row, HUMAN, "ProofBench expert", row.cells.get("expert_rating"), 7)),
    )


def _hard2verify(row: Row) -> FoundProof:
    steps, labels = row.cells["model_response_by_step"], row.cells["human_labels"]
    if isinstance(steps, str) or isinstance(labels, str):
        raise LemmataError(
            f"{row.where}: this Hard2Verify row is encrypted: decrypt it with the data set's own utilities, and import "
            "the result"
        )
    wrong = [number for number, label in enumerate(listed(labels)) if label in (0, False)]
    return _stepwise(
        row,
        text_cell(row, "question"),
        listed(steps),
        wrong[0] if wrong else None,
        "Hard2Verify",
        cell_or_empty(row, "model", "model_name", "generator"),
        cell_or_empty(row, "unique_id"),
    )


def _process_bench(row: Row) -> FoundProof:
    label = row.cells["label"]
    if isinstance(label, bool) or not isinstance(label, int):
        raise LemmataError(f"{row.where}: label={label!r:.40} is no index of a step (-1: no wrong step)")
    wrong = None if label < 0 else label
    name = cell_or_empty(row, "id")
    return _stepwise(
        row,
        text_cell(row, "problem"),
        listed(row.cells["steps"]),
        wrong,
        "ProcessBench",
        cell_or_empty(row, "generator"),
        name,
    )


def _stepwise(
    row: Row, statement: str, steps: Sequence[Any], wrong: int | None, author: str, model: str, name: str
) -> FoundProof:
    """A solution in steps; the first wrong one is annotated as `core.champ` reads it."""
    texts = [str(step).strip() for step in steps]
    if wrong is not None and wrong >= len(texts):
        raise LemmataError(f"{row.where}: step {wrong} is said to be wrong, and there are {len(texts)} (from 0 on)")
    reason = "no wrong step"
    if wrong is not None:
        start = sum(len(text) + 2 for text in texts[:wrong])
        reason = f"first wrong step: characters {start} to {start + len(texts[wrong])}"
    points = Points(0.0 if wrong is not None else 1.0, 1.0)
    return FoundProof(
        statement=statement,
        proof="\n\n".join(texts),
        model=model,
        name=name,
        grades=(FoundGrade(HUMAN, author, points, reason),),
    )


FORMATS = (
    Format("MathArena, proofs", ("problem", "model_name", "answer", "points_judge_1"), _matharena_proofs),
    Format("MathArena, answers", ("problem", "model_name", "answer", "gold_answer", "correct"), _matharena_answers),
    Format("Open Proof Corpus", ("problem", "solution", "model_id", "score"), _open_proof_corpus),
    Format("IMO-GradingBench", ("Problem", "Response", "Points"), _grading_bench),
    Format("IMO-GradingBench", ("grading_id", "problem_statement", "proof", "points"), _grading_bench),
    Format("ProofBench", ("problem", "model_solution", "expert_rating"), _proof_bench),
    Format("Hard2Verify", ("question", "model_response_by_step", "human_labels"), _hard2verify),
    Format("ProcessBench", ("problem", "steps", "label"), _process_bench),
    Format("NeMo Gym", ("responses_create_params", "response"), nemo_gym),
    Format("lm-evaluation-harness", ("lm_eval_answer", "metrics"), lm_eval_answer),
    Format("NeMo-Skills", ("generation",), nemo_skills, ("proof",)),
    *(Format("chat messages", (name,), chat_messages, ("proof",)) for name in CHAT_COLUMNS),
)
