"""One of several processes that train together: torchrun -m tests.rl.sharded_training FOLDER CASE ..."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rl.learner import Learner
from rl.parallel import Parallel, processes
from rl.tasks.mixed import MixedTask
from rl.trainer import Trainer
from tests.rl.small import TOKENIZER, Letters, Numbers, Uneven, distill_config, small_module, train_config

ROLLOUTS: dict[str, Any] = {"groups": 4, "epochs": 2, "steps": 4}
# By case: its stage and algorithm, the changes of its stage, and of its validation.
CASES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    **{stage: (stage, "v32", ROLLOUTS, {}) for stage in ("sft", "warmup", "sparse", "rl", "distill")},
    # In these, the second process has no validation item, no group left, or no group of a minibatch.
    **{f"{stage}-validated-on-1": (stage, "v32", ROLLOUTS, {"items": 1}) for stage in ("sft", "warmup", "sparse")},
    "rl-nothing-left": ("rl", "dapo", {**ROLLOUTS, "max_resamples": 0}, {}),
    "rl-resampled": ("rl", "dapo", {**ROLLOUTS, "groups": 3, "minibatches": 2}, {}),
    "rl-minibatches": ("rl", "v32", {**ROLLOUTS, "groups": 3, "minibatches": 3, "indexer_weight": 1.0}, {"items": 1}),
    "distill-one-group": ("distill", "v32", {**ROLLOUTS, "groups": 1}, {}),
}


def train(folder: Path, case: str, parallel: Parallel) -> None:
    """Trains in ``folder``; alone it is the reference. Of two processes, each has one kind of problem to distill."""
    stage, algorithm, changes, validation = CASES[case]
    teachers = {kind: str(folder.parent / "teacher") for kind in ("letters", "numbers")}
    distill = distill_config(teachers=teachers, **changes) if stage == "distill" else distill_config()
    config = train_config(stage, algorithm, distill, **(changes if stage == "rl" else {}))
    config = replace(config, validation=replace(config.validation, **validation))
    mixed = MixedTask({"letters": (Letters(), 1), "numbers": (Numbers(), 1)})
    task = mixed if stage == "distill" else Uneven() if algorithm == "dapo" else Letters()
    learner = Learner(small_module(), TOKENIZER, task, task, parallel, seed=3)
    Trainer(learner, config, folder).run()


def main() -> None:
    """Trains each case in a folder of its name, all in one process group."""
    torch.set_num_threads(1)
    with processes("cpu") as parallel:
        for case in sys.argv[2:]:
            train(Path(sys.argv[1]) / case, case, parallel)


if __name__ == "__main__":
    main()
