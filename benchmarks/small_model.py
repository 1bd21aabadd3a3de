"""Small untrained model for the engine's benchmarks: 1.9 million parameters in DeepSeek-V3.2's architecture.

The sizes are those of the DeepSeek-V3 model in TRL's measurement (8 experts of which 2, 4 layers), with an indexer.
"""

import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from model import ModelConfig, new_model, save_pretrained
from model.transformer import DsaModel

CONFIG = ModelConfig(
    vocab_size=512,
    hidden_size=160,
    num_hidden_layers=4,
    num_attention_heads=4,
    intermediate_size=320,
    kv_lora_rank=64,
    qk_nope_head_dim=32,
    qk_rope_head_dim=16,
    v_head_dim=32,
    index_n_heads=4,
    index_head_dim=32,
    index_topk=2048,
    moe_intermediate_size=96,
    n_routed_experts=8,
    num_experts_per_tok=2,
    n_group=2,
    topk_group=1,
    first_k_dense_replace=1,
    q_lora_rank=96,
    max_position_embeddings=2048,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)


def small_model() -> DsaModel:
    """The model, in fp32."""
    return new_model(CONFIG, seed=0).eval()


def same_in_transformers(model: DsaModel) -> PreTrainedModel:
    """The same weights as a transformers model."""
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(model, Path(folder, "model"))
        return AutoModelForCausalLM.from_pretrained(Path(folder, "model"), dtype=torch.float32).eval()


def random_prompts(count: int, tokens: int) -> list[list[int]]:
    """``count`` prompts of ``tokens`` ordinary tokens each, no two alike."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(3, CONFIG.vocab_size, (count, tokens), generator=generator).tolist()
