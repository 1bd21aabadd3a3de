"""Tiny random Llama models of transformers, saved as Hugging Face folders."""

from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

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
    torch.manual_seed(seed)
    reference: Any = LlamaForCausalLM(LlamaConfig(**(SHAPE | changes)))
    reference.save_pretrained(folder)
    return reference.eval()
