"""Tasks on a user's own tables: problem sets, proofs graded by people, rated analyses, and validation on them."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")  # the package of the tests below it needs torch

from core.errors import LemmataError
from core.ids import digest
from core.imported import imported_proof
from core.labels import append_labels
from core.problems import single_problem
from core.records import Label, Proof
from core.store import Run, now
from lab.prompts import templates
from rl.config import RoleName
from rl.task import Answer
from rl.tasks.build import DataConfig, make_task
from rl.tasks.mixed import MixedTask
from rl.tasks.problem_tables import source_path
from rl.tasks.roles import RoleTask
from rl.tasks.tables import Case
from tests.rl.settings import data_config
from tests.shared import shared

DATA = data_config(lab="none")
VERDICT = "Here is my evaluation of the solution:\nFine.\nBased on my evaluation, the final overall score should be:\n"


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as JSON Lines, or CSV by the suffix."""
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def cases(role: RoleName, data: DataConfig, split: str = "train") -> list[Case]:
    """Every case of a role's table once."""
    task = make_task(role, data, templates(), split, 0)
    assert isinstance(task, RoleTask)
    return list(getattr(task.cases, "rows"))  # noqa: B009  only tables have rows


def converted(path: Path, rows: Sequence[Mapping[str, Any]], **labels: Any) -> list[float | None]:
    """The labels in the order of the rows; training reads a table in another order."""
    data = replace(DATA, proofs=write(path, rows), labels=replace(DATA.labels, **labels))
    return [case.label for case in sorted(cases("verifier", data), key=lambda case: case.statement)]


