"""Human labels: nothing is lost, agreement is over common labels, exports are tables that training reads."""

import json
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import LemmataError
from core.labeled_cases import write_cases
from core.labels import labels_path, read_with_labels
from core.log import encode
from core.proof_table import proof_rows
from core.records import Label
from core.store import Run
from explorer.index import LogIndex
from explorer.label_export import agreement, labeled_analyses, labeled_proofs, scores_by_author
from explorer.label_queue import LabelProgress, Shares, progress, queue
from explorer.labels import (
    HumanLabel,
    last_label,
    report_statement,
    reports,
    withdraw,
    write_label,
    written_labels,
)  # fmt: skip
from explorer.passages import Passage
from rl.tasks.tables import read_cases
from tests.clocks import HANG
from tests.records import PROBLEM, PROOF, analysis, label, review, run_of

ROOT = Path(__file__).parents[2]
ON_PROOF = HumanLabel(proof_id="y", author="Ada", score=0.5, reason="a gap")
ON_ANALYSIS = HumanLabel(proof_id="y", author="Ada", score=1.0, analysis_id="a")


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
    """Labels in effect, as every reader of the run sees them."""
    log = run / "problems" / "p.jsonl"
    return [record for record in read_with_labels(log) if isinstance(record, Label)]


def test_a_label_is_appended_with_author_time_and_reason(tmp_path: Path) -> None:
    run = made(tmp_path)
    before = (run / "problems" / "p.jsonl").read_bytes()
    passage = Passage("It is so.", 0, 9)
    first = write_label(log_of(run), replace(ON_PROOF, passage=passage))
    second = write_label(log_of(run), replace(ON_PROOF, score=1.0))
    assert (run / "problems" / "p.jsonl").read_bytes() == before
    assert labels_path(run / "problems" / "p.jsonl").read_bytes() == encode(first) + encode(second)
    assert (first.author, first.score, first.reason, first.grader) == ("Ada", 0.5, "a gap", "human")
    assert (first.passage, first.passage_start, first.passage_end) == ("It is so.", 0, 9)
    assert first.created.startswith("20")
    assert scores_by_author([log_of(run)], "proof") == {"Ada": {"y": 1.0}}  # the last one counts


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"author": " "}, "author"),
        ({"score": 0.7}, "rubric"),
        ({"proof_id": "z"}, "proof z"),
        ({"proof_id": "z", "analysis_id": "a"}, "proof z"),
        ({"analysis_id": "y"}, "analysis y"),
    ],
)
def test_an_invalid_label_is_refused(tmp_path: Path, change: dict[str, str], words: str) -> None:
    run = made(tmp_path)
    with pytest.raises(LemmataError, match=words):
        write_label(log_of(run), replace(ON_PROOF, **change))
    assert written(run) == []


def test_labels_are_written_while_the_run_is_on(tmp_path: Path) -> None:
    run = made(tmp_path)
    with Run.start(run, "refine", {}) as writer, closing(writer.log(PROBLEM)) as log:
        index = log_of(run)
        write_label(index, ON_PROOF)
        log.append([replace(PROOF, id="later")])
        index.refresh()
        write_label(index, replace(ON_PROOF, proof_id="later"))
    assert [found.proof_id for found in written(run)] == ["y", "later"]
    assert index.messages == []
    assert scores_by_author([index], "proof") == scores_by_author([log_of(run)], "proof")


