"""Choice of the grader that ranks the entrants of a report."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from core.store import Run
from evaluation.folders import parts_of
from evaluation.gather import gather
from evaluation.leaderboard import main_grader
from tests.explorer.evaluation_runs import POINTS, PROBLEMS, evaluation_run
from tests.records import label


def grade_by_people(folder: Path, attempts: int, places: int) -> None:
    """People give 7 points to the proofs of the first attempts at the first problems, of both models."""
    for model in POINTS:
        for attempt in range(attempts):
            with Run.start(folder / model / f"attempt-{attempt:03d}", "attempt", {}, frozenset(["*"])) as run:
                for place, problem in enumerate(PROBLEMS[:places]):
                    name = f"{model}{attempt}{place}"
                    given = label(f"{name}-human-{attempts}{places}", "human", 1.0)
                    with closing(run.log(problem)) as log:
                        log.append([replace(given, problem_id=problem.id, proof_id=name)])


def test_a_few_grades_by_people_rank_nobody(tmp_path: Path) -> None:
    evaluation_run(tmp_path / "contest")

    def ranking() -> str | None:
        return main_grader(gather(parts_of(tmp_path / "contest"), tmp_path / "proofs.parquet"))

    assert ranking() == "judge"
    grade_by_people(tmp_path / "contest", attempts=1, places=2)  # 2 of 6 final proofs of each
    assert ranking() == "judge"
    grade_by_people(tmp_path / "contest", attempts=1, places=3)  # half of them
    assert ranking() == "human"
