"""``lemmata lab generate`` writes tables that other commands read."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import load_from_disk

from core.columns import ProofColumns
from core.errors import LemmataError
from core.imported_table import records_of_table
from core.problems import load_problems
from core.records import Proof
from lab.items import read_item
from lab.table import write_table
from tests.command import CommandLine, serving


@pytest.fixture
def lemmata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path, capsys)


def read(path: Path) -> list[dict]:
    """Rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("what", ["theorems", "proofs", "analyses"])
def test_the_three_formats_hold_the_same(lemmata: CommandLine, what: str) -> None:
    settings = ["lab", "generate", f"what={what}", "count=20", "families=[sums,equations]", "levels=[1,2]"]
    for out in ("t.jsonl", "t.parquet", "t"):
        assert f"{out}: 20 {what}" in lemmata.ok(*settings, f"out={out}").out
    rows = read(lemmata.folder / "t.jsonl")
    assert rows == pq.read_table(lemmata.folder / "t.parquet").to_pylist()
    assert rows == list(load_from_disk(str(lemmata.folder / "t")))
    assert {row["family"] for row in rows} == {"sums", "equations"}
    assert {row["level"] for row in rows} == {1, 2}
    for row in rows:
        item = read_item(row["ground_truth"])
        right = row.get("right_review") or row.get("right_analysis") or row["right_answer"]
        assert (item.prompt, item.score(right)) == (row["prompt"], 1)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_other_commands_read_the_tables(lemmata: CommandLine, suffix: str) -> None:
    lemmata.ok("lab", "generate", f"out=t{suffix}", "count=6")
    lemmata.ok("lab", "generate", f"out=p{suffix}", "what=proofs", "count=6", "split=test", "levels=[6]")
    with serving() as served:
        lemmata.ok("prove", f"problems=t{suffix}", "run=proved", "limit=3", *served.policy())
        lemmata.ok("verify", f"source=p{suffix}", "run=verified", "judge.analyses=1", *served.policy())
        assert {"prover", "verifier"} <= served.roles.keys()


def test_statements_and_proofs_arrive_as_they_are(lemmata: CommandLine) -> None:
    lemmata.ok("lab", "generate", "out=p.jsonl", "what=proofs", "count=12")
    rows = read(lemmata.folder / "p.jsonl")
    problems = list(load_problems("p.jsonl"))
    assert {problem.statement: problem.reference for problem in problems} == {
        row["statement"]: row["reference"] for row in rows
    }
    proofs = [proof for _, [proof, *_] in records_of_table("p.jsonl", ProofColumns())]
    assert [proof.text for proof in proofs if isinstance(proof, Proof)] == [row["proof"] for row in rows]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "lemmata lab must go on with generate: lemmata lab generate SETTING=VALUE"),
        (["check"], "lemmata lab must go on with generate, not 'check'"),
        (["generate"], "out is not set"),
        (["generate", "out=t.txt"], "end it in .jsonl or .parquet"),
        (["generate", "out=there.jsonl"], "there.jsonl exists already"),
        (["generate", "out=there.jsonl/t.jsonl"], "can't be written"),
        (["generate", "out=t", "families=[none]"], "no family 'none'"),
        (["generate", "out=t", "levels=[6]"], "level 6 is kept for generalization"),
        (["generate", "out=t", "levels=[9]"], "no level 9"),
        (["generate", "out=t", "what=poems"], "what='poems': input should be 'theorems', 'proofs'"),
        (["generate", "out=t", "count=0"], "count=0"),
    ],
)
def test_errors_are_one_clear_message(lemmata: CommandLine, arguments: list[str], message: str) -> None:
    (lemmata.folder / "there.jsonl").write_text("kept")
    output = lemmata.fails("lab", *arguments)
    assert message in output
    assert len(output.splitlines()) == 1
    assert [path.name for path in lemmata.folder.iterdir()] == ["there.jsonl"]


def test_a_full_disk_is_one_message_and_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[dict]:
        yield {"name": "a"}
        raise OSError(28, os.strerror(28))

    for name in ("t.jsonl", "t.parquet", "t"):
        with pytest.raises(LemmataError, match="No space left on device"):
            write_table(tmp_path / name, rows())
    assert list(tmp_path.iterdir()) == []


def test_the_usage_names_the_command(lemmata: CommandLine) -> None:
    assert "lemmata lab generate" in lemmata("--help").out
    assert "count: 100" in lemmata.ok("lab", "--cfg", "job").out
