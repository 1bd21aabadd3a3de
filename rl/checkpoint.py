"""Checkpoints that a training run resumes from exactly: each a folder that appears whole or not at all.

RUN/checkpoints/step-00000120/model/       the model as a Hugging Face folder
RUN/checkpoints/step-00000120/state.pt     step, stage, optimizer
RUN/checkpoints/step-00000120/stage-0.pt   of each process: data position, what is left of its rollout, reference

There is no generator whose state must be kept: every random number follows from the run's seed and from where it is
used (problem, try, turn, epoch).
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer
from transformers import PreTrainedTokenizerFast

from core.errors import LemmataError
from model.checkpoint import fill, save_pretrained
from model.initialize import empty_model
from model.names import checkpoint_tensors, copies
from model.transformer import DsaModel
from rl.parallel import Parallel, whole


class Checkpoints:
    """The checkpoints of the run in ``folder``, of which the ``keep`` latest stay."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder / "checkpoints", keep

    def latest_model(self) -> Path | None:
        """The Hugging Face folder of the latest checkpoint, with its tokenizer."""
        latest = max(self.folder.glob("step-*"), default=None)
        return latest and latest / "model"

    def latest(self, parallel: Parallel, module: DsaModel) -> dict[str, Any] | None:
        """Copy the latest checkpoint's weights into ``module``, which is whole; its state, with ``stage`` of this
        process. None: there is no checkpoint. Raises LemmataError where it cannot be read.
        """
        folder = max(self.folder.glob("step-*"), default=None)
        if folder is None:
            return None
        own = folder / f"stage-{parallel.rank}.pt"
        saved = len(list(folder.glob("stage-*.pt")))
        if saved != parallel.world_size:
            raise LemmataError(
                f"{folder} was written by {saved} processes, and {parallel.world_size} cannot go on from it"
            )
        with torch.no_grad():
            fill(folder / "model", checkpoint_tensors(module), copies(module))
        return {**_read(folder / "state.pt"), "stage": _read(own)}

    def publish(self, folder: Path) -> None:
        """Copy the latest model to ``folder``, which appears whole."""
        latest, partial = max(self.folder.glob("step-*")), self.folder / "partial"
        shutil.copytree(latest / "model", partial, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)

    def save(
        self,
        parallel: Parallel,
        module: DsaModel,
        tokenizer: PreTrainedTokenizerFast,
        shared: Mapping[str, Any],
        stage: Mapping[str, Any],
    ) -> None:
        """Write the checkpoint of ``shared["step"]``; every process calls it, with a ``stage`` of its own.

        Raises LemmataError where it cannot be written; those before stay as they are.
        """
        target, partial = self.folder / f"step-{shared['step']:08d}", self.folder / "partial"
        module = _whole(parallel, module)
        try:
            if parallel.is_main:
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir(parents=True)
                save_pretrained(module, partial / "model", tokenizer)
                torch.save(dict(shared), partial / "state.pt")
            parallel.barrier()
            torch.save(dict(stage), partial / f"stage-{parallel.rank}.pt")
            parallel.barrier()
            if parallel.is_main:
                _put_in_place(partial, target)
        except (OSError, RuntimeError) as error:  # torch's writer raises the latter on a full disk
            shutil.rmtree(partial, ignore_errors=True)
            raise LemmataError(
                f"the checkpoint of step {shared['step']} cannot be written to {self.folder}: {error}. "
                "Make room; the same command goes on from the checkpoint before"
            ) from error
        for old in sorted(self.folder.glob("step-*"))[: -self.keep] if parallel.is_main else ():
            shutil.rmtree(old, ignore_errors=True)


def optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    """The optimizer's state with every tensor whole; all processes must ask for it together."""
    state = optimizer.state_dict()
    of_weights = {
        number: {name: whole(value) if isinstance(value, Tensor) else value for name, value in own.items()}
        for number, own in state["state"].items()
    }
    return {**state, "state": of_weights}


def load_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Set what ``optimizer_state`` gave."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    of_weights = {
        number: {name: _spread(value, weights[number]) for name, value in own.items()}
        for number, own in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": of_weights})


def _spread(value: Any, like: Tensor) -> Any:
    """A whole tensor as this process's part of it, where the weight ``like`` is shared out."""
    if isinstance(value, Tensor) and isinstance(like, DTensor) and value.shape == like.shape:
        return distribute_tensor(value, like.device_mesh, like.placements)
    return value


def _whole(parallel: Parallel, module: DsaModel) -> DsaModel:
    if parallel.world_size == 1:
        return module
    weights = parallel.whole_weights(module)
    copy = empty_model(module.config, module.model.norm.weight.dtype)
    copy.load_state_dict(weights)
    return copy


def _put_in_place(partial: Path, target: Path) -> None:
    """Give a folder its name once all of it is on the disk."""
    for path in (*partial.rglob("*"), partial):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def _read(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # the unpickler raises all kinds
        raise LemmataError(
            f"the checkpoint {path.parent} is damaged ({error}); delete it to go on from the one before"
        ) from error
