"""Loading of a model together with its tokenizer, for generation."""

from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from model.chat import Chat
from model.checkpoint import load_pretrained, open_weights
from model.config_json import read_config
from model.errors import ModelError
from model.initialize import outline
from model.names import checkpoint_tensors, copies
from model.tokenizer import load_tokenizer
from model.transformer import DsaModel


def load_model(folder: Path, dtype: str, device: str) -> tuple[DsaModel, PreTrainedTokenizerFast]:
    """Loads model and tokenizer from ``folder``; ``dtype`` is torch's name. Raises ModelError if that fails."""
    check_device(device)
    tokenizer = load_tokenizer(folder)
    try:
        return load_pretrained(folder, getattr(torch, dtype), device), tokenizer
    except (OSError, RuntimeError) as error:  # torch raises the latter for a missing or full device
        raise ModelError(f"the model in {folder} cannot be loaded to {device}: {error}") from error


def check_device(device: str) -> None:
    """Raises ModelError if torch cannot compute on ``device``."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter from a torch without CUDA
        raise ModelError(
            f"device={device} cannot be used: {str(error).splitlines()[0].rstrip('.')}. Set device=cpu, or install a "
            "torch and a driver for it"
        ) from error


def check_model(folder: Path, dtype: str) -> None:
    """Raises ModelError if ``folder`` has no model with tokenizer and chat template; no weight is read."""
    Chat(load_tokenizer(folder))
    shapes = outline(read_config(folder), getattr(torch, dtype))
    try:
        open_weights(folder, checkpoint_tensors(shapes), copies(shapes))
    except OSError as error:
        raise ModelError(f"the weights in {folder} cannot be read: {error}") from error
