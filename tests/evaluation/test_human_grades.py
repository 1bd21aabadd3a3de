"""Human grades: cells, several graders of one proof, files that are imported twice, ungraded rows."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from core.export import export_table
from core.grades import Points, combined, read_points, scale_warning
from core.labels import append_labels
from core.records import Label, Proof
from core.store import Run
from evaluation.folders import Part, parts_of
from evaluation.gather import gather
from evaluation.human_grades import HumanGrades, HumanGradesConfig, add_human_grades, read_human_grades
from tests.command import CommandLine

pytest_plugins = ["tests.lemmata.conftest"]


@pytest.mark.parametrize(
    ("cell", "points"),
    [("6", 6), (6, 6), (6.5, 6.5), (" 6,5 ", 6.5), ("6/7", 6), ("6 / 7", 6), ("6 out of 7", 6), ("6 points", 6),
     ("70%", 4.9), ("100 %", 7), ("0", 0), (0, 0), (True, 7), (False, 0), ("pass", 7), ("Fail", 0), ("Correct", 7),
     ("incorrect", 0), ("1e0", 1), ("", None), (None, None), ("n/a", None), ("-", None), (float("nan"), None)],
)  # fmt: skip
def test_a_cell_states_points_or_no_grade(cell: Any, points: float | None) -> None:
    found = read_points(cell, 7)
    assert (found and found.points) == (pytest.approx(points) if points is not None else None)
    assert found is None or found.max_points == 7


def test_a_cell_with_its_own_scale() -> None:
    assert read_points("9/10", 7) == Points(9, 10)
    with pytest.raises(ValueError, match="max_points=7"):
        read_points("9/10", 7, stated=True)


@pytest.mark.parametrize("cell", ["8", "-1", "inf", "seven", "6/0", "7/6", "120%", "6 7", "0x6", "٦", "1/2/3", "[6]"])
def test_a_cell_that_is_no_grade_is_an_error(cell: str) -> None:
    with pytest.raises(ValueError, match=r"^is "):
        read_points(cell, 7)


@pytest.mark.parametrize(
    ("points", "warned"),
    [([1, 0.5, 0], True), ([1, 0], True), ([0, 0], False), ([2, 1], False), ([], False)],
)
def test_scores_that_look_like_another_scale(points: list[float], warned: bool) -> None:
    assert bool(scale_warning([Points(each, 7) for each in points], "f.csv")) is warned
    assert scale_warning([Points(each, 1) for each in points if each <= 1], "f.csv") is None


def human(name: str, author: str, score: float | None, points: float | None = None, most: float | None = None) -> Label:
    return Label(id=name, problem_id="p", proof_id="y", grader="human", author=author, score=score, points=points,
                 max_points=most, created="then")  # fmt: skip


def test_people_are_averaged_and_a_person_may_correct() -> None:
    labels = [human("1", "Ada", 3 / 7, 3, 7), human("2", "Emmy", 1.0, 7, 7), human("3", "Ada", 5 / 7, 5, 7)]
    for order in (labels, [labels[0], labels[2], labels[1]]):
        found = combined(order)
        assert found is not None
        assert (found.points, found.max_points, found.scores) == (6, 7, {"Ada": 5 / 7, "Emmy": 1.0})
        assert found.score == pytest.approx(6 / 7)
        assert found.spread == pytest.approx(2 / 7)
    assert combined([human("1", "Ada", None)]) is None
    mixed = combined([human("1", "Ada", 0.5), human("2", "Emmy", 1.0, 7, 7)])
    assert mixed is not None
    assert (mixed.score, mixed.points) == (0.75, pytest.approx(5.25))
    scales = combined([human("1", "Ada", 0.5, 5, 10), human("2", "Emmy", 1.0, 7, 7)])
    assert scales is not None
    assert (scales.score, scales.points) == (0.75, None)


@pytest.fixture
def proofs(lemmata: CommandLine) -> CommandLine:
    """A run ``r`` of twelve proofs of twelve problems."""
    rows = [{"problem": f"Prove {n}.", "id": f"p{n}", "proof": f"So {n}."} for n in range(12)]
    (lemmata.folder / "proofs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lemmata.ok("import", "source=proofs.jsonl", "run=r")
    return lemmata


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path.name


def labels() -> list[Label]:
    return [record for record in Run.read("r").records() if isinstance(record, Label)]


def grade(proofs: CommandLine, rows: list[dict[str, Any]], *more: str) -> str:
    source = write(proofs.folder / "grades.csv", rows)
    return proofs.ok("evaluate", "human-grades", "run=r", f"source={source}", *more).out


def test_the_mean_does_not_depend_on_the_order_of_two_graders(proofs: CommandLine) -> None:
    by = {"Ada": [10.0, 9, 0, 7.5, 10, 10, 1, 10, 0, 10, 8, 10], "Emmy": [10.0, 9, 2, 7, 10, 9, 1, 10, 1, 10, 10, 10]}
    for author in ("Ada", "Emmy"):
        rows = [{"problem": f"p{n}", "points": each, "grader": author} for n, each in enumerate(by[author])]
        assert "12 new grades of 12" in grade(proofs, rows, "max_points=10")
    report = proofs.ok("evaluate", "report", "run=r", "out=o", "plots=false").out
    expected = (sum(by["Ada"]) + sum(by["Emmy"])) / 2
    assert f"r, proofs.jsonl: {expected:g}/120 by human (Ada, Emmy)" in report
    export_table(Run.read("r"), "proofs", proofs.folder / "t.parquet")
    table = gather(parts_of("r"), proofs.folder / "u.parquet").entries
    assert {round(entry.grades["human"].spread or 0, 9) for entry in table} == {0.0, 0.05, 0.1, 0.2}
    text = (proofs.folder / "o" / "report.md").read_text()
    assert "Ada" in text
    assert "Emmy" in text


def test_the_same_file_twice_adds_nothing_and_a_correction_counts(proofs: CommandLine) -> None:
    first = [{"problem": "p0", "score": 5, "author": "Ada"}, {"problem": "p1", "score": 6, "author": "Ada"}]
    assert "2 new grades" in grade(proofs, [*first, first[0]])
    assert "0 new grades" in grade(proofs, first)
    assert "1 new grade of 2" in grade(proofs, [first[0] | {"score": 4}, first[1]])
    assert "1 new grade of 2" in grade(proofs, first)  # back again
    assert "0 new grades" in grade(proofs, first)
    assert [label.points for label in labels() if label.points != 6] == [5, 4, 5]


def test_stated_times_order_the_grades_of_one_person(proofs: CommandLine) -> None:
    rows = [{"problem": "p0", "score": 5, "author": "Ada", "time": "2025-02-01"},
            {"problem": "p0", "score": 3, "author": "Ada", "time": "2025-01-01"}]  # fmt: skip
    grade(proofs, rows)
    assert "0 new grades" in grade(proofs, rows)
    assert [label.points for label in labels()] == [3, 5]


def test_two_grades_of_one_proof_by_one_person_are_an_error(proofs: CommandLine) -> None:
    source = write(proofs.folder / "g.csv", [{"problem": "p0", "score": each, "author": "Ada"} for each in (5, 6)])
    message = proofs.fails("evaluate", "human-grades", "run=r", f"source={source}")
    assert "g.csv:3" in message
    assert "g.csv:2" in message
    assert not labels()


def test_ungraded_rows_are_counted_and_refuse_nothing(proofs: CommandLine) -> None:
    rows = [{"problem": f"p{n}", "score": cell, "author": "Ada"} for n, cell in enumerate(["7", "", "n/a", "0", "70%"])]
    output = grade(proofs, rows)
    assert "3 new grades of 3 by Ada" in output
    assert "2 rows have no grade" in output
    assert sorted(label.points or 0 for label in labels()) == [0, pytest.approx(4.9), 7]


def test_a_scale_from_0_to_1_is_warned_of(proofs: CommandLine) -> None:
    rows = [{"problem": f"p{n}", "score": n % 2, "author": "Ada"} for n in range(4)]
    assert "no score exceeds 1 of 7" in grade(proofs, rows)


def test_a_column_of_right_and_wrong_needs_no_scale(proofs: CommandLine) -> None:
    rows = [{"problem": f"p{n}", "correct": n % 2} for n in range(4)]
    assert "Warning" not in grade(proofs, rows, "author=Ada")
    assert {(label.points, label.max_points, label.author) for label in labels()} == {(0, 1, "Ada"), (1, 1, "Ada")}


def test_rows_that_name_nothing_say_what_is_missing(tmp_path: Path) -> None:
    cases = [
        ({"problem": "p0", "author": "a"}, "no column holds the score"),
        ({"score": 1, "author": "a"}, "neither a proof's id"),
        ({"problem": "p0", "score": 1}, "author=NAME"),
        ({"problem": "p", "score": 1, "author": "a", "max_points": 0}, "max_points=0"),
    ]
    for row, words in cases:
        path = tmp_path / "g.csv"
        write(path, [row])
        with pytest.raises(Exception, match=words):
            read_human_grades(str(path), HumanGradesConfig())


def test_the_label_of_an_analysis_is_no_grade_of_its_proof(proofs: CommandLine) -> None:
    part = Part(Run.read("r"), "r", 0)
    path = part.run.log_paths()[0]
    proof = next(each for each in part.run.records() if isinstance(each, Proof) and each.problem_id == path.stem)
    judged = Label(id="1", problem_id=path.stem, proof_id=proof.id, grader="human", author="Ada", score=0.0,
                   created="now", analysis_id="a")  # fmt: skip
    assert append_labels(path, [judged]) == 1
    assert not gather([part], proofs.folder / "t.parquet").entries


def test_nothing_is_written_where_a_row_matches_no_proof(proofs: CommandLine) -> None:
    source = write(proofs.folder / "g.csv", [{"problem": p, "score": 5, "author": "Ada"} for p in ("p0", "p99")])
    found: HumanGrades = read_human_grades(source, HumanGradesConfig())
    with pytest.raises(Exception, match="'p99'"):
        add_human_grades(parts_of("r"), found.grades)
    assert not labels()
