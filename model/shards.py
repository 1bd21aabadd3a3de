"""Safetensors shards: a folder of files as one mapping of names to tensors, read and written one shard at a time."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.errors import ModelError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Entry:
    """File, shape and dtype of a tensor, from its file's header."""

    path: Path
    shape: tuple[int, ...]
    dtype: str  # safetensors' name: F32, BF16, F8_E4M3, ...


def read_headers(folder: Path) -> dict[str, Entry]:
    """Returns the entries of all tensors of the checkpoint in ``folder``; only headers are read.

    Raises ModelError if there are no weights, a file is missing or broken, a tensor occurs twice, or the index
    disagrees with the files.
    """
    index = _read_index(folder)
    paths = sorted({folder / name for name in index.values()}) if index is not None else [folder / SINGLE]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise ModelError(f"{folder} lacks {', '.join(missing)}; copy or download it again")
    entries: dict[str, Entry] = {}
    for path in paths:
        found = _read_header(path)
        if twice := sorted(entries.keys() & found.keys()):
            raise ModelError(f"{folder} has {', '.join(twice)} in more than one file")
        entries |= found
    if index is not None:
        _check_index(folder, index, entries)
    return entries


def read_tensors(entries: Mapping[str, Entry], names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    """Yields (name, tensor) for ``names``, file by file, with one tensor in memory at a time."""
    by_path: dict[Path, list[str]] = {}
    for name in names:
        by_path.setdefault(entries[name].path, []).append(name)
    for path, wanted in by_path.items():
        with safe_open(path, framework="pt") as file:
            for name in wanted:
                yield name, file.get_tensor(name)


def write_tensors(
    tensors: Mapping[str, Tensor], folder: Path, shard_bytes: int, compute: Callable[[str], Tensor] | None = None
) -> None:
    """Writes ``tensors`` into ``folder``, in files of at most ``shard_bytes`` (a larger tensor alone), with an index.

    ``compute`` returns the tensor of a name when its shard is written; ``tensors`` then need only shape and dtype
    (device "meta"). Besides the tensors themselves at most one shard is in memory.
    Raises OSError where a file cannot be written.
    """
    compute = compute or tensors.__getitem__
    shards = _shards(tensors, shard_bytes)
    files = [f"model-{number:05}-of-{len(shards):05}.safetensors" for number in range(1, len(shards) + 1)]
    files = [SINGLE] if len(shards) == 1 else files
    for file, names in zip(files, shards, strict=True):
        # Cloned, because safetensors refuses views into a shared storage, such as an expert's matrices.
        shard = {name: compute(name).detach().cpu().clone(memory_format=torch.contiguous_format) for name in names}
        try:
            save_file(shard, folder / file, metadata={"format": "pt"})
        except SafetensorError as error:  # that of a full disk is no OSError
            raise OSError(f"{folder / file} cannot be written: {error}") from error
    if len(shards) > 1:
        weight_map = {name: file for file, names in zip(files, shards, strict=True) for name in names}
        index = {"metadata": {"total_size": sum(map(_bytes, tensors.values()))}, "weight_map": weight_map}
        (folder / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _shards(tensors: Mapping[str, Tensor], shard_bytes: int) -> list[list[str]]:
    """Splits the names, in order, into parts that each fit into a shard."""
    shards: list[list[str]] = [[]]
    used = 0
    for name, tensor in tensors.items():
        if shards[-1] and used + _bytes(tensor) > shard_bytes:
            shards.append([])
            used = 0
        shards[-1].append(name)
        used += _bytes(tensor)
    return shards


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _read_index(folder: Path) -> dict[str, str] | None:
    """Reads the index's map of tensor to file name; None if the folder has no index."""
    path = folder / INDEX
    if not path.is_file():
        return None
    try:
        weight_map = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        files = {str(name): str(file) for name, file in weight_map.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is not an index of safetensors files: {error!r}") from error
    if outside := sorted({file for file in files.values() if Path(file).name != file}):
        raise ModelError(f"{path} names files outside its folder: {', '.join(outside)}")
    return files


def _read_header(path: Path) -> dict[str, Entry]:
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  (not a mapping)
            return {name: Entry(path, tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()}
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is not a complete safetensors file: {error}") from error


def _check_index(folder: Path, index: Mapping[str, str], entries: Mapping[str, Entry]) -> None:
    wrong = [name for name, file in index.items() if name not in entries or entries[name].path.name != file]
    if wrong:
        raise ModelError(f"{folder / INDEX} names tensors that are not in their files: {listed(wrong)}")
    if unnamed := entries.keys() - index.keys():
        raise ModelError(f"{folder / INDEX} does not name these tensors of its files: {listed(unnamed)}")


def listed(names: Iterable[str], limit: int = 20) -> str:
    """Joins sorted names for a message; after ``limit`` names only the number of the rest is given."""
    names = sorted(names)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
