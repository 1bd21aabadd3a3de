"""Tiny random Llama, Mistral and Qwen models of transformers, saved as Hugging Face folders."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

SHAPE: dict[str, Any] = {
    "vocab_size": 61,
    "hidden_size": 36,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def save_llama(folder: Path, seed: int = 0, **changes: Any) -> Any:
    """Saves a Llama of SHAPE with ``changes`` in ``folder`` and returns it."""
    return save_source(folder, seed, **changes)


def save_source(folder: Path, seed: int = 0, kind: str = "llama", **changes: Any) -> Any:
    """Saves a model of type ``kind`` as ``save_llama`` does; biases and norms are random too."""
    torch.manual_seed(seed)
    reference: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **(SHAPE | changes)))
    for name, weight in reference.named_parameters():
        if name.endswith(".bias") or "_norm." in name:
            torch.nn.init.normal_(weight.data, mean=float("_norm." in name), std=0.3)
    reference.save_pretrained(folder)
    return reference.eval()
