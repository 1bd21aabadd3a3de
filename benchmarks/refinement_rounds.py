"""Self-refinement by rounds with many chains: pass@1, the best of 32 by self-score, and any right, on hard theorems.

    python -m benchmarks.refinement_rounds [model folder] [theorems of a level] [chains]

Theorems of the test stream, of the families that the model was trained on: the highest of its levels, and the level
above that no training saw. Chains, choice and figures are those of `lemmata cotrain`'s measurement, which has eight
chains; DeepSeekMath-V2 shows 32 (section 4, its figure on sequential refinement).
"""

import sys

from benchmarks.measured_model import measured_model  # isort: skip
from benchmarks.side_by_side import report  # isort: skip  sets variables that torch reads

import torch

from lab.generator import LEVELS
from lab.items import Stream
from lab.prompts import templates
from rl.recipe.measure import measure_refinement
from rl.report.record_files import Rows
from rl.report.refinement import Chains, at, grouped, refinement_metrics
from rl.report.tables import format_estimates
from rl.trained_judge import TrainedJudge

ROUNDS, SEED = 8, 0
TEMPERATURE, MAX_TOKENS = 0.6, 640


def main() -> None:
    """Measure both levels and print a table."""
    torch.set_num_threads(1)
    folder, domain = measured_model()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 12
    chains = int(sys.argv[3]) if len(sys.argv) > 3 else 32
    model, results = TrainedJudge(folder, TEMPERATURE, MAX_TOKENS, SEED), []
    best = f"best of {chains}"
    print(f"{'level':>5} {'round':>5} {'pass@1':>7} {'since round 1':>19} {best:>10} {'any right':>9} {'tokens':>6}")
    for level in (level for level in LEVELS if 0 <= level - domain.levels[-1] <= 1):
        stream = Stream("prove", domain.families, (level,), "test", SEED)
        theorems = [item.theorem for item in stream.distinct(count)]
        records = Rows("", list(measure_refinement(model, templates(), theorems, chains, ROUNDS)))
        chains_by_theorem = grouped(records)
        for row in refinement_metrics(records, ROUNDS):
            able, ratio = any_right(chains_by_theorem, row["round"]), row["ratio"]
            gain = format_estimates([row["since_first"]], "pass@1", signed=True)
            passes, chosen = row["pass@1"].value, row["best"].value
            print(
                f"{level:5} {row['round']:5} {passes:7.3f} {gain:>19} {chosen:10.3f} {able:9.3f} {ratio:6.2f}",
                flush=True,
            )
            shown = {"pass@1": passes, "since_first": gain, "best": chosen, "any_right": able, "tokens": ratio}
            results.append({"level": level, "theorems": len(theorems), "round": row["round"], **shown})
    report("refinement_rounds", {"model": folder.name, "chains": chains, "rows": results})


def any_right(chains: Chains, number: int) -> float:
    """Share of theorems of which at least one chain has a complete proof after round ``number``."""
    return sum(any(at(chain, number)["truth"] == 1 for chain in own) for own in chains.values()) / len(chains)


if __name__ == "__main__":
    main()
