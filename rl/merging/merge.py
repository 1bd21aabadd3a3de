"""Merge of model folders, tensor by tensor: in memory are one tensor of each model and one shard of the result."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.errors import LemmataError
from core.ids import derive_seed
from model.card import CARD, model_card
from model.checkpoint import (
    FP8_DTYPE,
    TOKENIZER_FILES,
    dtype_name,
    open_weights,
    read_weight,
    saved_tensors,
    write_folder,
)
from model.config import ModelConfig
from model.config_json import config_to_json, read_config
from model.errors import ModelError
from model.initialize import outline
from model.names import checkpoint_tensors, copies
from model.shards import Entry
from rl.merging.card import merge_section
from rl.merging.compatibility import config_differences, tokenizer_differences
from rl.merging.config import WITHOUT_BASE, MergeConfig
from rl.merging.methods import merge_tensors

Report = Callable[[int, int], None]  # gets the numbers of merged tensors and of all tensors
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    FP8_DTYPE: torch.bfloat16,  # embeddings are not quantized in any release
}


def merge(config: MergeConfig, report: Report = lambda done, total: None) -> int:
    """Merges models and writes the result, whole or not at all; returns the number of tensors.

    Raises:
        LemmataError: the settings do not fit together, the models differ in more than their weights (all differences
            are listed), a weight is not finite, or ``out`` exists or cannot be written.
    """
    config.resolved()  # checks the settings before any file is read
    out = Path(config.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise LemmataError(f"out={out} exists already; choose another folder, or remove it")
    try:
        return _write(_Merger(config, report), out)
    except ModelError as error:
        raise LemmataError(str(error)) from error
    except OSError as error:
        raise LemmataError(f"{out} cannot be written: {error}") from error


@dataclass(frozen=True, slots=True)
class _Source:
    """A model folder, and the location of each tensor in it."""

    folder: Path
    entries: Mapping[str, Entry]

    def read(self, name: str) -> Tensor:
        """Reads a tensor in fp64. Raises LemmataError where it has inf or nan."""
        tensor = read_weight(self.entries, name).to(torch.float64)
        if not tensor.isfinite().all():
            raise LemmataError(f"{self.folder}: {name} has values that are not finite; the model is broken")
        return tensor


class _Merger:
    """Computes the tensors of the result on demand."""

    def __init__(self, config: MergeConfig, report: Report) -> None:
        self.config, self._parameters, self._report = config, config.resolved(), report
        models = [Path(folder) for folder in config.models]
        base = None if config.base is None else Path(config.base)
        self.like = base or models[0]  # the result has its configuration, tokenizer and dtype
        shape = _check_same(self.like, models)
        module = outline(shape, torch.float32)
        self._copies = copies(module)
        self._models = [_open(folder, checkpoint_tensors(module), self._copies) for folder in models]
        self._base = None if base is None else _open(base, checkpoint_tensors(module), self._copies)
        stored = (self._base or self._models[0]).entries["model.embed_tokens.weight"].dtype
        self.module = outline(shape, getattr(torch, config.dtype) if config.dtype else DTYPES[stored])
        self.tensors = saved_tensors(self.module)
        self._done = 0

    def __call__(self, name: str) -> Tensor:
        """Returns the merged tensor in its final dtype. Raises LemmataError where its values are too large for that."""
        own = self._copies.get(name, name)  # tied weights stay tied, whatever DARE drops
        uses_base = self._base is not None and self.config.method not in WITHOUT_BASE
        base = self._base.read(own) if self._base is not None and uses_base else None
        tensors = [model.read(own) for model in self._models]
        exact = merge_tensors(
            self.config.method, tensors, base, self._parameters, lambda index: self._generator(own, index)
        )
        result = exact.to(self.tensors[name].dtype)
        if not result.isfinite().all():
            raise LemmataError(f"{name}: the merged values are too large for {result.dtype}; choose a wider dtype=")
        self._done += 1
        self._report(self._done, len(self.tensors))
        return result

    def _generator(self, name: str, index: int) -> torch.Generator:
        """The generator of a tensor of a model; it does not depend on the order of tensors."""
        return torch.Generator().manual_seed(derive_seed("dare", self.config.seed, index, name))


def _write(merger: _Merger, out: Path) -> int:
    def add_card_and_tokenizer(fresh: Path) -> None:
        for name in TOKENIZER_FILES:
            if (merger.like / name).is_file():
                shutil.copy(merger.like / name, fresh / name)
        dtype = dtype_name(merger.tensors)
        card = model_card(merger.module, dtype, None, with_tokenizer=True, origin=merge_section(merger.config))
        (fresh / CARD).write_text(card, encoding="utf-8")

    config = config_to_json(merger.module.config)
    write_folder(merger.tensors, config, out, merger.config.shard_bytes, compute=merger, add=add_card_and_tokenizer)
    return len(merger.tensors)


def _check_same(like: Path, folders: Sequence[Path]) -> ModelConfig:
    """Returns the configuration of all models. Raises LemmataError with all differences."""
    expected = read_config(like)
    found = {
        folder: [*config_differences(expected, read_config(folder)), *tokenizer_differences(like, folder)]
        for folder in folders
    }
    if wrong := [f"{folder}: {difference}" for folder, differences in found.items() for difference in differences]:
        raise LemmataError(f"the models have no common base. Differences from {like}: " + "; ".join(wrong))
    return expected


def _open(folder: Path, targets: Mapping[str, Tensor], repeated: Mapping[str, str]) -> _Source:
    """Raises ModelError where tensors are missing, unknown or misshapen, or tied weights differ."""
    entries = open_weights(folder, targets, repeated)
    for name in repeated.keys() & entries.keys():
        if not torch.equal(read_weight(entries, name), read_weight(entries, repeated[name])):
            raise ModelError(f"{folder}: {name} differs from {repeated[name]}, which it must repeat")
    return _Source(folder, entries)
