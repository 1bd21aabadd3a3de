"""Finished proofs: tables of any origin, and those that were released with DeepSeekMath-V2."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core.columns import ProofColumns
from core.errors import LemmataError
from core.imported_table import records_of_table
from core.records import Proof
from core.released import read_released
from tests.shared import shared

OUTPUTS = "data/deepseek_math_v2/outputs"


def row(**changes: Any) -> dict[str, Any]:
    prediction = {"proof": "By \\[x\\].", "average_automatic_rating": 0.5, "human_rating": 3}
    return {"question": "Prove A.", "problem_idx": "IMO2025-1", "model_prediction": prediction} | changes


def rated(**changes: Any) -> dict[str, Any]:
    return row(model_prediction=row()["model_prediction"] | changes)


def without(value: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name != key}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in rows), encoding="utf-8")
    return path


def test_the_released_proofs() -> None:
    proofs = list(read_released(shared(OUTPUTS)))
    certain = [proof for proof in proofs if proof.automatic_mean == 1]
    assert (len(proofs), len(certain)) == (84, 72)
    assert sum(proof.human_points == proof.max_points for proof in certain) == 65
    assert len({proof.problem.id for proof in proofs}) == 84
    assert Counter((proof.problem.source, proof.max_points) for proof in proofs) == {
        ("CMO2024.jsonl", 21): 6,
        ("IMO-ProofBench-Advanced.jsonl", 7): 30,
        ("IMO-ProofBench-Basic.jsonl", 7): 30,
        ("IMO2025.jsonl", 7): 6,
        ("Putnam2024.jsonl", 10): 12,
    }


def test_references_and_guidelines_come_along_but_no_rating_does() -> None:
    for proof in read_released(shared(f"{OUTPUTS}/IMO-ProofBench-Basic.jsonl")):
        assert proof.problem.reference
        assert proof.problem.guidelines
        assert set(proof.problem.extra) <= {"level", "type", "source"}


@pytest.mark.parametrize(
    ("problem_idx", "file", "max_points"),
    [
        *(("IMO2025-1", "a", 7), ("PB-Basic-001", "a", 7), ("IMO-ProofBench-3", "a", 7), ("Putnam2024-A1", "a", 10)),
        *(("CMO2024-1", "a", 21), ("3", "Putnam2024", 10), ("3", "IMO-ProofBench-Basic", 7)),
    ],
)
def test_max_points(tmp_path: Path, problem_idx: str, file: str, max_points: int) -> None:
    (proof,) = read_released(write(tmp_path / f"{file}.jsonl", row(problem_idx=problem_idx)))
    assert (proof.max_points, proof.human_points, proof.automatic_mean) == (max_points, 3, 0.5)
    assert (proof.proof, proof.problem.name) == ("By \\[x\\].", problem_idx)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (row(problem_idx="USAMO2025-1"), "unknown competition of problem 'USAMO2025-1'"),
        (row(problem_idx="IMOx-1"), "unknown competition of problem 'IMOx-1'"),
        (without(row(), "problem_idx"), "unknown competition of problem ''"),
        (without(row(), "question"), "no column holds the statement"),
        (without(row(), "model_prediction"), "no column holds the proof"),
        (row(model_prediction=None), "no column holds the proof"),
        (rated(proof=""), "the proof (column 'model_prediction.proof') is empty"),
        (
            row(model_prediction={"proof": "p", "human_rating": 3}),
            "no field 'model_prediction.average_automatic_rating'",
        ),
        (rated(average_automatic_rating=1.5), "is 1.5, it must be a number from 0 to 1"),
        (rated(average_automatic_rating=float("nan")), "is nan"),
        (rated(human_rating=8), "human_rating is 8, it must be a number from 0 to 7"),
        (rated(human_rating=-1), "human_rating is -1"),
        (rated(human_rating="7"), "human_rating is '7'"),
        (rated(human_rating=True), "human_rating is True"),
        (rated(human_rating=None), "human_rating is None"),
        (rated(human_rating=10**4000), "it must be a number from 0 to 7"),
        ([], "a list where an object"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, bad: Any, says: str) -> None:
    path = write(tmp_path / "out.jsonl", row(), bad)
    with pytest.raises(LemmataError) as caught:
        list(read_released(path))
    assert f"{path}:2: " in str(caught.value)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 500


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.jsonl"):
        with pytest.raises(LemmataError, match=r"no \.jsonl file"):
            read_released(path)


# Tables of any origin


def test_a_table_of_proofs(tmp_path: Path) -> None:
    rows = [
        {"question": "Prove A.", "model_prediction": {"proof": "First.", "human_rating": 7}, "level": "easy"},
        {"question": "Prove A.", "response": "Second.", "solution": "Reference."},
    ]
    path = str(write(tmp_path / "set.jsonl", *rows))
    (one, [first, *grades]), (other, [second, *nothing]) = records_of_table(path, ProofColumns())
    assert isinstance(first, Proof)
    assert isinstance(second, Proof)
    assert (first.text, second.text) == ("First.", "Second.")
    assert one.id == other.id
    assert (grades, nothing, one.extra) == ([], [], {})
    assert (one.reference, other.reference) == (None, "Reference.")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"problem": "Prove A."}, "no column holds the proof; columns here: problem. Name it: proof_columns.proof="),
        ({"problem": "Prove A.", "proof": " "}, "the proof (column 'proof') is empty"),
        ({"problem": "Prove A.", "proof": {"text": "x"}}, "column 'proof' holds an object, the proof must be text"),
        ({"proof": "x"}, "no column holds the statement"),
    ],
)
def test_bad_tables_of_proofs(tmp_path: Path, bad: dict[str, Any], says: str) -> None:
    with pytest.raises(LemmataError) as caught:
        list(records_of_table(str(write(tmp_path / "set.jsonl", bad)), ProofColumns()))
    assert "set.jsonl:1: " in str(caught.value)
    assert says in str(caught.value)
