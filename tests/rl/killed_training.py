"""A training of ``tests.rl.small`` that kills itself."""

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import torch

from model.engine import LLMEngine
from rl import policy_stage
from rl.models import dsa
from tests.rl.small import train_config, trainer

# In the middle of each: an engine's step, a micro-batch's loss, a file between the first and the last.
PLACES: dict[str, tuple[Any, str]] = {
    "rollout": (LLMEngine, "step"),
    "update": (policy_stage, "policy_loss"),
    "checkpoint": (dsa, "save_pretrained"),
}


def deadly(call: Callable[..., Any], at: int) -> Callable[..., Any]:
    """``call``, and the end of the process when it was called so often."""
    calls = count(1)

    def last(*arguments: Any, **options: Any) -> Any:
        result = call(*arguments, **options)
        if next(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return last


def train(folder: Path, where: str, at: int) -> None:
    """Trains in ``folder``; the same call again resumes.

    ``where`` is "rollout", "update" or "checkpoint", in the middle of which the process ends as by ``kill -9``, at its
    ``at``-th time; "nowhere" lets it run to the end.
    """
    torch.set_num_threads(1)
    if where in PLACES:
        owner, name = PLACES[where]
        setattr(owner, name, deadly(getattr(owner, name), at))
    config = train_config(epochs=2, minibatches=2, keep_selection=True, reference_every=3, steps=7)
    trainer(folder, config).run()
