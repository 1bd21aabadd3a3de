"""Split of mathematical texts: all texts about one problem fall on one side."""

import csv
import json
import sys
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from model.convert import math_text


def data(folder: Path, problems: list[str]) -> Path:
    """The data sets, each with every problem, spaced and cased differently."""
    outputs = folder / "deepseek_math_v2" / "outputs"
    for part in (outputs, folder / "imobench", folder / "proof_problems"):
        part.mkdir(parents=True)
    rows = [{"question": problem, "model_prediction": {"proof": f"proof of {problem}"}} for problem in problems]
    (outputs / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (folder / "imobench" / "proofbench_v2.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Problem", "Solution"])
        writer.writerows([problem.upper(), f"solution of {problem}"] for problem in problems)
    spaced = [problem.replace(" ", "  ") for problem in problems]
    parquet.write_table(pyarrow.table({"problem": spaced}), folder / "proof_problems" / "problems.parquet")
    return folder


def test_a_problem_is_on_one_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [f"Show that $x_{{{number}}}$ is even." for number in range(60)]
    monkeypatch.setattr(sys, "argv", ["math_text.py", str(data(tmp_path / "data", problems)), str(tmp_path / "text")])
    math_text.main()
    sides = {
        name: [json.loads(line)["text"] for line in (tmp_path / "text" / f"{name}.jsonl").read_text().splitlines()]
        for name in ("train", "held_out")
    }
    sides = {name: [" ".join(text.lower().split()) for text in texts] for name, texts in sides.items()}
    held_out = {
        problem for problem in problems if any(f"proof of {problem.lower()}" in text for text in sides["held_out"])
    }
    assert 4 <= len(held_out) <= 24  # a fifth of 60, by chance
    for problem in problems:
        found = {
            name: sum(problem.lower() in " ".join(t.lower().split()) for t in texts) for name, texts in sides.items()
        }
        assert found == ({"train": 0, "held_out": 2} if problem in held_out else {"train": 3, "held_out": 0})
