"""Train a verifier from labels: proofs of a run, labels of people (here: of the exact checker), reinforcement learning.

    python examples/train_from_labels.py runs/labels
    python examples/train_from_labels.py runs/labels stages.rl.steps=200

The folder receives the run with the proofs, the table of labels, and the trained verifier. Labels of people come out of
the explorer in the same three columns (docs/tutorials/label-and-train.md).
"""

import json
import subprocess
import sys
from pathlib import Path

import lemmata
from policy.local_config import model_folder

SHIPPED = "pkg://model/shipped"
STATEMENTS = [f"Prove or refute: x^2 + {2 * b}x + {b * b + 3} >= {c} for all real x." for b in (1, 2) for c in (3, 4)]
SMALL = ["stages.rl.steps=2", "stages.rl.groups=2", "stages.rl.samples=2", "validation.items=4"]


def label(folder: Path) -> Path:
    """A table with statement, proof and label of every proof that the shipped model writes about ``STATEMENTS``."""
    config = {"refine.proofs": 2, "refine.rounds": 1}
    results = lemmata.refine_many(STATEMENTS, policy="shipped", config=config, run=folder / "proofs")
    table = folder / "labeled.jsonl"
    with table.open("w", encoding="utf-8") as file:
        for result in results:
            for proof in result.proofs:
                if proof.body is not None:
                    score = lemmata.check(result.problem.statement, proof.body).score
                    row = {"statement": result.problem.statement, "proof": proof.body, "label": score}
                    file.write(json.dumps(row) + "\n")
    return table


def train(table: Path, folder: Path, settings: list[str]) -> None:
    """Train the shipped model as a verifier on ``table``."""
    command = [sys.executable, "-m", "lemmata", "train", "role=verifier", "stage=rl", f"model={model_folder(SHIPPED)}"]
    data = [f"data.proofs={table}", "data.families=[inequalities]", "data.levels=[1,2]", f"run={folder}"]
    subprocess.run([*command, *data, *SMALL, *settings], check=True)


def main(folder: str, *settings: str) -> None:
    """Write proofs, label them, train."""
    place = Path(folder)
    table = label(place)
    print(f"{len(table.read_text(encoding='utf-8').splitlines())} labeled proofs in {table}")
    train(table, place / "verifier", list(settings))
    print(f"trained verifier: {place / 'verifier'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
