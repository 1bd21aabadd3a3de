"""Parquet tables hold exactly what the records say."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from core.errors import LemmataError
from core.export import TABLES, export_table
from core.parquet import GROUP
from core.records import Analysis, Grading, Label, Problem, Record, Refusal, Review, Selection, StatementReport, Usage
from core.store import Run
from tests.records import PROBLEM, PROOF, analysis, label, review, run_of, selection
from tests.strategies import distinct

KINDS: dict[str, type[Any]] = {
    "problems": Problem,
    "analyses": Analysis,
    "reviews": Review,
    "labels": Label,
    "reports": StatementReport,
    "selections": Selection,
    "gradings": Grading,
    "refusals": Refusal,
}


def rows_of(run: Run, table: str, out: Path) -> list[dict[str, Any]]:
    count = export_table(run, table, out)
    rows = pq.read_table(out).to_pylist()
    assert len(rows) == count
    return rows


def flat(record: Any) -> dict[str, Any]:
    """The expected row of a record's table."""
    row = {field.name: getattr(record, field.name) for field in fields(record)}
    if "usage" in row:
        usage = row.pop("usage")
        row |= dict.fromkeys([field.name for field in fields(Usage)]) if usage is None else asdict(usage)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(distinct(most=8))
def test_every_table_equals_its_records(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> None:
    folder = tmp_path_factory.mktemp("export")
    run = run_of(folder, [PROBLEM, *records])
    for table, kind in KINDS.items():
        rows = rows_of(run, table, folder / f"{table}.parquet")
        for row in rows:
            if "extra" in row:
                row["extra"] = json.loads(row["extra"])
        assert rows == [flat(record) for record in run.records() if isinstance(record, kind)]


def test_the_table_of_proofs(tmp_path: Path) -> None:
    cut = replace(
        PROOF, id="z", finish_reason="length", self_score=None, faults=("truncated",), round=1, parents=("y", "a1")
    )
    records = [
        PROBLEM,
        PROOF,
        cut,
        *(analysis(f"a{number}", score) for number, score in enumerate((1.0, 0.5, 0.0, None, 1.0))),
        review("r1", 1.0, "a1"),
        review("r2", 0.0, "a2"),
        review("r3", None, "a2"),
        label("l1", "automatic", 0.9),
        label("l2", "auto", None),
        label("l3", "human", 1.0, points=7, max_points=7),
        label("l4", "human", 2 / 7, points=2, max_points=7),
        selection(),
    ]
    first, second = rows_of(run_of(tmp_path, records), "proofs", tmp_path / "core.parquet")
    expected = {
        "problem_id": "p", "problem_name": "one", "source": "here", "statement": "Prove A.", "proof_id": "y",
        "parents": [], "round": 0, "seed": 7, "proof": "It is so.", "self_score": 0.5, "faults": [],
        "analyses": 5, "verdicts": 4, "mean_verdict": 0.625, "perfect_verdicts": 2, "reviews": 3, "mean_review": 0.5,
        "selected": True, "accepted": True, "automatic_mean": 0.9, "auto_label": None,
        "human_points": 2, "human_max_points": 7, "human_score": 2 / 7,
    }  # fmt: skip
    assert {key: first[key] for key in expected} == expected
    nothing = {"analyses": 0, "verdicts": 0, "mean_verdict": None, "reviews": 0, "mean_review": None, "proof": None}
    unmarked = {"selected": False, "accepted": False, "human_score": None, "automatic_mean": None}
    expected = {"proof_id": "z", "parents": ["y", "a1"], "faults": ["truncated"], **nothing, **unmarked}
    assert {key: second[key] for key in expected} == expected


def test_problems_do_not_mix(tmp_path: Path) -> None:
    other = replace(PROBLEM, id="q", statement="Prove B.")
    theirs = replace(PROOF, id="w", problem_id="q")
    run = run_of(tmp_path, [PROBLEM, PROOF, analysis("a", 0.0)], [other, theirs, analysis("b", 1.0, "w")])
    rows = rows_of(run, "proofs", tmp_path / "out.parquet")
    assert [(row["statement"], row["proof_id"], row["mean_verdict"]) for row in rows] == [
        ("Prove A.", "y", 0.0),
        ("Prove B.", "w", 1.0),
    ]


def test_more_rows_than_one_group(tmp_path: Path) -> None:
    analyses = [analysis(f"a{number}", 1.0) for number in range(2 * GROUP + 1)]
    out = tmp_path / "deep" / "er" / "analyses.parquet"
    assert len(rows_of(run_of(tmp_path, [PROBLEM, *analyses]), "analyses", out)) == 2 * GROUP + 1


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_table_has_its_columns(tmp_path: Path, table: str) -> None:
    out = tmp_path / "out.parquet"
    assert export_table(run_of(tmp_path), table, out) == 0
    assert pq.read_schema(out).equals(TABLES[table][0])


def test_what_cannot_be_written(tmp_path: Path) -> None:
    run = run_of(tmp_path, [PROBLEM])
    with pytest.raises(LemmataError, match="unknown table 'poems'; known: proofs, problems"):
        export_table(run, "poems", tmp_path / "out.parquet")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for out in (tmp_path / "folder", tmp_path / "file" / "out.parquet"):
        with pytest.raises(LemmataError, match="Choose another out=FILE"):
            export_table(run, "problems", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "run"]


def test_a_damaged_run_leaves_the_old_table(tmp_path: Path) -> None:
    run = run_of(tmp_path, [PROBLEM, PROOF])
    out = tmp_path / "out.parquet"
    before = rows_of(run, "proofs", out)
    path = run.log_paths()[0]
    path.write_bytes(b"rubbish\n" + path.read_bytes())
    with pytest.raises(LemmataError, match="damaged at byte 0"):
        export_table(run, "proofs", out)
    assert pq.read_table(out).to_pylist() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.parquet", "run"]
