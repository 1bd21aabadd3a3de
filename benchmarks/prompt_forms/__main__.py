"""Analyses of released proofs by a small model with several prompts: readable share, agreement with people, copies.

    python -m benchmarks.prompt_forms MODEL_FOLDER DATA/deepseek_math_v2/outputs OUT.jsonl --prompts core plain FOLDER

Samples with transformers in this process and appends to OUT.jsonl, so that a stopped measurement goes on; then prints
the table of `docs/results/prompt-forms.md`.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.prompt_forms.table import print_table
from core.ids import derive_seed, digest
from core.templates import Templates

MAX_POINTS = {"IMO": 7, "Putnam": 10, "CMO": 21}


@dataclass(frozen=True, slots=True)
class Graded:
    """A released proof with its human grade: ``complete`` for full points."""

    name: str
    statement: str
    proof: str
    complete: bool


def graded_proofs(folder: Path, pairs: int) -> list[Graded]:
    """The shortest ``pairs`` proofs with fewer than full points, each after the one with full points of nearest length.

    Matched by length, because a judge could else tell them apart by it.
    """
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        most = next(points for name, points in MAX_POINTS.items() if path.name.startswith(name))
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            prediction = row["model_prediction"]
            complete = float(prediction["human_rating"]) >= most
            found.append(Graded(row["problem_idx"], row["question"], prediction["proof"], complete))
    found.sort(key=lambda item: (len(item.proof), item.name))
    complete = [item for item in found if item.complete]
    chosen: list[Graded] = []
    for item in [item for item in found if not item.complete][:pairs]:
        nearest = min(complete, key=lambda other: abs(len(other.proof) - len(item.proof)))
        complete.remove(nearest)
        chosen += [nearest, item]
    return chosen


def templates_of(name: str) -> Templates:
    """The texts of a name on the command line: core, plain, or a folder."""
    known = {"core": Templates.load, "plain": Templates.plain}
    return known[name]() if name in known else Templates.load(name)


def sample_missing(arguments: argparse.Namespace, proofs: Sequence[Graded]) -> Iterator[dict[str, Any]]:
    """One row for each sample that OUT.jsonl does not hold yet."""
    from benchmarks.prompt_forms.sampling import Sampler  # noqa: PLC0415  loads torch, which the table needs not

    held = {(row["prompts"], row["proof"]) for row in read_rows(arguments.out)}
    sampler = Sampler(arguments.model)
    for proof in proofs:
        for name in arguments.prompts:
            label = Path(name).name
            if (label, proof.name) in held:
                continue
            prompt = templates_of(name).verification(proof.statement, proof.proof)
            seed = derive_seed(0, label, proof.name)
            samples = sampler.sample(
                prompt, arguments.samples, arguments.max_tokens, arguments.temperature, seed % 2**63
            )
            common = {"prompts": label, "proof": proof.name, "complete": proof.complete, "template": digest(prompt)}
            yield from ({**common, **asdict(sample)} for sample in samples)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a measurement."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def main() -> None:
    """Samples what is missing, then prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="Hugging Face folder of a small chat model")
    parser.add_argument("proofs", type=Path, help="folder of the outputs released with DeepSeekMath-V2")
    parser.add_argument("out", type=Path)
    parser.add_argument("--prompts", nargs="+", default=["core", "plain"], help="core, plain, or folders of templates")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=320)
    parser.add_argument("--temperature", type=float, default=0.3)
    arguments = parser.parse_args()
    proofs = graded_proofs(arguments.proofs, arguments.pairs)
    with arguments.out.open("a", encoding="utf-8") as file:
        for row in sample_missing(arguments, proofs):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
    templates = {Path(name).name: templates_of(name) for name in arguments.prompts}
    rows = [row for row in read_rows(arguments.out) if row["prompts"] in templates]
    print_table(rows, templates, {proof.name: (proof.statement, proof.proof) for proof in proofs})


if __name__ == "__main__":
    main()
