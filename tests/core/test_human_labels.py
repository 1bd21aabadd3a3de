"""Labels by people: a file of their own beside a run's logs, which every reader of the run sees."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.errors import LemmataError
from core.export import export_table
from core.labels import append_labels, labels_path, read_with_labels
from core.records import Label, StatementReport, Withdrawal
from core.store import Run
from tests.records import PROBLEM, PROOF, label, run_of

FIRST = replace(label("first", "human", 0.0), author="Ada")
SECOND = replace(FIRST, id="second", score=1.0, passage="so", passage_start=6, passage_end=8)
EMMY = replace(FIRST, id="third", author="Emmy", score=0.5)


def withdrawal(of: str) -> Withdrawal:
    return Withdrawal(id=f"w{of}", problem_id="p", withdrawn_id=of, author="Ada", created="then")


def log_of(folder: Path) -> Path:
    return run_of(folder, [PROBLEM, PROOF]).folder / "problems" / "p.jsonl"


def test_labels_are_written_while_a_command_writes_the_run(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    before = log.read_bytes()
    with Run.start(tmp_path / "run", "refine", {}):
        assert append_labels(log, [FIRST, EMMY]) == 2
        assert append_labels(log, [EMMY, SECOND]) == 1  # one of them is known
    assert log.read_bytes() == before
    assert list(read_with_labels(log))[2:] == [FIRST, EMMY, SECOND]


def test_what_is_withdrawn_is_not_read_and_stays_on_file(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    report = StatementReport(id="r", problem_id="p", author="Ada", reason="false", created="then")
    append_labels(log, [FIRST, SECOND, report])
    append_labels(log, [withdrawal("second")])
    assert [record for record in Run.read(tmp_path / "run").records() if isinstance(record, Label)] == [FIRST]
    assert labels_path(log).read_text().count("\n") == 4
    export_table(Run.read(tmp_path / "run"), "proofs", tmp_path / "proofs.parquet")
    [row] = pq.read_table(tmp_path / "proofs.parquet").to_pylist()
    assert row["human_score"] == 0.0
    append_labels(log, [withdrawal("r")])
    assert not [record for record in read_with_labels(log) if isinstance(record, StatementReport)]


def test_labels_of_an_unknown_problem_are_refused(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    with pytest.raises(LemmataError, match=r"q\.jsonl is missing"):
        append_labels(log.with_name("q.jsonl"), [FIRST])
    assert not (tmp_path / "run" / "labels").exists()
