"""One of several processes that train together: torchrun -m tests.rl.sharded_training FOLDER STAGE."""

import sys
from pathlib import Path

import torch

from rl.learner import Learner
from rl.parallel import processes
from rl.trainer import Trainer
from tests.rl.small import TOKENIZER, Letters, small_module, train_config

torch.set_num_threads(1)


def main() -> None:
    """Train; alone it is the reference."""
    folder, stage = Path(sys.argv[1]), sys.argv[2]
    config = train_config(stage, groups=4, epochs=2, steps=4)
    with processes("cpu") as parallel:
        learner = Learner(small_module(), TOKENIZER, Letters(), Letters(), parallel, seed=3)
        Trainer(learner, config, folder).run()


main()
