"""Data parallelism: torch's FSDP2 over the processes that ``torchrun`` started.

Each process has a part of a batch. Losses are divided by counts over all processes, so that gradients are summed, not
averaged.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import torch.distributed as dist
from torch import Tensor
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from core.errors import LemmataError
from model.errors import ModelError
from model.loading import check_device
from rl.models.interface import PolicyModel
from rl.models.kinds import kind_of

V = TypeVar("V")


class Parallel:
    """This process, of rank ``rank`` among ``world_size``; with one process, every method is trivial."""

    def __init__(self) -> None:
        alone = not dist.is_initialized()
        self.rank, self.world_size = (0, 1) if alone else (dist.get_rank(), dist.get_world_size())

    @property
    def is_main(self) -> bool:
        """True for the process that writes files."""
        return self.rank == 0

    def shard(self, module: PolicyModel) -> None:
        """Shards the weights of ``module`` over the processes, layer by layer, in place."""
        if self.world_size == 1:
            return
        for weight in module.parameters():
            weight.data = weight.data.contiguous()  # FSDP takes no transposed storage
        for part in (*kind_of(module).layers(module), module):
            fully_shard(part)
            if hasattr(part, "packed"):
                register_fsdp_forward_method(part, "packed")

    def sum(self, values: Mapping[str, float]) -> dict[str, float]:
        """Sums each value over the processes that have it; of names that end in ``_max`` it takes the maximum."""
        if self.world_size == 1:
            return dict(values)
        result: dict[str, float] = {}
        for own in self.gather(dict(values)):
            add(result, own)
        return result

    def gather(self, value: V) -> list[V]:
        """Returns the values of all processes, by rank."""
        if self.world_size == 1:
            return [value]
        gathered = [value] * self.world_size
        dist.all_gather_object(gathered, value)
        return gathered

    def max(self, value: int) -> int:
        """Returns the maximum over all processes."""
        return int(self.sum({"value_max": value})["value_max"])

    def sum_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Sums each tensor over the processes, in place."""
        if self.world_size > 1:
            for tensor in tensors.values():
                dist.all_reduce(tensor)

    def barrier(self) -> None:
        """Waits until every process is here."""
        if self.world_size > 1:
            dist.barrier()

    def whole_weights(self, module: PolicyModel) -> dict[str, Tensor]:
        """Returns the state dict of ``module`` with unsharded weights, on every process."""
        return {name: whole(weight) for name, weight in module.state_dict().items()}


def add(total: dict[str, float], parts: Mapping[str, float]) -> None:
    """Adds ``parts`` to ``total`` by name; of names that end in ``_max`` it takes the maximum."""
    for name, value in parts.items():
        larger = max(total.get(name, value), value)
        total[name] = larger if name.endswith("_max") else total.get(name, 0.0) + value


def whole(tensor: Tensor) -> Tensor:
    """Gathers a sharded tensor; other tensors are returned unchanged."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


@contextmanager
def processes(device: str) -> Iterator[Parallel]:
    """Joins the process group where ``torchrun`` started several processes, and leaves it at the end.

    Raises LemmataError where ``device`` cannot be used.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Parallel()
        return
    try:
        check_device(device)
    except ModelError as error:
        raise LemmataError(str(error)) from error
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Parallel()
        dist.barrier()  # a process that leaves early would close connections that another still uses
    finally:
        dist.destroy_process_group()
