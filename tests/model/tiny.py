"""Tiny models for tests, with every part and a forward pass of milliseconds."""

from dataclasses import replace
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from model.config import ModelConfig
from model.initialize import new_model
from model.transformer import DsaModel

torch.set_num_threads(1)

TINY = ModelConfig(
    vocab_size=61,
    hidden_size=32,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=48,
    kv_lora_rank=16,
    qk_nope_head_dim=10,
    qk_rope_head_dim=8,
    v_head_dim=12,
    index_n_heads=2,
    index_head_dim=20,
    index_topk=8,
    moe_intermediate_size=24,
    n_routed_experts=8,
    num_experts_per_tok=3,
    n_shared_experts=1,
    n_group=4,
    topk_group=2,
    routed_scaling_factor=2.5,
    first_k_dense_replace=1,
    q_lora_rank=24,
    max_position_embeddings=256,
    initializer_range=0.3,  # large, so that logits are of order 1 and experts and tokens differ
)


def tiny_model(seed: int = 0, dtype: torch.dtype = torch.float32, **changes: Any) -> DsaModel:
    """Returns a model of TINY with ``changes``; gates' biases are random too."""
    model = new_model(replace(TINY, **changes), seed, dtype).eval()
    generator = torch.Generator().manual_seed(seed)
    for buffer in model.buffers():
        buffer.normal_(std=0.3, generator=generator)
    return model


def random_ids(batch: int, tokens: int, seed: int = 0) -> torch.Tensor:
    """Returns token ids [batch, tokens] of TINY's vocabulary."""
    return torch.randint(TINY.vocab_size, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Returns a tokenizer with one token per byte, 3 to 258, and <eos> = 2."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<pad>": 0, "<bos>": 1, "<eos>": 2, **{byte: place + 3 for place, byte in enumerate(alphabet)}}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>")


def byte_fallback_tokenizer() -> PreTrainedTokenizerFast:
    """Returns a tokenizer with Llama-2's decoder: bytes as <0x00> to <0xFF>, ids 3 to 258, then some words."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁hi", "ho", "é", "≤", "▁the"]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True))
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def byte_model(seed: int = 0, dtype: torch.dtype = torch.float64, **changes: Any) -> DsaModel:
    """Returns a model for ``byte_tokenizer``, by default in fp64, so that rounding decides no sample."""
    return tiny_model(seed, dtype, **{"vocab_size": 259, "initializer_range": 0.15, **changes})