def test_two_labelers_at_once_lose_nothing(tmp_path: Path) -> None:
    run, each = made(tmp_path), 40
    code = (
        "import sys; from pathlib import Path; from explorer.index import LogIndex\n"
        "from explorer.labels import HumanLabel, write_label\n"
        "log = LogIndex(Path(sys.argv[1]) / 'problems' / 'p.jsonl')\n"
        "for n in range(int(sys.argv[3])):\n"
        "    write_label(log, HumanLabel('y', sys.argv[2], (0.0, 0.5, 1.0)[n % 3], f'label {n}'))\n"
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
    write_label(log_of(run), ON_ANALYSIS)
    [row] = proof_rows(list(read_with_labels(run / "problems" / "p.jsonl")))
    assert row["human_score"] is None
    assert scores_by_author([log_of(run)], "proof") == {}
    assert scores_by_author([log_of(run)], "analysis") == {"Ada": {"a": 1.0}}


def test_an_undone_label_leaves_the_earlier_one_in_effect(tmp_path: Path) -> None:
    log = log_of(made(tmp_path))
    first = write_label(log, ON_PROOF)
    second = write_label(log, replace(ON_PROOF, score=1.0))
    write_label(log, replace(ON_PROOF, author="Emmy", score=0.0))
    last = last_label([log], "Ada", "proof")
    assert last is not None
    assert last.row.id == second.id
    withdraw(log, second.id, "Ada")
    assert scores_by_author([log], "proof") == {"Ada": {"y": 0.5}, "Emmy": {"y": 0.0}}
    states = [(label.row.id, label.current, label.withdrawn) for label in written_labels([log], "Ada")]
    assert states == [(second.id, False, True), (first.id, True, False)]
    withdraw(log, first.id, "Ada")
    assert last_label([log], "Ada", "proof") is None
    assert not queue([log], "proof", "Ada", Shares())[0].labeled


def test_nobody_withdraws_the_label_of_another(tmp_path: Path) -> None:
    log = log_of(made(tmp_path))
    given = write_label(log, ON_PROOF)
    with pytest.raises(LemmataError, match="by Emmy"):
        withdraw(log, given.id, "Emmy")
    withdraw(log, given.id, "Ada")
    with pytest.raises(LemmataError, match="can be withdrawn"):
        withdraw(log, given.id, "Ada")
    with pytest.raises(LemmataError, match="can be withdrawn"):
        withdraw(log, "a", "Ada")


def test_the_queue_has_undecided_proofs_then_disagreement_and_nothing_twice(tmp_path: Path) -> None:
    proofs = [replace(PROOF, id=name, self_score=1.0) for name in ("calm", "torn", "open")]
    analyses = [analysis("a", 1.0, "calm"), analysis("b", 0.0, "torn"), analysis("c", 1.0, "open")]
    undecided = replace(label("l", "auto", None), proof_id="open")
    run_of(tmp_path, [PROBLEM, *proofs, *analyses, undecided])
    log = log_of(tmp_path / "run")

    def waiting(author: str) -> list[str]:
        return [item.row.id for item in queue([log], "proof", author, Shares()) if item.waiting]

    items = queue([log], "proof", "Ada", Shares())
    assert [item.row.id for item in items] == ["open", "torn", "calm"]
    assert [item.reason for item in items] == ["undecided", "disagreement 1", "not labeled yet"]
    write_label(log, replace(ON_PROOF, proof_id="torn"))
    assert waiting("Ada") == ["open", "calm"]
    assert len(waiting("Emmy")) == 3


def test_analyses_whose_reviews_differ_come_first(tmp_path: Path) -> None:
    items = queue([log_of(made(tmp_path))], "analysis", "Ada", Shares())
    assert [(item.row.id, item.reason) for item in items] == [("a", "its reviews differ"), ("b", "not labeled yet")]


def test_each_item_is_in_the_shares_of_as_many_labelers_as_wanted(tmp_path: Path) -> None:
    people = ("Ada", "Emmy", "Sofia")
    run_of(tmp_path, [PROBLEM, *(replace(PROOF, id=f"n{number}") for number in range(60))])
    log, shares = log_of(tmp_path / "run"), Shares(people, 2)
    mine = {name: {item.row.id for item in queue([log], "proof", name, shares)} for name in people}
    for record in (row.id for row in log.of_kind("proof")):
        assert sum(record in share for share in mine.values()) == 2
    assert all(25 <= len(share) <= 55 for share in mine.values())  # 40 each on average
    assert len(queue([log], "proof", "a guest", shares)) == 60
    for name in ("Ada", "Emmy"):
        write_label(log, replace(ON_PROOF, proof_id="n0", author=name))
    waiting = {item.row.id for item in queue([log], "proof", "a guest", shares) if item.waiting}
    assert len(waiting) == 59  # two labelers are enough
    assert progress([log], "proof", shares) == [LabelProgress(n, int(n != "Sofia"), len(mine[n])) for n in people]


def test_a_reported_statement_leaves_the_queue_of_the_reporter_and_the_exports(tmp_path: Path) -> None:
    log = log_of(made(tmp_path))
    write_label(log, replace(ON_PROOF, author="Emmy"))
    report = report_statement(log, "Ada", "it is false")
    assert [row.value["reason"] for row in reports(log)] == ["it is false"]
    assert [item.waiting for item in queue([log], "proof", "Ada", Shares())] == [False]
    assert [item.waiting for item in queue([log], "proof", "Sofia", Shares())] == [True]
    assert (labeled_proofs([log]).cases, labeled_proofs([log]).reported) == ((), 1)
    withdraw(log, report.id, "Ada")
    assert len(labeled_proofs([log]).cases) == 1


def test_agreement_is_over_what_both_labeled() -> None:
    assert agreement({"a": 1.0, "b": 0.0, "c": 1.0}, {"a": 1.0, "b": 0.0, "d": 0.0}) == (1.0, 2)
    assert agreement({"a": 1.0}, {"b": 1.0}) == (None, 0)


def test_exports_are_tables_that_training_reads(tmp_path: Path) -> None:
    log = log_of(made(tmp_path))
    write_label(log, ON_PROOF)
    write_label(log, replace(ON_PROOF, author="Emmy", reason="the same gap"))
    write_label(log, ON_ANALYSIS)
    proofs, analyses = labeled_proofs([log]), labeled_analyses([log])
    write_cases(tmp_path / "d_v.jsonl", proofs.cases)
    write_cases(tmp_path / "d_mv.jsonl", analyses.cases)
    [case] = read_cases(str(tmp_path / "d_v.jsonl"), ["label"]).rows
    assert (case.statement, case.proof, case.label) == ("Prove A.", "It is so.", 0.5)
    row = json.loads((tmp_path / "d_v.jsonl").read_text())
    assert (row["problem"], row["proof_id"], row["model"]) == ("one", "y", "m")
    assert dict(zip(row["labelers"], row["reasons"], strict=True)) == {"Ada": "a gap", "Emmy": "the same gap"}
    [judged] = read_cases(str(tmp_path / "d_mv.jsonl"), ["analysis", "quality"]).rows
    assert (judged.quality, judged.label) == (1.0, 0.5)
    assert judged.analysis.startswith("Here is my evaluation")
    row = json.loads((tmp_path / "d_mv.jsonl").read_text())
    assert (row["proof_id"], row["analysis_id"], row["labelers"]) == ("y", "a", ["Ada"])


def test_disputed_labels_and_scores_off_the_rubric_are_left_out(tmp_path: Path) -> None:
    run = made(tmp_path)
    write_label(log_of(run), ON_PROOF)
    write_label(log_of(run), replace(ON_PROOF, author="Emmy", score=1.0))
    export = labeled_proofs([log_of(run)])
    assert (export.cases, export.disputed, export.off_rubric) == ((), 1, 0)
    write_label(log_of(run), replace(ON_PROOF, author="Emmy"))
    assert len(labeled_proofs([log_of(run)]).cases) == 1
    other = tmp_path / "other"
    run_of(other, [PROBLEM, PROOF, label("l", "human", 6 / 7, 6, 7)])
    assert labeled_proofs([log_of(other / "run")]).off_rubric == 1
