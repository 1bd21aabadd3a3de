"""Index of a log: appended, incomplete, damaged and missing records, and deadlines."""

import time
from pathlib import Path

import pytest

from core.errors import LemmataError
from core.log import encode
from core.records import Analysis
from core.store import Run
from explorer.index import LINES_PER_CHECK, LogIndex
from explorer.metrics import problem_metrics, proof_metrics
from explorer.runs import RunIndex, find_runs, is_running
from tests.records import PROBLEM, PROOF, analysis, label, review, run_of, selection

RECORDS = [PROOF, analysis("a", 0.0), analysis("b", 1.0), analysis("c", None), review("r", 1.0, "a"), selection()]


def index_of(folder: Path) -> LogIndex:
    run_of(folder, [PROBLEM, *RECORDS])
    index = LogIndex(folder / "run" / "problems" / "p.jsonl")
    index.refresh()
    return index


def test_every_record_is_read_in_full_by_its_offset(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    assert [index.read(row) for row in index.rows] == [PROBLEM, *RECORDS]
    assert index.messages == []


def test_only_what_was_appended_is_read_again(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    first = list(index.rows)
    with index.path.open("ab") as file:
        file.write(encode(analysis("d", 0.5)))
    assert index.is_stale
    index.refresh()
    assert index.rows[: len(first)] == first
    assert all(old is new for old, new in zip(first, index.rows, strict=False))
    assert index.rows[-1].id == "d"
    assert not index.is_stale


def test_an_incomplete_last_line_is_reported_and_read_once_complete(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    line = encode(analysis("d", 0.5))
    with index.path.open("ab") as file:
        file.write(line[:40])
    index.refresh()
    assert "incomplete (40 bytes)" in index.messages[0]
    assert "d" not in index.by_id
    with index.path.open("ab") as file:
        file.write(line[40:])
    index.refresh()
    assert index.messages == []
    assert index.read(index.by_id["d"]) == analysis("d", 0.5)


@pytest.mark.parametrize(
    "damage", [b"{]\n", b"[1]\n", b'{"kind": "theorem", "id": "x"}\n', b'{"kind": "proof"}\n', b"\xff\n"]
)
def test_a_damaged_line_is_named_and_the_rest_is_read(tmp_path: Path, damage: bytes) -> None:
    index = index_of(tmp_path)
    offset = index.path.stat().st_size
    with index.path.open("ab") as file:
        file.write(damage + encode(analysis("d", 0.5)))
    index.refresh()
    assert f"damaged at byte {offset}" in index.messages[0]
    assert "d" in index.by_id


def test_a_record_that_occurs_twice_is_read_once(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    rows = list(index.rows)
    with index.path.open("ab") as file:
        file.write(encode(PROOF) + encode(analysis("d", 0.5)))
    index.refresh()
    assert f"proof {PROOF.id} occurs twice" in index.messages[0]
    assert [row.id for row in index.rows] == [*(row.id for row in rows), "d"]


def test_a_deleted_or_replaced_log_is_noticed(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    index.path.write_bytes(encode(PROBLEM))
    index.refresh()
    assert [row.kind for row in index.rows] == ["problem"]
    index.path.unlink()
    index.refresh()
    assert "missing" in index.messages[0]
    assert index.rows == []


def test_a_deadline_stops_indexing_and_the_next_refresh_continues(tmp_path: Path) -> None:
    many = [analysis(f"a{number}", 1.0) for number in range(3 * LINES_PER_CHECK)]
    run_of(tmp_path, [PROBLEM, PROOF, *many])
    index = LogIndex(tmp_path / "run" / "problems" / "p.jsonl")
    refreshes = 0
    while index.is_stale:
        before = len(index.rows)
        index.refresh(time.monotonic() - 1)
        refreshes += 1
        assert before < len(index.rows) <= before + LINES_PER_CHECK
        assert (index.share < 1) == index.is_stale
    assert refreshes > 3
    assert len(index.by_id) == len(many) + 2


def test_the_metrics_of_a_proof_follow_from_its_records(tmp_path: Path) -> None:
    about = [label("l", "human", 6 / 7, 6, 7), label("m", "automatic", 0.9), label("n", "auto", None)]
    run_of(tmp_path, [PROBLEM, *RECORDS, *about])
    [index] = RunIndex(tmp_path / "run").logs.values() or [LogIndex(tmp_path / "run" / "problems" / "p.jsonl")]
    index.refresh()
    [proof] = proof_metrics(index)
    assert (proof.verdicts, proof.analyses, proof.reviews, proof.unparseable_verdicts) == ((0.0, 1.0), 3, 1, 1)
    assert (proof.mean, proof.self_score, proof.automatic, proof.auto) == (0.5, 0.5, 0.9, None)
    assert (proof.undecided, proof.points, proof.selected, proof.accepted) == (True, "6 of 7", True, True)
    assert proof.human == pytest.approx(6 / 7)
    assert proof.disagreement == 1.0
    assert proof.over_accepted  # 6 of 7 points, and the run accepts it
    metrics = problem_metrics(index)
    assert (metrics.proofs, metrics.analyses, metrics.rounds, metrics.finished) == (1, 3, 1, True)
    assert metrics.tokens == 5 * 15  # every generated record here carries 15


def test_a_full_score_by_judges_but_not_by_people_is_over_accepted(tmp_path: Path) -> None:
    run_of(tmp_path, [PROBLEM, PROOF, label("m", "automatic", 1.0), label("l", "human", 6 / 7, 6, 7)])
    index = LogIndex(tmp_path / "run" / "problems" / "p.jsonl")
    index.refresh()
    assert proof_metrics(index)[0].over_accepted
    assert problem_metrics(index).over_accepted


def test_runs_are_found_and_a_newer_schema_is_reported(tmp_path: Path) -> None:
    run_of(tmp_path, [PROBLEM, PROOF])
    newer = tmp_path / "deep" / "newer"
    newer.mkdir(parents=True)
    (newer / "run.yaml").write_text("schema: 99\nlemmata: 9.9.9\n")
    found = {run.name: run for run in find_runs(tmp_path)}
    assert set(found) == {"run", "deep/newer"}
    assert found["run"].command == "refine"
    assert "schema version 99" in found["deep/newer"].error
    assert [run.name for run in find_runs(tmp_path / "run")] == ["run"]
    with pytest.raises(LemmataError, match="no folder"):
        find_runs(tmp_path / "nowhere")


def test_a_run_is_read_again_when_its_settings_change(tmp_path: Path) -> None:
    run_of(tmp_path, [PROBLEM])
    path = tmp_path / "run" / "run.yaml"
    assert [run.command for run in find_runs(tmp_path)] == ["refine"]
    path.write_text(path.read_text().replace("command: refine", "command: evaluate"))
    assert [run.command for run in find_runs(tmp_path)] == ["evaluate"]
    path.write_text("schema: 99\nlemmata: 9.9.9\n")
    assert "schema version 99" in find_runs(tmp_path)[0].error


def test_a_record_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    run_of(tmp_path, [PROBLEM, PROOF, analysis("abc", 1.0), analysis("abd", 1.0)])
    index = RunIndex(tmp_path / "run")
    found = index.find("abc")
    assert found is not None
    assert isinstance(found[0].read(found[1]), Analysis)
    assert index.find("ab") is None
    with pytest.raises(LemmataError, match="'q'"):
        index.problem("q")


def test_a_run_is_running_while_its_lock_is_held(tmp_path: Path) -> None:
    if not Path("/proc/locks").exists():
        pytest.skip("locks are listed on Linux alone")
    with Run.start(tmp_path / "run", "refine", {}):
        assert is_running(tmp_path / "run")
    assert not is_running(tmp_path / "run")
