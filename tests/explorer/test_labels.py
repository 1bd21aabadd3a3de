"""Human labels: nothing is lost, agreement is over common labels, exports are tables that training reads."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import explorer.labels as labels_module
from core.errors import LemmataError
from core.labeled_cases import write_cases
from core.log import encode, read_log
from core.proof_table import proof_rows
from core.records import Label
from core.store import Run
from explorer.index import LogIndex
from explorer.label_queue import analysis_queue, proof_queue
from explorer.labels import (
    HumanLabel,
    agreement,
    labeled_analyses,
    labeled_proofs,
    scores_by_author,
    write_label,
)  # fmt: skip
from rl.tasks.tables import read_cases
from tests.clocks import HANG
from tests.records import PROBLEM, PROOF, analysis, label, review, run_of

ROOT = Path(__file__).parents[2]
ON_PROOF = HumanLabel(problem_id="p", proof_id="y", author="Ada", score=0.5, reason="a gap")
ON_ANALYSIS = HumanLabel(problem_id="p", proof_id="y", author="Ada", score=1.0, analysis_id="a")


def made(folder: Path) -> Path:
    run_of(
        folder, [PROBLEM, PROOF, analysis("a", 0.0), analysis("b", 1.0), review("r", 0.0, "a"), review("s", 1.0, "a")]
    )
    return folder / "run"


def log_of(run: Path) -> LogIndex:
    index = LogIndex(run / "problems" / "p.jsonl")
    index.refresh()
    return index


def written(run: Path) -> list[Label]:
    return [record for record in read_log(run / "problems" / "p.jsonl") if isinstance(record, Label)]


def test_a_label_is_appended_with_author_time_and_reason(tmp_path: Path) -> None:
    run = made(tmp_path)
    before = (run / "problems" / "p.jsonl").read_bytes()
    first, second = write_label(run, ON_PROOF), write_label(run, replace(ON_PROOF, score=1.0))
    assert (run / "problems" / "p.jsonl").read_bytes() == before + encode(first) + encode(second)
    assert (first.author, first.score, first.reason, first.grader, first.analysis_id) == (
        "Ada",
        0.5,
        "a gap",
        "human",
        None,
    )
    assert first.created.startswith("20")
    assert scores_by_author([log_of(run)], "proof") == {"Ada": {"y": 1.0}}  # the last one counts


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"author": " "}, "author"),
        ({"score": 0.7}, "rubric"),
        ({"proof_id": "z"}, "proof z"),
        ({"problem_id": "q"}, "missing"),
    ],
)
def test_an_invalid_label_is_refused(tmp_path: Path, change: dict[str, str], words: str) -> None:
    run = made(tmp_path)
    with pytest.raises(LemmataError, match=words):
        write_label(run, replace(ON_PROOF, **change))
    assert written(run) == []


def test_a_run_that_a_command_writes_takes_no_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path)
    monkeypatch.setattr(labels_module, "SECONDS_TO_WAIT", 0.05)
    with Run.start(run, "refine", {}), pytest.raises(LemmataError, match="writing"):
        write_label(run, ON_PROOF)
    assert written(run) == []


def test_two_labelers_at_once_lose_nothing(tmp_path: Path) -> None:
    run, each = made(tmp_path), 40
    code = (
        "import sys; from pathlib import Path; from explorer.labels import HumanLabel, write_label\n"
        "for n in range(int(sys.argv[3])):\n"
        "    write_label(Path(sys.argv[1]), HumanLabel('p', 'y', sys.argv[2], (0.0, 0.5, 1.0)[n % 3], f'label {n}'))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(run), author, str(each)], cwd=ROOT, stderr=subprocess.PIPE)
        for author in ("Ada", "Emmy")
    ]
    for process in both:
        _, output = process.communicate(timeout=HANG)
        assert process.returncode == 0, output
    labels = written(run)
    assert len({found.id for found in labels}) == 2 * each
    for author in ("Ada", "Emmy"):
        assert [found.reason for found in labels if found.author == author] == [f"label {n}" for n in range(each)]


def test_a_label_of_an_analysis_is_not_a_label_of_its_proof(tmp_path: Path) -> None:
    run = made(tmp_path)
    write_label(run, ON_ANALYSIS)
    [row] = proof_rows(list(read_log(run / "problems" / "p.jsonl")))
    assert row["human_score"] is None
    assert scores_by_author([log_of(run)], "proof") == {}
    assert scores_by_author([log_of(run)], "analysis") == {"Ada": {"a": 1.0}}


def test_the_queue_has_undecided_proofs_then_disagreement_and_nothing_twice(tmp_path: Path) -> None:
    proofs = [replace(PROOF, id=name, self_score=1.0) for name in ("calm", "torn", "open")]
    analyses = [analysis("a", 1.0, "calm"), analysis("b", 0.0, "torn"), analysis("c", 1.0, "open")]
    undecided = replace(label("l", "auto", None), proof_id="open")
    run_of(tmp_path, [PROBLEM, *proofs, *analyses, undecided])
    run = tmp_path / "run"
    log = log_of(run)
    queue = proof_queue([log], "Ada")
    assert [item.row.id for item in queue] == ["open", "torn", "calm"]
    assert [item.reason for item in queue] == ["undecided", "disagreement 1", "not labeled yet"]
    write_label(run, replace(ON_PROOF, proof_id="torn"))
    log.refresh()
    assert [item.row.id for item in proof_queue([log], "Ada")] == ["open", "calm"]
    assert len(proof_queue([log], "Emmy")) == 3


def test_analyses_whose_reviews_differ_come_first(tmp_path: Path) -> None:
    queue = analysis_queue([log_of(made(tmp_path))], "Ada")
    assert [(item.row.id, item.reason) for item in queue] == [("a", "its reviews differ"), ("b", "not labeled yet")]


def test_agreement_is_over_what_both_labeled() -> None:
    assert agreement({"a": 1.0, "b": 0.0, "c": 1.0}, {"a": 1.0, "b": 0.0, "d": 0.0}) == (1.0, 2)
    assert agreement({"a": 1.0}, {"b": 1.0}) == (None, 0)


def test_exports_are_tables_that_training_reads(tmp_path: Path) -> None:
    run = made(tmp_path)
    write_label(run, ON_PROOF)
    write_label(run, ON_ANALYSIS)
    proofs, analyses = labeled_proofs([log_of(run)]), labeled_analyses([log_of(run)])
    write_cases(tmp_path / "d_v.jsonl", proofs.cases)
    write_cases(tmp_path / "d_mv.jsonl", analyses.cases)
    [case] = read_cases(str(tmp_path / "d_v.jsonl"), ["label"]).rows
    assert (case.statement, case.proof, case.label) == ("Prove A.", "It is so.", 0.5)
    [judged] = read_cases(str(tmp_path / "d_mv.jsonl"), ["analysis", "quality"]).rows
    assert (judged.quality, judged.label) == (1.0, 0.5)
    assert judged.analysis.startswith("Here is my evaluation")


def test_disputed_labels_and_scores_off_the_rubric_are_left_out(tmp_path: Path) -> None:
    run = made(tmp_path)
    write_label(run, ON_PROOF)
    write_label(run, replace(ON_PROOF, author="Emmy", score=1.0))
    export = labeled_proofs([log_of(run)])
    assert (export.cases, export.disputed, export.off_rubric) == ((), 1, 0)
    write_label(run, replace(ON_PROOF, author="Emmy"))
    assert len(labeled_proofs([log_of(run)]).cases) == 1
    other = tmp_path / "other"
    run_of(other, [PROBLEM, PROOF, label("l", "human", 6 / 7, 6, 7)])
    assert labeled_proofs([log_of(other / "run")]).off_rubric == 1
