"""Checkpoints: loading and saving of DSA models as Hugging Face folders."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from model.card import CARD, keeps_card, model_card
from model.config import ModelConfig
from model.config_json import config_to_json, read_config
from model.errors import ModelError
from model.fp8 import BLOCK, dequantize, scale_shape
from model.initialize import empty_model
from model.names import checkpoint_tensors, copies
from model.shards import INDEX, Entry, listed, read_headers, read_tensors, write_tensors
from model.transformer import DsaModel

SHARD_BYTES = 5 * 10**9
WEIGHT_DTYPES = frozenset({"F64", "F32", "F16", "BF16"})
FP8_DTYPE = "F8_E4M3"
SCALE_SUFFIX = "_scale_inv"
OWN_FILES = ("config.json", "*.safetensors", INDEX)
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja"),
)
SPECIAL_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


def load_pretrained(folder: str | Path, dtype: torch.dtype = torch.float32, device: str = "cpu") -> DsaModel:
    """Loads the model in a Hugging Face folder of a DeepSeek-V3.2 checkpoint. FP8 weights are dequantized.

    Peak memory is near the model's size: weights are allocated once in ``dtype`` and filled one tensor at a time.
    Raises ModelError listing every unknown, missing and mis-shaped tensor, before any weight is read.
    """
    folder = Path(folder)
    model = empty_model(read_config(folder), dtype, device)
    fill(folder, checkpoint_tensors(model), copies(model))
    return model.eval()


def fill(folder: Path, targets: Mapping[str, Tensor], repeated: Mapping[str, str]) -> None:
    """Copies every tensor of the checkpoint in ``folder`` into the target of its name.

    ``repeated``: optional names whose tensors must equal a target. Raises the ModelErrors of ``load_pretrained``.
    """
    entries = open_weights(folder, targets, repeated)
    scales = _read_scales(entries, [*targets, *(repeated.keys() & entries.keys())])
    for name, tensor in read_tensors(entries, targets):
        targets[name].copy_(_dequantized(name, tensor, scales))
    for name, tensor in read_tensors(entries, repeated.keys() & entries.keys()):
        if not torch.equal(_dequantized(name, tensor, scales).to(targets[repeated[name]]), targets[repeated[name]]):
            raise ModelError(f"{folder}: {name} differs from {repeated[name]}, but both must be equal")


def open_weights(folder: Path, targets: Mapping[str, Tensor], repeated: Mapping[str, str]) -> dict[str, Entry]:
    """Returns the file entry of each tensor of the checkpoint in ``folder``; only headers are read.

    ``targets`` are the required tensors with their shapes. Raises the ModelErrors of ``load_pretrained``.
    """
    entries = read_headers(folder)
    _check_entries(folder, entries, targets, repeated)
    return entries


def read_weight(entries: Mapping[str, Entry], name: str) -> Tensor:
    """Reads one tensor of a checkpoint, dequantized."""
    ((_, tensor),) = read_tensors(entries, [name])
    return _dequantized(name, tensor, _read_scales(entries, [name]))


def save_pretrained(
    module: DsaModel,
    folder: str | Path,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    license_name: str | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Saves ``module`` as a Hugging Face folder with a model card, which transformers and vLLM can load.

    A converted model (``model.convert``), which they cannot compute, gets a ``model_type`` that they refuse.
    With ``tokenizer`` its files are written too, chat template included; special-token ids that the model's
    configuration leaves open are taken from it. ``license_name``: an identifier of the Hub, for the card.
    The folder is replaced atomically. An existing folder keeps its other files (a tokenizer's, a card written by a
    person); it must have no sub-folder, so that a mistyped path cannot replace a tree.
    Raises ModelError for such a folder, and if model and tokenizer do not fit together.
    """
    folder = Path(folder)
    config = module.config if tokenizer is None else with_special_tokens(module.config, tokenizer)
    tensors = saved_tensors(module)

    def add_card_and_tokenizer(fresh: Path) -> None:
        has_tokenizer = tokenizer is not None or (folder / "tokenizer.json").is_file()
        if not keeps_card(folder):
            card = model_card(module, dtype_name(tensors), license_name, with_tokenizer=has_tokenizer)
            (fresh / CARD).write_text(card, encoding="utf-8")
        if tokenizer is not None:
            tokenizer.save_pretrained(fresh)

    replaced = OWN_FILES if tokenizer is None else (*OWN_FILES, *TOKENIZER_FILES)
    write_folder(tensors, config_to_json(config), folder, shard_bytes, add=add_card_and_tokenizer, left_out=replaced)


def saved_tensors(module: DsaModel) -> dict[str, Tensor]:
    """Returns the tensors of ``module`` to save, by name."""
    tensors = checkpoint_tensors(module)
    # transformers expects no copy of a tied head; servers of MTP layers expect theirs.
    return tensors | {name: tensors[own] for name, own in copies(module).items() if name != "lm_head.weight"}