def graded(*grades: Any, **columns: Any) -> list[dict[str, Any]]:
    return [{"problem": f"P{n}", "proof": f"Proof {n}.", "points": g, **columns} for n, g in enumerate(grades)]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_points_become_labels_of_the_rubric(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"graded.{suffix}"
    assert converted(path, graded(7, 6, 4, 3, 0)) == [1.0, 0.5, 0.5, 0.0, 0.0]
    assert converted(path, graded(7, 6, 4, 3, 0), half_from=0.8) == [1.0, 0.5, 0.0, 0.0, 0.0]
    assert converted(path, graded(7, 3.5), scale="exact") == [1.0, 0.5]
    assert converted(path, graded(10, 5, 1), full_marks=10) == [1.0, 0.5, 0.0]
    assert converted(path, graded(21, 20, max_points=21)) == [1.0, 0.5]


@pytest.mark.parametrize(("cell", "label"), [("pass", 1.0), ("fail", 0.0), ("6/7", 0.5), ("100%", 1.0)])
def test_words_and_fractions_are_grades(cell: str, label: float, tmp_path: Path) -> None:
    assert converted(tmp_path / "graded.csv", graded(cell)) == [label]


def test_several_graders_are_averaged_in_one_row_or_in_several(tmp_path: Path) -> None:
    one_row = [{"problem": "P", "proof": "A.", "points": [7, 4], "grader": ["Ada", "Ben"]}]
    assert converted(tmp_path / "a.jsonl", one_row, scale="exact") == [pytest.approx(11 / 14)]
    rows = [{"problem": "P", "proof": "A.", "points": points, "grader": who} for points, who in ((7, "A"), (4, "B"))]
    assert converted(tmp_path / "b.csv", rows, scale="exact") == [pytest.approx(11 / 14)]
    assert converted(tmp_path / "b.csv", rows) == [0.5]


def test_ungraded_proofs_are_left_out_and_a_table_without_grades_is_refused(tmp_path: Path) -> None:
    assert converted(tmp_path / "a.csv", graded(7, "")) == [1.0]
    with pytest.raises(LemmataError, match="no proof has a grade"):
        converted(tmp_path / "b.csv", graded("", ""))
    with pytest.raises(LemmataError, match=r"b.csv:2: .* 8 is above"):
        converted(tmp_path / "b.csv", graded(8))


def test_columns_may_be_named_and_sources_may_be_several(tmp_path: Path) -> None:
    strange = write(tmp_path / "a.jsonl", [{"frage": "P", "beweis": "A.", "note": 7}])
    columns = replace(DATA.columns, statement="frage", proof="beweis", grade="note")
    assert [case.statement for case in cases("verifier", replace(DATA, proofs=strange, columns=columns))] == ["P"]
    plain, labeled = write(tmp_path / "b.csv", graded(0)), [{"statement": "Q", "proof": "B.", "label": 0.5}]
    found = cases("verifier", replace(DATA, proofs=(plain, write(tmp_path / "c.jsonl", labeled))))
    assert {(case.statement, case.label) for case in found} == {("P0", 0.0), ("Q", 0.5)}
    with pytest.raises(LemmataError, match=r"data\.columns\.proof"):
        cases("verifier", replace(DATA, proofs=strange))


def test_labels_of_a_run_are_a_source(tmp_path: Path) -> None:
    problem = single_problem("Show that 1 < 2.")
    proof: Proof = imported_proof(problem, "Subtract 1.", model="m")
    with Run.start(tmp_path / "run", "import", {}) as run:
        log = run.log(problem)
        log.append([proof])
    for author, score in (("Ada", 1.0), ("Ben", 0.5)):
        label = Label(id=digest(author), problem_id=problem.id, proof_id=proof.id, grader="human", author=author,
                      score=score, created=now())  # fmt: skip
        append_labels(log.path, [label])
    (case,) = cases("verifier", replace(DATA, proofs=str(tmp_path / "run")))
    assert (case.proof, case.label, case.labelers) == ("Subtract 1.", 0.5, ("Ada", "Ben"))


def test_validation_is_on_problems_that_training_never_sees(tmp_path: Path) -> None:
    rows = [row | {"proof": f"{row['proof']} {copy}"} for row in graded(*[7, 0] * 40) for copy in range(3)]
    data = replace(DATA, proofs=write(tmp_path / "a.csv", rows), validation=replace(DATA.validation, share=0.25))
    train, held_out = cases("verifier", data), cases("verifier", data, "validation")
    assert len(train) + len(held_out) == len(rows)
    assert not {case.statement for case in train} & {case.statement for case in held_out}
    assert 10 <= len({case.statement for case in held_out}) <= 30
    other = write(tmp_path / "b.csv", graded(0))
    named = replace(DATA, proofs=data.proofs, validation=replace(DATA.validation, proofs=other))
    assert [case.statement for case in cases("verifier", named, "validation")] == ["P0"]
    assert len(cases("verifier", named)) == len(rows)


@pytest.mark.parametrize(
    ("role", "table", "row", "answer"),
    [
        ("prover", "problems", {"problem": "P", "solution": "Clear."}, "## Solution\nClear."),
        ("verifier", "proofs", {"statement": "P", "proof": "A.", "label": 0.5}, "\\boxed{0.5}"),
        ("verifier", "proofs", {"statement": "P", "proof": "A.", "label": 0, "analysis": VERDICT + "\\boxed{0}"}, None),
        ("meta_verifier", "analyses", {"statement": "P", "proof": "A.", "analysis": "Bad.", "quality": "fail"}, None),
        ("meta_verifier", "analyses", {"statement": "P", "proof": "A.", "analysis": "B.", "quality": [1, 0]}, None),
    ],
)
def test_the_answers_to_learn_from_are_right_by_the_roles_own_reward(
    role: RoleName, table: str, row: dict[str, Any], answer: str | None, tmp_path: Path
) -> None:
    data = replace(DATA, **{table: write(tmp_path / "a.jsonl", [row])})
    task = make_task(role, data, templates(), "train", 0)
    example = task.example(3)
    assert example.prompt == task.prompt(3)
    assert answer is None or answer in example.answer
    (reward,) = task.rewards([(3, [Answer(example.whole)])])
    # Nobody knows the score of a proof of an open problem: without a judge there is no reward, which is not 0.
    assert reward.total == (None if role == "prover" and reward.parts["format"] else 0.0 if role == "prover" else 1.0)


@pytest.mark.parametrize(
    ("role", "changes", "match"),
    [
        ("verifier", {}, r"data\.proofs=TABLE"),
        ("prover", {"lab": "validation"}, r"data\.problems=TABLE"),
        ("generator", {"mixture": {"drill": 1}}, "drill are the lab's alone"),
    ],
)
def test_a_role_without_data_is_refused(role: RoleName, changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        make_task(role, replace(DATA, **changes), templates(), "train", 0)


def test_no_validation_is_refused_unless_the_lab_is_there_for_it(tmp_path: Path) -> None:
    data = replace(DATA, proofs=write(tmp_path / "a.csv", graded(7)), families=("inequalities",), levels=(1,))
    with pytest.raises(ValueError, match=r"data\.validation\.proofs=TABLE"):
        make_task("verifier", data, templates(), "validation", 0)
    assert make_task("verifier", replace(data, lab="validation"), templates(), "validation", 0).example(0).answer


def test_a_generator_learns_all_roles_from_tables(tmp_path: Path) -> None:
    analyses = [{"statement": "P", "proof": "A.", "analysis": "Bad.", "quality": 0}]
    data = replace(
        DATA,
        mixture={"prover": 1, "verifier": 1, "meta_verifier": 1},
        problems=write(tmp_path / "p.jsonl", [{"problem": "Show that 1 < 2."}]),
        proofs=write(tmp_path / "a.csv", graded(7)),
        analyses=write(tmp_path / "r.jsonl", analyses),
    )
    task = make_task("generator", data, templates(), "train", 0)
    assert isinstance(task, MixedTask)
    prompts = [task.prompt(number) for number in range(3)]
    assert ["Show that 1 < 2." in prompts[0], "Proof 0." in prompts[1], "Bad." in prompts[2]] == [True] * 3


def test_the_released_proofs_and_champ_are_sources() -> None:
    released = cases("verifier", replace(DATA, proofs=str(shared("data/deepseek_math_v2/outputs"))))
    assert len(released) == 84
    assert {case.label for case in released} == {0.0, 0.5, 1.0}


def test_a_file_inside_a_package_is_a_source() -> None:
    assert source_path("pkg://lab/prompts/x.txt").endswith("lab/prompts/x.txt")
