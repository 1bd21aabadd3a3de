"""One of several processes that train together: torchrun -m tests.rl.sharded_training FOLDER STAGE."""

import sys
from pathlib import Path

import torch

from rl.learner import Learner
from rl.parallel import processes
from rl.tasks.mixed import MixedTask
from rl.trainer import Trainer
from tests.rl.small import TOKENIZER, Letters, Numbers, distill_config, small_module, train_config

torch.set_num_threads(1)


def main() -> None:
    """Train; alone it is the reference. Of two processes, each has one kind of problem to distill."""
    folder, stage = Path(sys.argv[1]), sys.argv[2]
    teachers = {kind: str(folder.parent / "teacher") for kind in ("letters", "numbers")}
    distill = distill_config(teachers=teachers, groups=4, epochs=2)
    config = train_config(stage, distill=distill, groups=4, epochs=2, steps=4)
    task = MixedTask({"letters": (Letters(), 1), "numbers": (Numbers(), 1)}) if stage == "distill" else Letters()
    with processes("cpu") as parallel:
        learner = Learner(small_module(), TOKENIZER, task, task, parallel, seed=3)
        Trainer(learner, config, folder).run()


main()
