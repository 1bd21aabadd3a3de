"""The report of the 84 released proofs, from the command line."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.command import CommandLine
from tests.shared import shared

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.lemmata.conftest"]

TOTALS = {
    "IMO2025": "35/42",
    "CMO2024": "93/126",
    "Putnam2024": "118/120",
    "IMO-ProofBench-Basic": "208/210",
    "IMO-ProofBench-Advanced": "130/210",
}


def released(folder: Path, *rows: tuple[str, float, float]) -> str:
    """An outputs file like DeepSeekMath-V2's, of (problem, mean of verdicts, human points)."""
    path = folder / "IMO2025.jsonl"
    lines = [
        {
            "question": f"Prove {name}.",
            "problem_idx": name,
            "model_prediction": {"proof": f"So {name}.", "average_automatic_rating": mean, "human_rating": points},
        }
        for name, mean, points in rows
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def report(lemmata: CommandLine, source: str, *more: str) -> str:
    """Imports a source and reports on it; returns the output of the report command."""
    lemmata.ok("import", f"source={source}", "run=released")
    return lemmata.ok("evaluate", "report", "run=released", "out=report", *more).out


def test_the_scores_of_the_released_proofs(lemmata: CommandLine) -> None:
    output = report(lemmata, str(shared("data/deepseek_math_v2/outputs")), "plots=false")
    for source, total in TOTALS.items():
        assert f"released, {source}.jsonl: {total} by human (DeepSeek-AI, as released), unscored 0\n" in output
    assert "automatic against human, all: precision 65/72, recall 65/65" in output
    text = (lemmata.folder / "report" / "report.md").read_text()
    assert "| all | 84 | 72 | 65/72 | 0.903" in text
    assert "7 proofs accepted without a full score" in text
    rows = pq.read_table(lemmata.folder / "report" / "proofs.parquet").to_pylist()
    assert len(rows) == 84
    assert sum(row["human_points"] for row in rows) == 584
    assert {row["verifier_score"] for row in rows} == {None}  # the imported mean belongs to another grader


def test_scores_without_the_data(lemmata: CommandLine) -> None:
    rows = [("IMO2025-1", 1.0, 7), ("IMO2025-2", 1.0, 6), ("IMO2025-3", 0.5, 0), ("IMO2025-4", 0.9, 7)]
    output = report(lemmata, released(lemmata.folder, *rows), "plots=false")
    assert "released, IMO2025.jsonl: 20/28 by human" in output
    assert "precision 1/2, recall 1/2, three-class accuracy 0.250" in output
    text = (lemmata.folder / "report" / "report.md").read_text()
    assert "1 proof accepted" in text
    assert "IMO2025-2" in text


def test_the_report_is_the_same_each_time_and_holds_its_plots(lemmata: CommandLine) -> None:
    pytest.importorskip("matplotlib")
    source = released(lemmata.folder, ("IMO2025-1", 1.0, 7), ("IMO2025-2 $\\frac", 0.5, 3))
    report(lemmata, source)
    folder = lemmata.folder / "report"
    before = (folder / "report.html").read_bytes()
    assert (folder / "calibration.png").read_bytes().startswith(b"\x89PNG")
    assert b'<img src="calibration.png"' in before
    lemmata.ok("evaluate", "report", "run=released", "out=report")
    assert (folder / "report.html").read_bytes() == before


def test_bad_input_is_one_message(lemmata: CommandLine) -> None:
    assert "no run.yaml" in lemmata.fails("evaluate", "report", "run=missing", "out=report")
    assert "out is not set" in lemmata.fails("evaluate", "report", "run=missing")
    lemmata.ok("import", f"source={released(lemmata.folder, ('IMO2025-1', 1.0, 7))}", "run=a/r")
    assert "have the name r;" in lemmata.fails("evaluate", "report", "run=[a/r,a/r]", "out=report")
    message = lemmata.fails("evaluate", "report", "run=a/r", "out=report", "half_at=2")
    assert message.startswith("lemmata: half_at=2")
