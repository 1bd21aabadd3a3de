"""A folder of safetensors files as one mapping of names to tensors, read and written a shard at a time."""

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
    """Where a tensor lies and what its file's header says of it."""

    path: Path
    shape: tuple[int, ...]
    dtype: str  # safetensors' own name: F32, BF16, F8_E4M3, ...


def read_headers(folder: Path) -> dict[str, Entry]:
    """Every tensor of the checkpoint in ``folder``; only headers are read.

    Raises ModelError where there are no weights, a file is missing or broken, a tensor occurs twice, or the index does
    not agree with the files.
    """
    index = _read_index(folder)
    paths = sorted({folder / name for name in index.values()}) if index is not None else [folder / SINGLE]
    if missing := [path.name for path in paths if not path.is_file()]:
        raise ModelError(f"{folder} lacks {', '.join(missing)}")
    entries: dict[str, Entry] = {}
    for path in paths:
        found = _read_header(path)
        if twice := sorted(entries.keys() & found.keys()):
            raise ModelError(f"{folder} holds {', '.join(twice)} in more than one file")
        entries |= found
    if index is not None:
        _check_index(folder, index, entries)
    return entries


def read_tensors(entries: Mapping[str, Entry], names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) for ``names``, file by file, one tensor in memory at a time."""
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
    """Write ``tensors`` into ``folder``, in files of at most ``shard_bytes`` (a larger tensor alone), with an index.

    ``compute`` gives the tensor of a name once its shard is written; ``tensors`` then need no more than shape and dtype
    (device "meta"). Besides the tensors themselves no more than one shard is held in memory.
    """
    compute = compute or tensors.__getitem__
    shards = _shards(tensors, shard_bytes)
    files = [f"model-{number:05}-of-{len(shards):05}.safetensors" for number in range(1, len(shards) + 1)]
    files = [SINGLE] if len(shards) == 1 else files
    for file, names in zip(files, shards, strict=True):
        # safetensors refuses views into one storage, which an expert's matrices are.
        shard = {name: compute(name).detach().cpu().clone(memory_format=torch.contiguous_format) for name in names}
        save_file(shard, folder / file, metadata={"format": "pt"})
    if len(shards) > 1:
        weight_map = {name: file for file, names in zip(files, shards, strict=True) for name in names}
        index = {"metadata": {"total_size": sum(map(_bytes, tensors.values()))}, "weight_map": weight_map}
        (folder / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _shards(tensors: Mapping[str, Tensor], shard_bytes: int) -> list[list[str]]:
    """Names in their order, parted so that each part fits into a shard."""
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
    """The index's map of tensor to file name; None where the folder has no index."""
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
        raise ModelError(f"{path} is no whole safetensors file: {error}") from error


def _check_index(folder: Path, index: Mapping[str, str], entries: Mapping[str, Entry]) -> None:
    wrong = [name for name, file in index.items() if name not in entries or entries[name].path.name != file]
    if wrong:
        raise ModelError(f"{folder / INDEX} names tensors that their files do not hold: {listed(wrong)}")
    if unnamed := entries.keys() - index.keys():
        raise ModelError(f"{folder / INDEX} does not name tensors that its files hold: {listed(unnamed)}")


def listed(names: Iterable[str], most: int = 20) -> str:
    """Names for a message, sorted; after ``most`` only their number."""
    names = sorted(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
