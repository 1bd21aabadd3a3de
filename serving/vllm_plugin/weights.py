"""Weight transfer by files: new weights in place from safetensors, in /dev/shm for example, on any device.

vLLM's own ways need NCCL or CUDA. Start with ``--weight-transfer-config '{"backend": "lemmata_file"}'``; then
start_weight_update, update_weights {"path": ...} once for each file, and finish_weight_update, by ``collective_rpc`` or
by the server's routes of these names.
"""

from dataclasses import dataclass
from typing import Any

from safetensors import safe_open
from typing_extensions import override
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)


@dataclass
class NoInfo(WeightTransferInitInfo):
    """Nothing to agree on beforehand."""


@dataclass
class WeightFile(WeightTransferUpdateInfo):
    """A file with some of the model's tensors under their names in a checkpoint."""

    path: str


class FileEngine(WeightTransferEngine[NoInfo, WeightFile]):
    """Passes each tensor of a file to the model's ``load_weights``."""

    init_info_cls = NoInfo
    update_info_cls = WeightFile

    @override
    def init_transfer_engine(self, init_info: NoInfo) -> None:
        pass

    @override
    def start_weight_update(self) -> None:
        pass

    @override
    def receive_weights(self, update_info: WeightFile) -> None:
        model: Any = self.model
        with safe_open(update_info.path, framework="pt") as file:
            model.load_weights((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118  not a mapping

    @override
    def finish_weight_update(self) -> None:
        pass

    @override
    def shutdown(self) -> None:
        pass
