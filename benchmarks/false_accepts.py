"""Verdicts of one model against exact truth, by kind of proof: right, foreign, unfinished, planted, with a small gap.

    python -m benchmarks.false_accepts MODEL [--split test] [--families inequalities] [--levels 1 2] [--theorems 20]

``theorems`` of each family and level, two proofs each; planted proofs until each kind has as many, each with
``analyses`` analyses, accepted if all give 1; as many planted analyses, rated once. Intervals (95 %) by left side.
``--wrong N`` prints N wrong analyses of the verifier.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.side_by_side import report  # isort: skip  sets variables that torch reads

import torch

from core.questions import about_analysis, about_proof
from core.sections import split_proof
from core.statistics import Observation, share
from lab import check
from lab.items import Item, Stream
from lab.planting.ways import group_of
from lab.prompts import templates
from rl.report.tables import format_estimates
from rl.trained_judge import TrainedJudge

SAMPLES = 2
MOST_DRAWS = 40  # planted proofs of a family and level that are looked through, for each theorem wanted
Observed = dict[str, list[Observation]]


@dataclass(frozen=True)
class Wanted:
    """The proofs to be judged."""

    families: Sequence[str]
    levels: Sequence[int]
    split: str
    theorems: int
    analyses: int

    def items(self, role: str) -> Iterator[Item]:
        """Items of a role: theorems or analyses of each family and level, or proofs until each kind has enough."""
        for family in self.families:
            for level in self.levels:
                stream = Stream(role, (family,), (level,), self.split)
                if role != "verify":
                    yield from stream.distinct(self.theorems)
                    continue
                count: dict[str, int] = defaultdict(int)
                for number in range(MOST_DRAWS * self.theorems):
                    item = stream.item(number)
                    if count[kind_of(item)] < self.theorems:
                        count[kind_of(item)] += 1
                        yield item


def main() -> None:
    """Measure the model and print a line for each figure."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of a model")
    parser.add_argument("--families", nargs="+", default=["inequalities", "equations", "identities"])
    parser.add_argument("--levels", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--theorems", type=int, default=20)
    parser.add_argument("--analyses", type=int, default=2)
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--max-tokens", type=int, default=640)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wrong", type=int, default=0)
    args = parser.parse_args()
    wanted = Wanted(args.families, args.levels, args.split, args.theorems, args.analyses)
    judge = TrainedJudge(args.model, args.temperature, args.max_tokens, args.seed)
    observed = proved(judge, wanted) | verified(judge, wanted, args.wrong) | reviewed(judge, wanted)
    rows = [[name, format_estimates([share(found)], "accuracy")] for name, found in sorted(observed.items())]
    for row in rows:
        print(*row, sep=" | ", flush=True)
    report("false_accepts", {**vars(args), "model": "", "samples": SAMPLES, "rows": rows})


def kind_of(item: Item) -> str:
    """The kind of a planted proof."""
    proof = item.proof
    if proof.label > 0:
        return "right" if proof.label == 1 else "minor gap"
    return group_of(proof.how)


def proved(judge: TrainedJudge, wanted: Wanted) -> Observed:
    """Shares of complete proofs, by family and level."""
    observed: Observed = defaultdict(list)
    items = list(wanted.items("prove"))
    groups = judge.ask([templates().proof(item.theorem.statement) for item in items], SAMPLES)
    for item, group in zip(items, groups, strict=True):
        for answer in group:
            body = None if answer.truncated else split_proof(answer.text).body
            passed = float(body is not None and check(item.theorem, body).score == 1)
            for name in ("prover", f"prover {item.family} {item.level}"):
                observed[name].append(Observation(item.theorem.left_side, passed))
    return observed


def verified(judge: TrainedJudge, wanted: Wanted, wrong: int) -> Observed:
    """Shares of right scores and of acceptance, by kind of proof."""
    observed: Observed = defaultdict(list)
    items = list(wanted.items("verify"))
    questions = [about_proof(templates(), item.theorem.statement, item.proof.text) for item in items]
    groups = judge.ask([question.prompt for question in questions], wanted.analyses)
    for item, question, group in zip(items, questions, groups, strict=True):
        label, kind, side = item.proof.label, kind_of(item), item.theorem.left_side
        scores = [answer.score(question.quoted) for answer in group]
        right = [Observation(side, float(score == label)) for score in scores]
        for name in ("verifier", f"verifier {item.family} {item.level}", f"verifier of {kind}"):
            observed[name] += right
        accepted = Observation(side, float(all(score == 1 for score in scores)))
        observed[f"accepted {kind}"].append(accepted)
        if label == 0:
            observed["accepted with label 0"].append(accepted)
        for answer, score in zip(group, scores, strict=True):
            if score != label and wrong > 0:
                wrong -= 1
                print(f"--- {kind} ({item.proof.how}), label {label}, score {score}\n{item.theorem.statement}")
                print(item.proof.text, "--", answer.text, "-- right:", item.answer, sep="\n")
    return observed


def reviewed(judge: TrainedJudge, wanted: Wanted) -> Observed:
    """Shares of right ratings of planted analyses."""
    observed: Observed = defaultdict(list)
    items = list(wanted.items("review"))
    parts = [(item.theorem.statement, item.proof.text, item.analysis.text) for item in items]
    questions = [about_analysis(templates(), *part) for part in parts]
    groups = judge.ask([question.prompt for question in questions], 1)
    for item, question, (answer, *_) in zip(items, questions, groups, strict=True):
        right = float(answer.score(question.quoted) == item.analysis.quality)
        observed["meta-verifier"].append(Observation(item.theorem.left_side, right))
    return observed


if __name__ == "__main__":
    main()
