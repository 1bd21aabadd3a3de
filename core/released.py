"""The proofs that DeepSeek released with DeepSeekMath-V2, with their automatic and human scores.

Human points are labels, to measure a verifier by; they stand apart from the problem, so that no prompt can show them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.columns import ProofColumns, Row, find, listing, required_text, value_at
from core.errors import LemmataError
from core.problems import problem_of
from core.records import Problem
from core.tables import jsonl_rows

COLUMNS = ProofColumns(statement="question", name="problem_idx", proof="model_prediction.proof")
AUTOMATIC = "model_prediction.average_automatic_rating"
HUMAN = "model_prediction.human_rating"

# PB-Basic-001 and IMO-ProofBench are marked like the IMO itself.
COMPETITION = re.compile(r"(IMO|PB|CMO|Putnam)(?![a-z])")
FULL_MARKS: Mapping[str, int] = {"IMO": 7, "PB": 7, "Putnam": 10, "CMO": 21}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedProof:
    """One released proof: ``automatic_mean`` of 64 verdicts (0..1), ``human_points`` out of ``max_points``."""

    problem: Problem
    proof: str
    automatic_mean: float
    human_points: float
    max_points: int


def read_released(path: str | Path) -> Iterator[ReleasedProof]:
    """The proofs of one of the ``outputs/*.jsonl`` files, or of a folder of them in the order of their names.

    Raises LemmataError (file:line) for an unknown competition, a missing field, or a score outside its range.
    """
    return (_released(row) for file in _files(Path(path)) for row in jsonl_rows(file))


def _files(path: Path) -> list[Path]:
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise LemmataError(f"no .jsonl file at {path}: give an outputs file of DeepSeekMath-V2, or the folder of them")
    return files


def _released(row: Row) -> ReleasedProof:
    problem = problem_of(row, COLUMNS)
    max_points = _max_points(row, problem.name)
    return ReleasedProof(
        problem=problem,
        proof=required_text(row, COLUMNS, "proof"),
        automatic_mean=_number(row, AUTOMATIC, 1),
        human_points=_number(row, HUMAN, max_points),
        max_points=max_points,
    )


def _max_points(row: Row, name: str) -> int:
    competition = COMPETITION.match(name) or COMPETITION.match(row.source)
    if competition is None:
        raise LemmataError(
            f"{row.where}: unknown competition of problem {name!r}; problem_idx or the file's name must begin "
            f"with one of {', '.join(FULL_MARKS)}"
        )
    return FULL_MARKS[competition.group(1)]


def _number(row: Row, name: str, most: int) -> float:
    path = find(row.cells, name)
    if path is None:
        raise LemmataError(f"{row.where}: no field {name!r}; fields here: {listing(row.cells)}")
    value: Any = value_at(row.cells, path)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise LemmataError(f"{row.where}: {name} is {value!r:.60}, it must be a number from 0 to {most}")
    return value
