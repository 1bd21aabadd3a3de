"""Worked mathematics as text for training and for held-out measurement, split by problem: two files of JSON lines.

Reads the evaluation data as it lies in one folder (`deepseek_math_v2`, `imobench`, `proof_problems`). A problem's hash
decides the side on which all texts about it fall, so that no proof of a held-out problem is trained on. The same
problem in other words is not recognized.
"""

import argparse
import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HELD_OUT_ONE_IN = 5


class MathDocument(NamedTuple):
    """One document; only worked ones (a problem with its proof) are long enough to measure on."""

    problem: str
    text: str
    worked: bool


def texts(data: Path) -> Iterator[MathDocument]:
    """Every document under `data`."""
    from pyarrow import parquet  # noqa: PLC0415  seconds to import

    for path in sorted((data / "deepseek_math_v2" / "outputs").glob("*.jsonl")):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            yield MathDocument(row["question"], f"{row['question']}\n\n{row['model_prediction']['proof']}", worked=True)
    with (data / "imobench" / "proofbench_v2.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield MathDocument(row["Problem"], f"{row['Problem']}\n\n{row['Solution']}", worked=True)
    for problem in parquet.read_table(data / "proof_problems" / "problems.parquet")["problem"].to_pylist():
        yield MathDocument(problem, problem, worked=False)


def is_held_out(problem: str) -> bool:
    """The side of a problem: by its letters and digits alone, so that spacing and markup do not matter."""
    letters = "".join(filter(str.isalnum, problem)).casefold()
    return int.from_bytes(hashlib.sha256(letters.encode()).digest()[:8]) % HELD_OUT_ONE_IN == 0


def main() -> None:
    """Write `train.jsonl` and `held_out.jsonl` (worked texts alone)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with the data sets")
    parser.add_argument("target", type=Path, help="the folder to write to")
    args = parser.parse_args()
    args.target.mkdir(parents=True, exist_ok=True)
    found = list(dict.fromkeys(texts(args.data)))
    sides = {
        "train": [text for text in found if not is_held_out(text.problem)],
        "held_out": [text for text in found if is_held_out(text.problem) and text.worked],
    }
    for name, side in sides.items():
        lines = [json.dumps({"text": text.text}, ensure_ascii=False) + "\n" for text in side]
        (args.target / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"{name}: {len(side)} documents, {sum(len(text.text) for text in side):,} characters")


if __name__ == "__main__":
    main()
