"""Shapes met in files that projects publish: attempts in a problem, answers cut off, thoughts, samples of a harness."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.columns import ProofColumns
from core.errors import LemmataError
from core.imported_table import ImportNotes, records_of_table
from core.records import Label, Problem, Proof

MATHARENA = {
    "problem_idx": "1", "problem": "A line is sunny.", "model_name": "m", "idx_answer": 0, "answer": "Proof.",
    "points_judge_1": 6, "max_points_judge_1": 7, "points_judge_2": 7, "max_points_judge_2": 7,
}  # fmt: skip


def written(folder: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> str:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(folder / name)


def read(source: str, notes: ImportNotes | None = None) -> list[tuple[Problem, Proof, list[Label]]]:
    found = []
    for problem, (proof, *labels) in records_of_table(source, ProofColumns(), None, notes):
        assert isinstance(proof, Proof)
        found.append((problem, proof, [label for label in labels if isinstance(label, Label)]))
    return found


def corpus_problem(name: str, *gradings: Any) -> dict[str, Any]:
    """A problem of the Open Proof Corpus, with one attempt for each grading."""
    attempts = [
        {"model_id": f"model-{number}", "solution": f"Attempt {number}.", "thinking": None, "cost": {"cost": 0.1},
         "grading": grading, "rejected": False, "annotations": None, "timestamp": "t",
         "llm_judgment": {"result": {"summary": "s", "issues": []}}}
        for number, grading in enumerate(gradings)
    ]  # fmt: skip
    return {"problem_id": name, "problem": f"Prove {name}.", "metadata": {"year": 1997},
            "solutions": [{"solution": "R.", "author": "Human", "images": {}}],
            "grading_scheme": [{"part_id": 1, "title": "Correctness", "description": "<p>x</p>", "points": 1}],
            "points": 1, "attempts": attempts}  # fmt: skip


def test_a_folder_of_problems_of_the_open_proof_corpus(tmp_path: Path) -> None:
    graded = {"score": 1, "uncertain": False, "details": [{"part_id": 1, "score": 1, "feedback": "A good one."}]}
    for name, gradings in (("a", (graded, None)), ("b", (graded | {"score": 0},))):
        (tmp_path / f"{name}.json").write_text(json.dumps(corpus_problem(name, *gradings), indent=1))
    notes = ImportNotes()
    found = read(str(tmp_path), notes)
    assert [(problem.name, proof.text, proof.model) for problem, proof, _ in found] == [
        ("a", "Attempt 0.", "model-0"), ("a", "Attempt 1.", "model-1"), ("b", "Attempt 0.", "model-0")
    ]  # fmt: skip
    assert [[(label.score, label.reason) for label in labels] for *_, labels in found] == [
        [(1.0, "A good one.")], [], [(0.0, "A good one.")]
    ]  # fmt: skip
    assert {problem.reference for problem, *_ in found} == {"R."}
    assert notes.formats == {"Open Proof Corpus": 3}


@pytest.mark.parametrize("encoded", [False, True])
def test_matharena_criteria_are_guidelines_and_reasons(tmp_path: Path, encoded: bool) -> None:
    details: Any = [
        {"title": "Setup", "points": 2, "max_points": 3, "grading_scheme_desc": "All cases.", "desc": "One lacks."},
        {"title": "Finish", "points": 4, "max_points": 4, "grading_scheme_desc": "Concludes.", "desc": ""},
    ]  # fmt: skip
    row = MATHARENA | {"grading_details_judge_1": json.dumps(details) if encoded else details}
    [(problem, _, labels)] = read(written(tmp_path, [row | {"grading_details_judge_2": None}]))
    assert problem.guidelines == "Setup (3 points): All cases.\n\nFinish (4 points): Concludes."
    assert [label.reason for label in labels] == ["Setup (2 points): One lacks.", ""]


def test_no_thoughts_reach_a_judge(tmp_path: Path) -> None:
    texts = ["<think>Wrong?</think>\n\nSo A.", "Hm.</think>So A.", "<think>Never done", "A <think> is a tag."]
    for rows in (
        [MATHARENA | {"answer": text, "idx_answer": number} for number, text in enumerate(texts)],
        [{"problem": "Prove A.", "proof": text, "model": "m", "points": 3} for text in texts],
    ):
        proofs = [proof for _, proof, _ in read(written(tmp_path, rows))]
        assert [proof.body for proof in proofs] == ["So A.", "So A.", None, texts[3]]
        assert proofs[2].finish_reason == "length"


def gym(status: str, details: Any = None) -> dict[str, Any]:
    message = {"type": "message", "content": [{"type": "output_text", "text": f"So {status}, {details}"}]}
    response = {"model": "m", "output": [message], "status": status, "incomplete_details": details}
    request = {"input": [{"role": "user", "content": "Prove A."}]}
    return {"responses_create_params": request, "response": response, "reward": 0.0}


def test_an_answer_that_was_cut_off_is_no_proof(tmp_path: Path) -> None:
    rows = [gym("completed"), gym("incomplete"), gym("incomplete", {"reason": "max_output_tokens"}),
            gym("incomplete", {"reason": "content_filter"})]  # fmt: skip
    reasons = [(proof.finish_reason, proof.body is None) for _, proof, _ in read(written(tmp_path, rows))]
    assert reasons == [("stop", False), ("length", True), ("length", True), ("content_filter", True)]
    skills = [{"problem": "Prove A.", "generation": f"{end}.", "finish_reason": end} for end in ("stop", "length")]
    assert [proof.body for _, proof, _ in read(written(tmp_path, skills))] == ["stop.", None]
    ends = ("stop", "tool_calls", "unknown", "max_tokens", "length", "model_length", "content_filter")
    log = {"version": 2, "status": "success", "eval": {"model": "m"}, "samples": [
        {"id": end, "epoch": 1, "input": "Prove A.", "target": "7", "scores": {"exact": {"value": "I"}},
         "output": {"model": "m", "choices": [{"message": {"content": "So A."}, "stop_reason": end}]}}
        for end in ends]}  # fmt: skip
    (tmp_path / "log.json").write_text(json.dumps(log))
    assert [proof.body for _, proof, _ in read(str(tmp_path / "log.json"))] == ["So A."] * 3 + [None] * 4


def test_an_empty_answer_is_an_attempt_without_a_proof(tmp_path: Path) -> None:
    chats = [
        {"messages": [{"role": "user", "content": "Prove A."}, {"role": "assistant", "content": text}], "model": model}
        for text, model in (("So A.", "a"), ("", "b"), (" ", "c"))
    ]
    notes = ImportNotes()
    assert [proof.body for _, proof, _ in read(written(tmp_path, chats), notes)] == ["So A.", None, None]
    assert any("2 of 3 answers are empty or cut off" in line for line in notes.lines("rows"))
    with pytest.raises(LemmataError, match="none of its 2 rows holds a whole answer"):
        read(written(tmp_path, chats[1:]))
    graded = [MATHARENA | {"answer": "", "idx_answer": number, "points_judge_1": 0} for number in range(2)]
    assert [proof.body for _, proof, _ in read(written(tmp_path, graded))] == [None, None]


@pytest.mark.parametrize("samples", [[], None])
def test_a_log_without_samples_is_named(tmp_path: Path, samples: Any) -> None:
    log = {"version": 2, "status": "success", "eval": {"model": "m"}, "samples": samples}
    (tmp_path / "log.json").write_text(json.dumps(log))
    with pytest.raises(LemmataError, match="without samples: write it with log_samples=True"):
        read(str(tmp_path / "log.json"))


def sample(resps: list[list[Any]], **cells: Any) -> dict[str, Any]:
    """A sample as lm-evaluation-harness logs it."""
    arguments = {"gen_args_0": {"arg_0": "Q: Find n.\nA:", "arg_1": {"until": []}}}
    return {"doc_id": 0, "doc": {"problem": "Find n."}, "target": "42", "arguments": arguments, "resps": resps,
            "filtered_resps": ["42"], "filter": "none", "metrics": ["exact_match"], "exact_match": 1.0,
            "doc_hash": "h"} | cells  # fmt: skip


def test_samples_of_lm_evaluation_harness(tmp_path: Path) -> None:
    prompt = json.dumps([{"role": "system", "content": "s"}, {"role": "user", "content": "Find m."}])
    rows = [
        sample([["So 42."]]),
        sample([["So 42."]], filter="flexible-extract", exact_match=0.0),
        sample([["a", "b"]], doc={"question": "Find k."}),
        sample([["So m."]], doc={}, arguments={"gen_args_0": {"arg_0": [prompt]}}),
        sample([["So p."]], doc={}, arguments=[["Find p.", {"until": []}]]),
    ]
    del rows[4]["metrics"], rows[4]["exact_match"]
    rows[4] |= {"exact_match,none": 1.0, "f1,none": ["not", "a share"]}
    found = read(written(tmp_path, rows))
    statements = ["Find n.", "Find n.", "Find k.", "Find k.", "Find m.", "Find p."]
    assert [problem.statement for problem, *_ in found] == statements
    assert [proof.text for _, proof, _ in found] == ["So 42.", "So 42.", "a", "b", "So m.", "So p."]
    assert found[0][1].id == found[1][1].id
    assert [[(label.author, label.score) for label in labels] for *_, labels in found] == [
        [("lm-eval exact_match", 1.0)], [("lm-eval exact_match (flexible-extract)", 0.0)], [], [],
        [("lm-eval exact_match", 1.0)], [("lm-eval exact_match", 1.0)]
    ]  # fmt: skip
    with pytest.raises(LemmataError, match="log-likelihoods"):
        read(written(tmp_path, [sample([[-18.5, False], [-3.2, True]])]))
