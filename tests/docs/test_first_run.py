"""The first run: its recorded trace shows a proof that fails, a critique that says where, and a proof that passes."""

import shutil
from pathlib import Path

import pytest

from core.store import Run
from docs.scripts.first_run import PROBLEM, main, refinements

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "examples" / "refined-run"


def test_the_recorded_run_shows_refinement() -> None:
    [one] = refinements(Run.read(RECORDED))
    assert one.statement == PROBLEM.read_text().strip()
    assert (one.accepted, one.complete, one.was_needed, one.shows) == (True, True, True, True)


def test_a_run_without_a_refined_proof_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(RECORDED, folder)
    [log] = (folder / "problems").glob("*.jsonl")
    log.write_text(log.read_text().replace('"round":1', '"round":0'))
    monkeypatch.setattr("sys.argv", ["first_run", str(folder)])
    assert main() == 1
    assert "refinement was needed in 0" in capsys.readouterr().out
