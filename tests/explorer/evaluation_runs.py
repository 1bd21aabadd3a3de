"""An evaluation of two models with two attempts each, for tests."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from core.records import Grading, Record
from core.store import Run
from tests.explorer.judged_runs import RULE, told
from tests.records import COMMON, PROBLEM, PROOF, selection

PROBLEMS = [
    replace(PROBLEM, id=f"p{n}", name=f"PB-Basic-{n}", statement=f"Prove A{n}.", extra={"category": kind})
    for n, kind in ((1, "Algebra"), (2, "Geometry"), (10, "Algebra"))
]
POINTS = {"small": (0, 1, 6), "large": (7, 6, 7)}  # of 7, by model and problem


def evaluation_run(folder: Path) -> None:
    """Writes the evaluation; the proof of the third problem of the first attempts is accepted."""
    config = {"judge": {"analyses": 4, "reviews": 1, "review": "issues", "acceptance": RULE}}
    with Run.start(folder, "evaluate", config):
        for model, points in POINTS.items():
            for attempt in range(2):
                with Run.start(folder / model / f"attempt-{attempt:03d}", "attempt", config) as run:
                    for place, given in enumerate(points):
                        with closing(run.log(PROBLEMS[place])) as log:
                            log.append(proof_records(model, attempt, place, given))


def proof_records(model: str, attempt: int, place: int, points: int) -> list[Record]:
    """A proof with its verdicts, its points and the selection."""
    problem, name = PROBLEMS[place].id, f"{model}{attempt}{place}"
    accepted = attempt == 0 and place == 2
    of = {"problem_id": problem}
    proof = replace(PROOF, id=name, model=model, **of)
    verdicts = [replace(told(f"{name}-{n}", 1.0 if accepted else 0.0, name), **of) for n in range(3)]
    grade = Grading(**{**COMMON, **of, "model": "judge"}, id=f"{name}-grade", parents=(name,), text="Points.",
                    proof_id=name, points=float(points), max_points=7.0)  # fmt: skip
    return [proof, *verdicts, grade, replace(selection(name, accepted=accepted), id=f"{name}-end", **of)]
