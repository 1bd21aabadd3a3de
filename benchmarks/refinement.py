"""Complete proofs per token budget on hard problems: self-refinement, pool search, and independent proofs.

    python -m benchmarks.refinement [model folder] [problems]

Theorems of the test stream, of the families that the model was trained on and the highest of its levels. Every way is a
run of `lemmata refine` with its own records; what is counted is read from them: the exact score of the chosen proof,
whether any proof is right, and tokens by role.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from math import sqrt
from pathlib import Path

from benchmarks.measured_model import measured_model
from benchmarks.side_by_side import report
from core.records import Generated, Problem, Proof, Selection
from core.store import Run
from lab import check
from lab.items import Stream
from lab.theorem import Theorem

JUDGED = ["judge.analyses=4", "judge.reviews=1"]
WAYS = {
    "sequential, 8 chains, 8 rounds": ["refine=sequential", "refine.proofs=8", "refine.rounds=8", *JUDGED],
    "search, 8 proofs, then 4 x 2, 4 rounds": ["refine=light", "refine.proofs=8", "refine.top=4", "refine.rounds=4"],
    "search, 8 proofs, then 4 x 2, 8 rounds": ["refine=light", "refine.proofs=8", "refine.top=4", "refine.rounds=8"],
    "8 fresh proofs": ["refine=light", "refine.proofs=8", "refine.rounds=1"],
    "16 fresh proofs": ["refine=light", "refine.proofs=16", "refine.rounds=1"],
    "32 fresh proofs": ["refine=light", "refine.proofs=32", "refine.rounds=1"],
}


def main() -> None:
    """Run every way and print a table."""
    model, domain = measured_model()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    stream = Stream("prove", domain.families, domain.levels[-1:], "test", seed=1)
    drawn = (stream.item(number).theorem for number in range(count))
    theorems = {theorem.statement: theorem for theorem in drawn}
    print(f"{'':40} {'chosen right':>14} {'accepted':>9} {'any right':>9} {'tokens, prover':>15} {'judges':>8}")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        problems = Path(folder, "problems.jsonl")
        rows = [{"name": theorem.id, "problem": statement} for statement, theorem in theorems.items()]
        problems.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        for place, (name, settings) in enumerate(WAYS.items()):
            run = Path(folder, f"run-{place}")
            command = [sys.executable, "-m", "lemmata", "refine", f"problems={problems}", f"run={run}"]
            subprocess.run([*command, f"policy.model={model}", *settings], check=True, capture_output=True)
            found = results[name] = figures(Run.read(run), theorems)
            interval = f"{found['chosen']:.3f} ±{found['half_width']:.3f}"
            tokens = f"{found['prover_tokens']:15.0f} {found['judge_tokens']:8.0f}"
            print(f"{name:40} {interval:>14} {found['accepted']:9.3f} {found['any']:9.3f} {tokens}", flush=True)
    report("refinement", {"model": model.name, "problems": len(theorems), "ways": results})


def figures(run: Run, theorems: dict[str, Theorem]) -> dict[str, float]:
    """Of the recorded run: shares of problems, and completion tokens of a problem by role; half a 95 % interval."""
    statements: dict[str, str] = {}
    proofs: dict[str, tuple[str, float]] = {}  # proof: its problem and exact score
    chosen, accepted, tokens = Counter[str](), Counter[str](), Counter[str]()
    selections: list[Selection] = []
    for record in run.records():
        if isinstance(record, Problem):
            statements[record.id] = record.statement
        elif isinstance(record, Proof):
            theorem = theorems[statements[record.problem_id]]
            proofs[record.id] = record.problem_id, check(theorem, record.body or "").score
        elif isinstance(record, Selection):
            selections.append(record)
        if isinstance(record, Generated) and record.usage is not None:
            tokens["prover" if isinstance(record, Proof) else "judge"] += record.usage.completion_tokens
    for selection in selections:
        right = selection.proof_id is not None and proofs[selection.proof_id][1] == 1
        chosen[selection.problem_id] = int(right)
        accepted[selection.problem_id] = int(selection.accepted)
    count = len(selections)
    share = sum(chosen.values()) / count
    return {
        "chosen": share,
        "half_width": 1.96 * sqrt(share * (1 - share) / count),
        "accepted": sum(accepted.values()) / count,
        "any": len({problem for problem, score in proofs.values() if score == 1}) / count,
        "prover_tokens": tokens["prover"] / count,
        "judge_tokens": tokens["judge"] / count,
    }


if __name__ == "__main__":
    main()
