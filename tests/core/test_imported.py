"""Proofs from elsewhere as records of a run."""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.columns import ProofColumns
from core.errors import LemmataError
from core.export import export_table
from core.imported import Group, imported_proof, is_released, records_of_released, records_of_run
from core.imported_table import records_of_table
from core.records import IMPORTED, Label, Problem, Proof
from core.store import Run
from tests.records import PROBLEM, PROOF, analysis, label, review, run_of
from tests.shared import shared

OUTPUTS = "data/deepseek_math_v2/outputs"
LATEX = "Let $f\\colon \\mathbb{R}\\to\\mathbb{R}$, $f(x)=\\boxed{\\frac{x}{2}}$ & 100\\%."


def bring(folder: Path, groups: Sequence[Group]) -> Run:
    """Writes the groups into a run, as the import command does."""
    with Run.start(folder, "import", {}) as run:
        for problem, records in groups:
            with closing(run.log(problem)) as log:
                log.append([record for record in records if record.id not in log])
    return run


def bytes_of(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.log_paths()}


def table(folder: Path, *rows: dict[str, Any]) -> str:
    path = folder / "core.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_the_released_proofs_keep_their_marks(tmp_path: Path) -> None:
    source = str(shared(OUTPUTS))
    assert is_released(source)
    run = bring(tmp_path / "run", list(records_of_released(source)))
    assert export_table(run, "proofs", tmp_path / "core.parquet") == 84
    rows = pq.read_table(tmp_path / "core.parquet").to_pylist()
    certain = [row for row in rows if row["automatic_mean"] == 1]
    full = [row for row in certain if row["human_points"] == row["human_max_points"]]
    assert (len(certain), len(full)) == (72, 65)
    assert all(row["human_score"] == row["human_points"] / row["human_max_points"] for row in rows)
    assert {row["policy"] for row in rows} == {IMPORTED}
    assert {row["model"] for row in rows} == {"DeepSeekMath-V2"}


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    source = str(shared(f"{OUTPUTS}/IMO2025.jsonl"))
    before = bytes_of(bring(tmp_path, list(records_of_released(source))))
    assert bytes_of(bring(tmp_path, list(records_of_released(source)))) == before
    assert len(before) == 6


def test_a_table_with_latex_and_several_proofs_of_a_problem(tmp_path: Path) -> None:
    texts = [
        f"By \\eqref{{1}}, {LATEX}",
        "## Solution\nIt ends with \\boxed{1}.\n## Self Evaluation\nfine",
        "A\x00B\n\n",
    ]
    rows = [{"problem": LATEX, "proof": text, "model": "somebody", "id": "x-1"} for text in texts]
    source = table(tmp_path, *rows, rows[0], {"problem": "Prove B.", "proof": "B.", "model": 3})
    groups = list(records_of_table(source, ProofColumns()))
    for run in (bring(tmp_path / "run", groups), bring(tmp_path / "run", groups)):
        proofs = [record for record in run.records() if isinstance(record, Proof)]
        own = [proof for proof in proofs if proof.model == "somebody"]
        # The whole text is the proof, without a self-evaluation after it.
        bodies = [texts[0], "It ends with \\boxed{1}.", texts[2]]
        assert sorted(proof.body or "" for proof in own) == sorted(bodies)
        assert {proof.problem_id for proof in own} == {groups[0][0].id}
        assert all(proof.self_evaluation is proof.self_score is None for proof in proofs)
        assert len(proofs) == 4
        statements = [record.statement for record in run.records() if isinstance(record, Problem)]
        assert sorted(statements) == sorted([LATEX, "Prove B."])


def test_named_columns(tmp_path: Path) -> None:
    source = table(tmp_path, {"task": {"text": LATEX}, "try": "It is so.", "proof": "not this one"})
    columns = ProofColumns(statement="task.text", proof="try")
    [(problem, [proof])] = list(records_of_table(source, columns))
    assert isinstance(proof, Proof)
    assert (problem.statement, proof.body) == (LATEX, "It is so.")


@pytest.mark.parametrize("row", [{"problem": "Prove A."}, {"problem": "Prove A.", "proof": [1]}])
def test_a_table_without_proofs_names_the_setting(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(LemmataError, match=r"proof_columns\.proof=<column>"):
        list(records_of_table(table(tmp_path, row), ProofColumns()))


def test_an_empty_proof_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LemmataError, match="empty"):
        list(records_of_table(table(tmp_path, {"problem": "Prove A.", "proof": " \n"}), ProofColumns()))
    with pytest.raises(LemmataError, match="the proof of problem one is empty"):
        imported_proof(PROBLEM, " ", model="")


def test_an_imported_proof_has_an_id_of_its_text_and_problem() -> None:
    other = replace(PROBLEM, id="q")
    ids = {imported_proof(problem, text, model=m).id for problem in (PROBLEM, other) for text in "ab" for m in "xy"}
    assert len(ids) == 4


def test_a_run_as_a_source(tmp_path: Path) -> None:
    marks = [label("l1", "human", 1.0), label("l2", "auto", None)]
    records = [PROBLEM, PROOF, analysis("a", 0.5), review("r", 1.0, "a"), *marks]
    run = run_of(tmp_path, records)
    [(problem, taken)] = records_of_run(run, lambda _: True)
    assert problem == PROBLEM
    assert taken == records[1:]
    [(_, taken)] = records_of_run(run, lambda record: isinstance(record, Proof | Label))
    assert taken == [PROOF, *marks]


def test_what_is_not_released_output(tmp_path: Path) -> None:
    assert not is_released(str(tmp_path))
    assert not is_released(str(tmp_path / "missing"))
    assert not is_released(table(tmp_path, {"problem": "Prove A.", "proof": "B."}))
    assert not is_released(str(tmp_path))
