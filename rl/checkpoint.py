"""Checkpoints: folders, written whole or not at all, from which a training run resumes exactly.

RUN/checkpoints/step-00000120/model/       the model as a Hugging Face folder
RUN/checkpoints/step-00000120/state.pt     step, stage, optimizer
RUN/checkpoints/step-00000120/stage-0.pt   of each process: data position, rest of its rollout, reference model

No state of a random generator is saved: every seed is derived from the run's seed and its use (problem, sample, turn,
epoch).
"""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer
from transformers import PreTrainedTokenizerFast

from core.errors import LemmataError
from model.errors import ModelError
from rl.models.interface import PolicyModel
from rl.models.kinds import kind_of
from rl.parallel import Parallel, whole


class Checkpoints:
    """The checkpoints of the run in ``folder``; the ``keep`` latest are kept.

    Of earlier ones at multiples of ``keep_every`` the model is kept, without the state that resuming needs.
    """

    def __init__(self, folder: Path, keep: int, keep_every: int | None = None) -> None:
        self.folder, self.keep, self.keep_every = folder / "checkpoints", keep, keep_every

    def models(self) -> list[Path]:
        """The Hugging Face folders of all kept checkpoints, the earliest first."""
        return [folder / "model" for folder in sorted(self.folder.glob("step-*"))]

    def latest_model(self) -> Path | None:
        """The Hugging Face folder of the latest checkpoint, with its tokenizer."""
        latest = self._latest()
        return latest and latest / "model"

    def _latest(self) -> Path | None:
        return max((path.parent for path in self.folder.glob("step-*/state.pt")), default=None)

    def latest(self, parallel: Parallel, module: PolicyModel) -> dict[str, Any] | None:
        """Loads the weights of the latest checkpoint into the unsharded ``module``; returns its state.

        The state has ``stage`` of this process. None: there is no checkpoint. Raises LemmataError where it is damaged.
        """
        folder = self._latest()
        if folder is None:
            return None
        stage = folder / f"stage-{parallel.rank}.pt"
        saved = len(list(folder.glob("stage-*.pt")))
        if saved != parallel.world_size:
            raise LemmataError(
                f"{folder} was written by {saved} processes, and {parallel.world_size} cannot go on from it"
            )
        try:
            kind_of(module).fill(module, folder / "model")
        except (ModelError, OSError) as error:
            raise damaged(folder, error) from error
        return {**_read(folder / "state.pt"), "stage": _read(stage)}

    def publish(self, folder: Path) -> None:
        """Copies the latest model to ``folder``, whole or not at all. Raises LemmataError where that fails."""
        latest, partial = self._latest(), self.folder / "partial"
        assert latest is not None
        shutil.rmtree(partial, ignore_errors=True)
        try:
            shutil.copytree(latest / "model", partial)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        except OSError as error:
            raise LemmataError(
                f"the model of {latest} cannot be copied to {folder}: {error}. Free disk space; the same command "
                "copies it again"
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def save(
        self,
        parallel: Parallel,
        module: PolicyModel,
        tokenizer: PreTrainedTokenizerFast,
        shared: Mapping[str, Any],
        stage: Mapping[str, Any],
    ) -> None:
        """Writes the checkpoint of step ``shared["step"]``; every process calls it, with its own ``stage``.

        Raises LemmataError in every process where one cannot write; earlier checkpoints are unchanged.
        """
        target, partial = self.folder / f"step-{shared['step']:08d}", self.folder / "partial"
        module = _unsharded(parallel, module)

        def write_shared() -> None:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            kind_of(module).save(module, partial / "model", tokenizer)
            torch.save(dict(shared), partial / "state.pt")

        def write_own() -> None:
            torch.save(dict(stage), partial / f"stage-{parallel.rank}.pt")

        try:
            for write in (write_shared, write_own, lambda: _put_in_place(partial, target)):
                failed = _failure(write) if parallel.is_main or write is write_own else None
                if failures := [other for other in parallel.gather(failed) if other is not None]:
                    raise LemmataError(
                        f"the checkpoint of step {shared['step']} cannot be written to {self.folder}: {failures[0]}. "
                        "Free disk space; the same command resumes from the checkpoint before"
                    )
        finally:
            if parallel.is_main:
                shutil.rmtree(partial, ignore_errors=True)
        if parallel.is_main:
            self._remove_old()

    def _remove_old(self) -> None:
        for old in sorted(path.parent for path in self.folder.glob("step-*/state.pt"))[: -self.keep]:
            if self.keep_every and int(old.name.removeprefix("step-")) % self.keep_every == 0:
                for state in old.glob("*.pt"):
                    state.unlink(missing_ok=True)
            else:
                shutil.rmtree(old, ignore_errors=True)


def optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    """Returns the optimizer's state with unsharded tensors; all processes must call it together."""
    state = optimizer.state_dict()
    of_weights = {
        number: {name: whole(value) if isinstance(value, Tensor) else value for name, value in own.items()}
        for number, own in state["state"].items()
    }
    return {**state, "state": of_weights}


def load_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Restores a state of `optimizer_state`."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    of_weights = {
        number: {name: _shard_like(value, weights[number]) for name, value in own.items()}
        for number, own in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": of_weights})


def _shard_like(value: Any, like: Tensor) -> Any:
    """Shards a tensor like the weight ``like``, where that is sharded."""
    if isinstance(value, Tensor) and isinstance(like, DTensor) and value.shape == like.shape:
        return distribute_tensor(value, like.device_mesh, like.placements)
    return value


def _unsharded(parallel: Parallel, module: PolicyModel) -> PolicyModel:
    if parallel.world_size == 1:
        return module
    weights = parallel.whole_weights(module)
    copy = kind_of(module).empty_like(module, "cpu")
    copy.load_state_dict(weights)
    return copy


def _failure(write: Callable[[], None]) -> str | None:
    """Calls ``write``; returns the message of its error."""
    try:
        write()
    except (OSError, RuntimeError) as error:  # torch's writer raises the latter on a full disk
        return str(error) or type(error).__name__
    return None


def _put_in_place(partial: Path, target: Path) -> None:
    """Renames a folder once all of it is on the disk."""
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
        raise damaged(path.parent, error) from error


def damaged(folder: Path, error: Exception) -> LemmataError:
    """Returns the error of a checkpoint that cannot be read."""
    return LemmataError(f"the checkpoint {folder} is damaged ({error}); delete it to resume from the one before")
