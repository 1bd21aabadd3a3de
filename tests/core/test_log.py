"""The log of one problem: what goes in comes out, and a torn or damaged line costs no more than itself."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import LemmataError
from core.log import ProblemLog, encode, read_log, read_record, record_places
from core.records import KINDS, Label, Record, from_json, to_json
from tests.strategies import distinct, records

LABEL = Label(id="l1", problem_id="p", proof_id="q", grader="human", author="A. N.", score=0.5, created="now")

fixture_ok = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def labels(*names: str) -> list[Record]:
    values = to_json(LABEL)
    return [from_json({**values, "id": name}) for name in names]


@contextmanager
def opened(path: Path) -> Iterator[ProblemLog]:
    with closing(ProblemLog(path)) as log:
        yield log


def write(path: Path, *groups: Sequence[Record]) -> bytes:
    with opened(path) as log:
        for group in groups:
            log.append(group)
    return path.read_bytes()


@given(records)
def test_every_record_survives_json(record: Record) -> None:
    line = encode(record)
    assert from_json(json.loads(line)) == record
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


@fixture_ok
@given(distinct())
def test_what_is_written_is_read(tmp_path: Path, written: list[Record]) -> None:
    path = tmp_path / "log.jsonl"
    path.unlink(missing_ok=True)
    write(path, written[:2], written[2:])
    assert list(read_log(path)) == written
    assert [read_record(path, offset, length) for _, offset, length in record_places(path)] == written
    with opened(path) as log:
        assert len(log) == len(written)
        assert [log.get(record.id) for record in written] == written


@fixture_ok
@given(distinct(most=3), st.data())
def test_a_log_cut_off_anywhere_keeps_its_whole_lines(
    tmp_path: Path, written: list[Record], data: st.DataObject
) -> None:
    path = tmp_path / "log.jsonl"
    path.unlink(missing_ok=True)
    content = write(path, written)
    end = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:end])
    whole = content[:end].count(b"\n")
    assert list(read_log(path)) == written[:whole]
    with opened(path) as log:
        assert len(log) == whole
        log.append(written[whole:])
    assert path.read_bytes() == content


def test_a_last_line_of_rubbish_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    content = write(path, labels("a"))
    path.write_bytes(content + b'\x00\x00\x00\x00{"id"\n')
    assert [record.id for record in read_log(path)] == ["a"]
    assert write(path, labels("b")).startswith(content)
    assert [record.id for record in read_log(path)] == ["a", "b"]


@pytest.mark.parametrize("damage", [b"\x00\x00\n", b"[1]\n", b'{"no": "id"}\n', b"\n", b"\xff\n"])
def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "log.jsonl"
    content = write(path, labels("a"))
    path.write_bytes(content + damage + content)
    with pytest.raises(LemmataError, match=f"log.jsonl is damaged at byte {len(content)}.*Delete that line"):
        ProblemLog(path)
    with pytest.raises(LemmataError, match="damaged"):
        list(read_log(path))


def test_a_record_is_found_while_others_are_written(tmp_path: Path) -> None:
    with opened(tmp_path / "log.jsonl") as log:
        for name in "abc":
            log.append(labels(name))
            assert name in log
            assert log.get(name).id == name
        assert "d" not in log
        with pytest.raises(KeyError):
            log.get("d")
        assert len(list(read_log(log.path))) == 3


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real full disk can't be had in a test; this is what the system call does on one."""
    path = tmp_path / "log.jsonl"
    whole = os.write
    with opened(path) as log:
        log.append(labels("a"))
        before = path.read_bytes()
        monkeypatch.setattr(os, "write", lambda file, data: whole(file, data[: len(data) // 2]))
        with pytest.raises(LemmataError, match="Free some space and run the same command again"):
            log.append(labels("b"))
        monkeypatch.undo()
        assert path.read_bytes() == before
        assert "b" not in log
        log.append(labels("b"))
        assert log.get("b").id == "b"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "proverb"}, "unknown record kind 'proverb'; known: problem, proof"),
        ({"color": "red"}, "a label record does not fit schema version 2.*color"),
        ({"score": ...}, "a label record does not fit schema version 2.*score"),
    ],
)
def test_records_of_another_schema_are_refused_with_their_place(tmp_path: Path, change: dict, says: str) -> None:
    value = {key: item for key, item in {**to_json(LABEL), **change}.items() if item is not ...}
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(value) + "\n")
    with pytest.raises(LemmataError, match=f"log.jsonl, byte 0: {says}"):
        list(read_log(path))


def test_the_kind_comes_first_in_a_line() -> None:
    assert encode(LABEL).startswith(b'{"kind":"label","id":"l1"')
    assert set(KINDS) == {
        "problem",
        "proof",
        "analysis",
        "review",
        "comparison",
        "judge_answer",
        "tool_turn",
        "tool_output",
        "context_change",
        "context_summary",
        "follow_up",
        "unscored",
        "grading",
        "refusal",
        "label",
        "report",
        "withdrawal",
        "selection",
    }
