"""Rows that hold several answers: problems of the Open Proof Corpus, samples of lm-evaluation-harness.

Each becomes flat rows, one for each answer, which `core.proof_formats` reads.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from core.columns import Cells, Row
from core.errors import LemmataError

LM_EVAL = ("doc", "target", "arguments", "resps")
_STATEMENTS = ("problem", "question", "Problem", "Question", "problem_statement", "input", "text")


def is_nested(value: Mapping[str, Any]) -> bool:
    """True for an object that is a row by itself, whatever lists it holds."""
    return _is_corpus_problem(value)


def flat_rows(row: Row) -> Iterator[Row]:
    """The answers of ``row`` as rows of their own; any other row as it is."""
    if _is_corpus_problem(row.cells):
        return _corpus_attempts(row)
    if all(name in row.cells for name in LM_EVAL):
        return _lm_eval_answers(row)
    return iter((row,))


def _is_corpus_problem(cells: Cells) -> bool:
    attempts = cells.get("attempts")
    return isinstance(cells.get("problem"), str) and isinstance(attempts, list) and all(map(_is_attempt, attempts))


def _is_attempt(value: Any) -> bool:
    return isinstance(value, Mapping) and "solution" in value and "model_id" in value


def _corpus_attempts(row: Row) -> Iterator[Row]:
    """A problem of the Open Proof Corpus as its tools keep it; an attempt that nobody graded has a null grading."""
    references = [each.get("solution") for each in row.cells.get("solutions") or () if isinstance(each, Mapping)]
    for number, attempt in enumerate(row.cells["attempts"]):
        grading = attempt.get("grading")
        grading = grading if isinstance(grading, Mapping) else {}
        details = [each for each in grading.get("details") or () if isinstance(each, Mapping)]
        cells = {
            "problem": row.cells["problem"],
            "problem_id": row.cells.get("problem_id"),
            "solution": attempt["solution"],
            "model_id": attempt["model_id"],
            "attempt": number,
            "score": grading.get("score"),
            "judge_id": grading.get("judge_id"),
            "feedback": next((each["feedback"] for each in details if isinstance(each.get("feedback"), str)), None),
            "ground_truth_solution": next((text for text in references if isinstance(text, str)), None),
        }
        yield Row(f"{row.where}, attempt {number + 1}", row.source, cells)


def _lm_eval_answers(row: Row) -> Iterator[Row]:
    """A sample of lm-evaluation-harness (``--log_samples``): each of its generated answers, with its metrics."""
    cells = row.cells
    found = [text for texts in cells["resps"] for text in (texts if isinstance(texts, list) else [texts])]
    if not found or not all(isinstance(text, str) for text in found):
        raise LemmataError(
            f"{row.where}: this sample of lm-evaluation-harness holds no generated text (its task compares "
            "log-likelihoods): import samples of a task of type generate_until"
        )
    doc = cells["doc"] if isinstance(cells["doc"], Mapping) else {}
    statement = next((doc[name] for name in _STATEMENTS if isinstance(doc.get(name), str)), None)
    named = {"filter": cells.get("filter"), "metrics": _metrics(cells) if len(found) == 1 else {}}
    for number, text in enumerate(found):
        yield Row(
            row.where,
            row.source,
            named
            | {
                "lm_eval_answer": text,
                "statement": statement or _prompt(cells["arguments"]),
                "attempt": number,
                "name": str(doc.get("id") or doc.get("problem_id") or cells.get("doc_id", "")),
                "target": cells["target"],
            },
        )


def _metrics(cells: Cells) -> dict[str, float]:
    """The metrics of a sample that are shares; of several answers no one knows whose they are."""
    names = cells.get("metrics")
    stated = names if isinstance(names, list) else [name for name in cells if name.endswith(",none")]
    values = {str(name): cells.get(str(name)) for name in stated}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float) and 0 <= value <= 1}


def _prompt(arguments: Any) -> str:
    """The prompt of a sample, which is text, or messages in JSON."""
    while isinstance(arguments, Mapping | list) and arguments:
        arguments = next(iter(arguments.values())) if isinstance(arguments, Mapping) else arguments[0]
    text = arguments if isinstance(arguments, str) else ""
    try:
        messages = json.loads(text) if text.startswith("[") else None
    except ValueError:
        return text
    users = [each for each in messages or () if isinstance(each, Mapping) and each.get("role") == "user"]
    return str(users[-1].get("content") or "") if users else text
