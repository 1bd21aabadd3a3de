"""Tables as projects publish them: every format with its grades, and files as people have them."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.champ import wrong_step
from core.columns import ProofColumns
from core.errors import LemmataError
from core.imported_table import ImportNotes, TableGrades, records_of_table
from core.records import Label, Problem, Proof, Record
from core.tables import open_table

Rows = list[dict[str, Any]]


def jsonl(folder: Path, rows: Rows) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def parquet(folder: Path, rows: Rows) -> str:
    pq.write_table(pa.Table.from_pylist(rows), folder / "train-00000-of-00001.parquet")
    return str(folder / "train-00000-of-00001.parquet")


def read(source: str, **grades: Any) -> list[tuple[Problem, Proof, list[Label]]]:
    found = []
    for problem, (proof, *labels) in records_of_table(source, ProofColumns(), TableGrades(**grades)):
        assert isinstance(proof, Proof)
        found.append((problem, proof, [label for label in labels if isinstance(label, Label)]))
    return found


def points(labels: list[Label]) -> list[tuple[str, str, float | None, float | None]]:
    return [(label.grader, label.author, label.points, label.max_points) for label in labels]


MATHARENA = {
    "problem_idx": "1", "problem": "A line is sunny.", "model_name": "o3 (high)", "model_config": "openai/o3",
    "idx_answer": 0, "all_messages": [{"content": "x", "role": "user", "type": None}], "user_message": "Prove it.",
    "answer": "Proof text.", "input_tokens": 10, "output_tokens": 20, "cost": 0.5, "input_cost_per_tokens": 1.0,
    "output_cost_per_tokens": 4.0, "source": None, "history": None, "points_judge_1": 6,
    "grading_details_judge_1": [{"desc": "d", "grading_scheme_desc": "g", "max_points": 7, "points": 6, "title": "t"}],
    "error_judge_1": None, "max_points_judge_1": 7, "points_judge_2": 7.0, "grading_details_judge_2": None,
    "error_judge_2": None, "max_points_judge_2": 7.0,
}  # fmt: skip


def test_matharena_outputs_with_two_judges_and_an_empty_answer(tmp_path: Path) -> None:
    empty = MATHARENA | {"answer": "", "points_judge_1": 0, "points_judge_2": float("nan")}
    rows = [MATHARENA, empty | {"idx_answer": 1}, empty | {"idx_answer": 2}, empty | {"model_name": "grok-4"}]
    found = read(parquet(tmp_path, rows))
    assert points(found[0][2]) == [("human", "MathArena judge 1", 6, 7), ("human", "MathArena judge 2", 7, 7)]
    assert [(proof.model, len(labels)) for _, proof, labels in found] == [
        ("o3 (high)", 2), ("o3 (high)", 1), ("o3 (high)", 1), ("grok-4", 1)
    ]  # fmt: skip
    assert len({proof.id for _, proof, _ in found}) == 4  # three empty answers are three attempts
    assert {problem.name for problem, _, _ in found} == {"1"}


def test_matharena_final_answers(tmp_path: Path) -> None:
    row = {"problem_idx": 3, "problem": "Find n.", "model_name": "m", "idx_answer": 1, "gold_answer": 42,
           "answer": "So \\boxed{42}.", "parsed_answer": "42", "correct": True}  # fmt: skip
    [(problem, proof, labels)] = read(parquet(tmp_path, [row]))
    assert (problem.answer, proof.text) == ("42", "So \\boxed{42}.")
    assert [(label.grader, label.score) for label in labels] == [("automatic", 1.0)]


def test_open_proof_corpus_with_two_judgments(tmp_path: Path) -> None:
    row = {"problem_id": "BMOSL_2016_10", "solution": "S.", "score": [1, 0], "uncertain": [False, True],
           "feedback": ["fine", "gap"], "annotations": [[], []], "judge_id": ["a1", "b2"], "problem": "Prove it.",
           "ground_truth_solution": "G.", "model_id": "openai/o3", "split": "generic", "thinking": None}  # fmt: skip
    single = row | {"score": [None], "judge_id": ["a1"], "solution": "T."}
    (problem, _, labels), (_, _, ungraded) = read(parquet(tmp_path, [row, single]))
    assert (problem.name, problem.reference) == ("BMOSL_2016_10", "G.")
    assert [(label.author, label.score, label.reason) for label in labels] == [
        ("Open Proof Corpus judge a1", 1, "fine"), ("Open Proof Corpus judge b2", 0, "gap")
    ]  # fmt: skip
    assert ungraded == []


def test_imo_gradingbench(tmp_path: Path) -> None:
    path = tmp_path / "gradingbench.csv"
    head = "Grading ID,Problem ID,Problem,Solution,Grading guidelines,Response,Points,Reward,Problem Source\n"
    path.write_text(f'{head}GB-0001,PB-Advanced-001,"Prove, that",Sol,(Partial) x,Resp,6,Almost,IMO 2024\n')
    [(problem, proof, labels)] = read(str(path))
    assert (problem.statement, problem.reference, problem.guidelines) == ("Prove, that", "Sol", "(Partial) x")
    assert proof.text == "Resp"
    assert points(labels) == [("human", "IMO-GradingBench", 6, 7)]
    assert labels[0].reason == "Almost"


def test_proofbench_of_proofgrader(tmp_path: Path) -> None:
    row = {"problem_id": "APMO-2022-1", "problem": "P.", "generator": "gemini-2.5-pro", "model_solution": "M.",
           "reference_solution": "R.", "expert_rating": 3, "marking_scheme": "2 points for x", "generation_prompt": "g",
           "metadata": {"contest": "APMO", "contest_year": "2022"}, "response_number": 4}  # fmt: skip
    [(problem, proof, labels)] = read(parquet(tmp_path, [row]))
    assert (problem.guidelines, proof.model) == ("2 points for x", "gemini-2.5-pro")
    assert points(labels) == [("human", "ProofBench expert", 3, 7)]


@pytest.mark.parametrize("kind", ["processbench", "hard2verify"])
def test_solutions_in_steps_with_the_first_wrong_one(tmp_path: Path, kind: str) -> None:
    steps = ["First step.", "Second, wrong.", "Third."]
    rows = (
        [{"id": f"omnimath-{n}", "generator": "Qwen", "problem": f"P{n}.", "steps": steps, "label": label,
          "final_answer_correct": label < 0} for n, label in enumerate((1, -1))]
        if kind == "processbench"
        else [{"unique_id": f"h{n}", "question": f"P{n}.", "model_response_by_step": steps, "human_labels": labels,
               "human_labels_first_error_idx": 1, "model": "Qwen"} for n, labels in enumerate(([1, 0, 1], [1, 1, 1]))]
    )  # fmt: skip
    (_, proof, [wrong]), (_, _, [right]) = read(jsonl(tmp_path, rows))
    assert proof.text == "\n\n".join(steps)
    assert (wrong.score, right.score, proof.model) == (0.0, 1.0, "Qwen")
    span = wrong_step(wrong)
    assert span is not None
    assert proof.text[span[0] : span[1]] == "Second, wrong."
    assert wrong_step(right) is None


def test_encrypted_rows_of_hard2verify_are_named(tmp_path: Path) -> None:
    row = {"unique_id": "h", "question": "gAAA", "model_response_by_step": "gAAB", "human_labels": "x", "canary": "c"}
    with pytest.raises(LemmataError, match="encrypted"):
        read(jsonl(tmp_path, [row]))


def test_nemo_gym_and_nemo_skills(tmp_path: Path) -> None:
    gym = {"responses_create_params": {"input": [{"role": "user", "content": "Prove A."}]}, "reward": 1.0,
           "response": {"model": "nemotron", "output": [
               {"type": "reasoning", "summary": []},
               {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "So A."}]}]},
           "expected_answer": "7"}  # fmt: skip
    [(problem, proof, [label])] = read(jsonl(tmp_path, [gym]))
    assert (problem.statement, problem.answer, proof.text, proof.model) == ("Prove A.", "7", "So A.", "nemotron")
    assert (label.grader, label.author, label.score) == ("automatic", "NeMo Gym reward", 1.0)
    gym |= {"library_reward": 0.0, "judge_points": 6, "rubric": "Half: 3", "reference_solution": "See."}
    gym["responses_create_params"] = {
        "input": "Solve the following math problem. Put the answer inside \\boxed{}.\n\nProve A.\n\nAnd B."
    }
    [(problem, _, labels)] = read(jsonl(tmp_path, [gym]))
    assert (problem.statement, problem.reference, problem.guidelines) == ("Prove A.\n\nAnd B.", "See.", "Half: 3")
    assert [(one.author, one.score) for one in labels] == [
        ("NeMo Gym reward", 1.0), ("NeMo Gym answer check", 0.0), ("NeMo Gym judge", pytest.approx(6 / 7))
    ]  # fmt: skip
    skills = {"problem": "Prove B.", "expected_answer": "8", "generation": "<think>hm</think>So B.",
              "predicted_answer": "8", "symbolic_correct": False,
              "judgement": "Reasoning: x\nJudgement: Yes"}  # fmt: skip
    [(problem, proof, labels)] = read(jsonl(tmp_path, [skills]))
    assert proof.text == "So B."
    assert [(label.author, label.score) for label in labels] == [
        ("NeMo-Skills answer check", 0.0), ("NeMo-Skills judge", 1.0)
    ]  # fmt: skip


def judgment(prompt: str, **more: Any) -> dict[str, Any]:
    """A rollout of a judge in NeMo Gym."""
    answer = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Judgement: No"}]}]
    request = {"input": [{"role": "user", "content": prompt}]}
    return {"responses_create_params": request, "response": {"model": "m", "output": answer}, "reward": 0.0, **more}


def test_a_judged_proof_of_nemo_gym_is_the_proof_and_not_the_judgment(tmp_path: Path) -> None:
    row = judgment("You are judging ...", problem="Prove A.", proof="So A.", expected_judgement="Judgement: Yes")
    [(problem, proof, labels)] = read(jsonl(tmp_path, [row | {"extracted_judgement": "No"}]))
    assert (problem.statement, proof.text, proof.model) == ("Prove A.", "So A.", "")
    assert [(one.author, one.score) for one in labels] == [("NeMo Gym reference", 1.0), ("judge m", 0.0)]
    [(_, _, labels)] = read(jsonl(tmp_path, [row | {"extracted_judgement": None}]))
    assert [one.author for one in labels] == ["NeMo Gym reference"]


@pytest.mark.parametrize(
    "prompt",
    [
        "## Instruction\n\nYour task is to evaluate the quality of a solution to a problem. It may ask for a proof",
        "You are given a math problem and two candidate solutions written by different students.",
        "Carefully analyze the given problem statement and the proposed solution, and then write out your analysis",
        "Please act as an impartial grader. Decide about the correctness of the student's proof, step by step",
    ],
)
def test_a_judgment_whose_proof_stands_in_its_prompt_is_no_proof(tmp_path: Path, prompt: str) -> None:
    with pytest.raises(LemmataError, match=r"rows\.jsonl:1: this is a judge's answer"):
        read(jsonl(tmp_path, [judgment(prompt)]))


def test_no_self_evaluation_of_an_imported_proof_reaches_a_judge(tmp_path: Path) -> None:
    text = (
        "## Solution\n\nLet n = 2k.\n\n## Self Evaluation\n\nHere is my evaluation of the solution: right.\n"
        "Based on my evaluation, the final overall score should be:\n\\boxed{1}"
    )
    plain = "We have n = 2k.\n\n## Conclusion\n\nSo n is even."
    rows = [{"problem": "Prove A.", "proof": each, "model": "m"} for each in (text, plain)]
    assert [proof.text for _, proof, _ in read(jsonl(tmp_path, rows))] == ["Let n = 2k.", plain]
    chat = [{"role": "user", "content": "Prove B."}, {"role": "assistant", "content": text}]
    assert read(jsonl(tmp_path, [{"messages": chat}]))[0][1].body == "Let n = 2k."


@pytest.mark.parametrize("key", ["messages", "conversations"])
def test_chat_messages(tmp_path: Path, key: str) -> None:
    speaker, content = ("role", "content") if key == "messages" else ("from", "value")
    user, assistant = ("user", "assistant") if key == "messages" else ("human", "gpt")
    messages = [{speaker: "system", content: "Be good."}, {speaker: user, content: "Prove A."},
                {speaker: assistant, content: "<think>x</think>So A."}]  # fmt: skip
    [(problem, proof, _)] = read(jsonl(tmp_path, [{key: messages, "model_name": "m"}]))
    assert (problem.statement, proof.text, proof.model) == ("Prove A.", "So A.", "m")


def inspect_sample(number: int, value: Any) -> dict[str, Any]:
    message = {
        "role": "assistant",
        "content": [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "So."}],
    }
    return {"id": f"s{number}", "epoch": 1, "input": [{"role": "user", "content": f"Prove {number}."}], "target": "7",
            "output": {"model": "openai/gpt", "choices": [{"message": message}]},
            "scores": {"math": {"value": value, "answer": "7", "explanation": "because"}}}  # fmt: skip


@pytest.mark.parametrize("kind", [".json", ".eval"])
def test_logs_of_inspect(tmp_path: Path, kind: str) -> None:
    header = {"version": 2, "status": "success", "eval": {"task": "t", "model": "openai/gpt"}}
    samples = [inspect_sample(number, value) for number, value in enumerate(["C", "I", "P", "N", 0.25, 6, {"a": 1}])]
    path = tmp_path / f"log{kind}"
    if kind == ".json":
        path.write_text(json.dumps(header | {"samples": samples}))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("header.json", json.dumps(header))
            for number, sample in enumerate(samples):
                archive.writestr(f"samples/s{number}_epoch_1.json", json.dumps(sample))
    found = read(str(path))
    assert [problem.statement for problem, _, _ in found] == [f"Prove {number}." for number in range(7)]
    assert {(proof.text, proof.model) for _, proof, _ in found} == {("So.", "openai/gpt")}
    assert [[label.score for label in labels] for _, _, labels in found] == [[1.0], [0.0], [0.5], [], [0.25], [], []]
    assert {label.author for _, _, labels in found for label in labels} == {"inspect math"}


@pytest.mark.parametrize("content", [b"PK\x03\x04 broken", b"no archive", b""])
def test_broken_archives_are_one_message(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log.eval").write_bytes(content)
    with pytest.raises(LemmataError, match=r"log\.eval"):
        read(str(tmp_path / "log.eval"))


# Tables of no known format


def test_grades_and_models_of_any_table(tmp_path: Path) -> None:
    rows = [
        {"problem": "A.", "proof": "1", "model_name": "big", "points": 6, "grader": "Ada"},
        {"problem": "A.", "proof": "1", "model_name": "small", "points": "3/7", "grader": "Ada"},
        {"problem": "A.", "proof": "2", "model_name": "small", "points": [7, 5], "grader": ["Ada", "Emmy"]},
        {"problem": "B.", "proof": "1", "model_name": "small", "points": None},
    ]
    notes = ImportNotes()
    records = [list(found) for _, found in records_of_table(jsonl(tmp_path, rows), ProofColumns(), None, notes)]
    proofs = [record for found in records for record in found if isinstance(record, Proof)]
    assert [proof.model for proof in proofs] == ["big", "small", "small", "small"]
    assert len({proof.id for proof in proofs}) == 4
    labels: list[Record] = [record for found in records for record in found if isinstance(record, Label)]
    assert [(label.points, label.author) for label in labels if isinstance(label, Label)] == [
        (6, "Ada"), (3, "Ada"), (7, "Ada"), (5, "Emmy")
    ]  # fmt: skip
    assert notes.lines("t") == ["1 of 4 proofs have no grade"]


@pytest.mark.parametrize(
    ("column", "cell", "score"),
    [("correct", 1, 1.0), ("score", "70%", 0.7), ("grade", "fail", 0.0), ("human_rating", 3.5, 0.5)],
)
def test_columns_of_grades_are_found(tmp_path: Path, column: str, cell: Any, score: float) -> None:
    [(_, _, [label])] = read(jsonl(tmp_path, [{"problem": "A.", "proof": "1", column: cell}]))
    assert label.score == pytest.approx(score)
    assert (label.grader, label.author) == ("human", "rows.jsonl")
    [(_, _, [label])] = read(
        jsonl(tmp_path, [{"problem": "A.", "proof": "1", column: cell}]), grader="automatic", author="x"
    )
    assert (label.grader, label.author) == ("automatic", "x")


def test_a_scale_from_0_to_1_is_warned_of(tmp_path: Path) -> None:
    notes = ImportNotes()
    source = jsonl(tmp_path, [{"problem": "A.", "proof": str(n), "score": n / 2} for n in range(3)])
    list(records_of_table(source, ProofColumns(), TableGrades(), notes))
    assert any("no score exceeds 1 of 7" in line for line in notes.lines(source))


def test_a_row_of_another_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(LemmataError, match=r"rows\.jsonl:2: not a row of the format MathArena"):
        read(jsonl(tmp_path, [MATHARENA, {"problem": "A.", "proof": "B."}]))


# Files


TEXT = 'problem;proof;points\nProve Ä, or B.;"x; y";6\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", TEXT.encode()),
        ("t.csv", TEXT.encode("utf-16")),
        ("t.csv", TEXT.encode("utf-16-be").join([b"\xfe\xff", b""])),
        ("t.csv.gz", gzip.compress(TEXT.encode(), mtime=0)),
        ("t.csv.gz", gzip.compress(TEXT.encode("utf-16"), mtime=0)),
        ("t.tsv", TEXT.replace(";", "\t").replace("x\t", "x;").encode()),
        ("t.csv", TEXT.replace(";", "\t").replace("x\t", "x;").encode()),
        ("t.jsonl.gz", gzip.compress(b'{"problem": "Prove \xc3\x84, or B.", "proof": "x; y", "points": 6}\n', mtime=0)),
        ("t.json.gz", gzip.compress(b'[{"problem": "Prove \xc3\x84, or B.", "proof": "x; y", "points": 6}]', mtime=0)),
    ],
)
def test_files_as_people_have_them(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    [(problem, proof, [label])] = read(str(tmp_path / name))
    assert (problem.statement, proof.text, label.points) == ("Prove Ä, or B.", "x; y", 6)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl", "t.eval"])
def test_pointers_are_named(tmp_path: Path, name: str) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:26a4\nsize 448542\n"
    (tmp_path / name).write_text(pointer)
    with pytest.raises(LemmataError, match="pointer of Git LFS"):
        read(str(tmp_path / name))


@pytest.mark.parametrize("content", [gzip.compress(b"problem,proof\n" * 99, mtime=0)[:30], b"no gzip"])
def test_a_broken_gzip_is_one_message(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv.gz").write_bytes(content)
    with pytest.raises(LemmataError, match=r"t\.csv\.gz: broken gzip"):
        list(open_table(str(tmp_path / "t.csv.gz"), None, None))


def test_a_line_without_an_end_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.text_files.MAX_LINE", 1000)
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(b"x" * 10**6, mtime=0))
    with pytest.raises(LemmataError, match=r"t\.jsonl\.gz:1: a line of more than"):
        list(open_table(str(tmp_path / "t.jsonl.gz"), None, None))
