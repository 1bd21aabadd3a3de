"""Ablation of the policy loss's stabilizers: short off-policy runs, each without one of them.

    python -m benchmarks.stabilizers MODEL FOLDER [rollouts] [seed]

MODEL is a prover's cold start on level 1 of inequalities and equations (docs/guides/training.md has the command). Every
rollout is learnt from four times, tokens are cut at top-p 0.95, and a KL of 0.01 is on. Runs resume: what FOLDER holds
is not trained again. Prints a table; the last line is JSON.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean

from rl.metrics import read_metrics

EPOCHS = 4
COMMON = [
    *("role=prover", "stage=rl", "threads=1", "data.families=[inequalities,equations]", "data.levels=[1]"),
    *("algorithm.beta_by_domain.mathematics=0.01", f"stages.rl.epochs={EPOCHS}"),
    *("stages.rl.groups=24", "stages.rl.samples=8", "stages.rl.optimizer.lr=0.0005"),
    *("stages.rl.sampling.max_tokens=160", "stages.rl.sampling.top_p=0.95", "validation.every=1000"),
    *("validation.items=300", "checkpoint.every=20"),
]
VARIANTS = {
    "all": [],
    "no routing kept": ["algorithm.keep_routing=false"],
    "no sampling mask kept": ["algorithm.keep_sampling_mask=false"],
    "no off-policy mask": ["algorithm.loss.off_policy_delta=null"],
    "plain k3 for the KL": ["algorithm.loss.kl=k3"],
    "no clipping": ["algorithm.loss.clip_low=1.0", "algorithm.loss.clip_high=1000"],
}
SHOWN = ("ratio_max", "clip_low", "clip_high", "off_policy_masked", "drift", "kl", "entropy", "grad_norm")


def main() -> None:
    """Train every variant and compare."""
    model, folder = sys.argv[1], Path(sys.argv[2])
    rollouts = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    rows = {}
    for name, changes in VARIANTS.items():
        run = folder / f"{name.replace(' ', '-')}-{seed}"
        steps = rollouts * EPOCHS
        settings = [f"model={model}", f"run={run}", f"seed={seed}", f"stages.rl.steps={steps}", *COMMON, *changes]
        subprocess.run([sys.executable, "-m", "lemmata", "train", *settings], check=True, stderr=subprocess.DEVNULL)
        rows[name] = summary(run)
        print(f"{name:24}", " ".join(f"{key} {value:.4g}" for key, value in rows[name].items()), flush=True)
    print(json.dumps({"benchmark": "stabilizers", "rollouts": rollouts, "seed": seed, "results": rows}))


def summary(run: Path) -> dict[str, float]:
    """Pass rates; means over all steps of what is logged (``ratio_max``: the highest)."""
    lines = read_metrics(run)
    passes = [line["reward/pass"] for line in lines if "reward/pass" in line]
    means = {name: fmean(line.get(name, 0.0) for line in lines) for name in SHOWN}
    means["ratio_max"] = max(line["ratio_max"] for line in lines)
    last = passes[-3:]
    return {
        "pass_first": passes[0],
        "pass_last_3": fmean(last),
        "pass_end": lines[-1]["validation/reward/pass"],
        **means,
    }


if __name__ == "__main__":
    main()
