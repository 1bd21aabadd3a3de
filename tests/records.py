"""Records of one small run, for tests that read runs."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from core.records import Analysis, Label, Problem, Proof, Record, Review, Selection, Usage
from core.store import Run
from tests.scripted import analysis_text, proof_text, review_text

PROBLEM = Problem(id="p", statement="Prove A.", name="one", source="here")
COMMON: dict[str, Any] = {
    "problem_id": "p", "round": 0, "index": 0, "policy": "policy", "model": "m", "template": "t@1", "prompt": "d",
    "seed": 7, "finish_reason": "stop", "usage": Usage(10, 0, 5), "request": "r", "seconds": 1.5, "created": "then",
}  # fmt: skip
PROOF = Proof(**COMMON, id="y", parents=(), text=proof_text("It is so.", "0.5"), self_score=0.5)


def analysis(name: str, score: float | None, of: str = "y") -> Analysis:
    text = analysis_text("" if score is None else score)
    return Analysis(**COMMON, id=name, parents=(of,), text=text, proof_id=of, score=score)


def review(name: str, score: float | None, of: str) -> Review:
    return Review(**COMMON, id=name, parents=(of,), text=review_text(1), analysis_id=of, score=score)


def label(
    name: str, grader: str, score: float | None, points: float | None = None, max_points: float | None = None
) -> Label:
    return Label(
        id=name,
        problem_id="p",
        proof_id="y",
        grader=grader,
        author="a",
        score=score,
        points=points,
        max_points=max_points,
        created="then",
    )


def selection(proof_id: str | None = "y", *, accepted: bool = True, reason: str = "best") -> Selection:
    return Selection(
        id="s",
        problem_id="p",
        proof_id=proof_id,
        rule="mean",
        accepted=accepted,
        mean_score=0.6,
        verdicts=4,
        self_score=0.5,
        rounds=2,
        reason=reason,
        created="then",
    )


def run_of(folder: Path, *groups: Sequence[Record]) -> Run:
    """A run with one log for each group, which begins with its problem."""
    with Run.start(folder / "run", "refine", {}) as run:
        for problem, *records in groups:
            assert isinstance(problem, Problem)
            with closing(run.log(problem)) as log:
                log.append(records)
    return run