def write_folder(
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    folder: Path,
    shard_bytes: int,
    *,
    compute: Callable[[str], Tensor] | None = None,
    add: Callable[[Path], None] | None = None,
    left_out: Sequence[str] = OWN_FILES,
) -> None:
    """Writes tensors and ``config.json`` (with the dtype of the embeddings) as ``save_pretrained`` does.

    ``compute`` is that of ``write_tensors``. ``add`` writes more files. Files of an existing folder are kept, except
    those that match ``left_out``.
    """
    folder = folder.absolute()
    _check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.partial-") as partial:
        fresh = Path(partial, "model")
        fresh.mkdir()
        write_tensors(tensors, fresh, shard_bytes, compute)
        text = json.dumps({**config, "dtype": dtype_name(tensors)}, indent=2) + "\n"
        (fresh / "config.json").write_text(text, encoding="utf-8")
        if add is not None:
            add(fresh)
        _put_in_place(fresh, folder, Path(partial, "replaced"), left_out)


def dtype_name(tensors: Mapping[str, Tensor]) -> str:
    """Returns the dtype of the embeddings, in the spelling of ``config.json``."""
    return str(tensors["model.embed_tokens.weight"].dtype).removeprefix("torch.")


def with_special_tokens(config: ModelConfig, tokenizer: PreTrainedTokenizerBase) -> ModelConfig:
    """Returns ``config`` with missing special-token ids taken from the tokenizer.

    Raises ModelError if the two disagree, or the tokenizer has more tokens than the model.
    """
    if len(tokenizer) > config.vocab_size:
        raise ModelError(
            f"the tokenizer has {len(tokenizer)} tokens, and the model's vocab_size is {config.vocab_size}; "
            "use the tokenizer that the model was trained with"
        )
    missing = {}
    for name in SPECIAL_IDS:
        own, given = getattr(config, name), getattr(tokenizer, name)
        if own is None:
            missing[name] = given
        elif given is not None and given not in (own if isinstance(own, tuple) else (own,)):
            raise ModelError(
                f"{name}={own} in the model's configuration, but {given} in the tokenizer; make them agree"
            )
    return replace(config, **missing)


def _check_replaceable(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(entry.is_dir() for entry in folder.iterdir())):
        raise ModelError(f"{folder} is a file or has sub-folders, and will not be replaced; choose another folder")


def _put_in_place(fresh: Path, folder: Path, replaced: Path, left_out: Sequence[str]) -> None:
    """Renames ``fresh`` to ``folder``, with the old files that match no pattern of ``left_out`` copied into it.

    The old folder is kept until the rename has succeeded.
    """
    if folder.exists():
        written = [path.name for path in fresh.iterdir()]
        shutil.copytree(folder, fresh, ignore=shutil.ignore_patterns(*left_out, *written), dirs_exist_ok=True)
        folder.rename(replaced)
    try:
        fresh.rename(folder)
    except OSError:
        if replaced.exists():
            replaced.rename(folder)
        raise


def _check_entries(
    folder: Path, entries: Mapping[str, Entry], targets: Mapping[str, Tensor], repeated: Mapping[str, str]
) -> None:
    """Raises ModelError listing everything that is wrong with the checkpoint's tensors."""
    shapes = {name: tuple(tensor.shape) for name, tensor in targets.items()}
    shapes |= {name: shapes[own] for name, own in repeated.items() if name in entries}
    quantized = {name for name in shapes if name in entries and entries[name].dtype == FP8_DTYPE}
    shapes |= {name + SCALE_SUFFIX: scale_shape(shapes[name]) for name in quantized}
    present = [name for name in shapes if name in entries]
    problems = {
        "unknown": entries.keys() - shapes.keys(),
        "missing": shapes.keys() - entries.keys(),
        "mis-shaped": [
            f"{name} {list(entries[name].shape)} instead of {list(shapes[name])}"
            for name in present
            if entries[name].shape != shapes[name]
        ],
        "of an unsupported dtype": [
            f"{name} {entries[name].dtype}"
            for name in present
            if entries[name].dtype not in WEIGHT_DTYPES and not (name in quantized and len(shapes[name]) == 2)
        ],
    }
    if found := [f"{kind}: {listed(names)}" for kind, names in problems.items() if names]:
        raise ModelError(f"the weights in {folder} do not fit its config.json. " + "; ".join(found))


def _read_scales(entries: Mapping[str, Entry], names: Iterable[str]) -> dict[str, Tensor]:
    """Returns the scales of the FP8 tensors among ``names``; each file is opened once for all of them."""
    quantized = [name + SCALE_SUFFIX for name in names if entries[name].dtype == FP8_DTYPE]
    return dict(read_tensors(entries, quantized))


def _dequantized(name: str, tensor: Tensor, scales: Mapping[str, Tensor]) -> Tensor:
    scale = scales.get(name + SCALE_SUFFIX)
    return tensor if scale is None else dequantize(tensor, scale, BLOCK)
