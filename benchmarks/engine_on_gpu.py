"""Engine speed on a GPU: the small model of ``benchmarks.engine`` in fp32, and 861 million parameters in bf16.

    python -m benchmarks.engine_on_gpu

Each with and without CUDA graphs, the larger one over rows in FP8 too.

Tokens a second of prefill and of the whole, and milliseconds of a decoding step; the second of two runs each. The last
line is JSON.
"""

import time
from dataclasses import replace
from typing import Any

from benchmarks.side_by_side import report  # isort: skip  sets variables that torch reads

import torch

from benchmarks.small_model import CONFIG, random_prompts
from model import ModelConfig, new_model
from model.engine import EngineConfig, LLMEngine, SamplingParams
from model.tokenizer import byte_tokenizer

LARGER = replace(
    CONFIG,
    hidden_size=2048,
    num_hidden_layers=8,
    num_attention_heads=16,
    intermediate_size=4096,
    kv_lora_rank=512,
    qk_nope_head_dim=128,
    qk_rope_head_dim=64,
    v_head_dim=128,
    index_n_heads=16,
    index_head_dim=128,
    moe_intermediate_size=512,
    n_routed_experts=32,
    num_experts_per_tok=4,
    q_lora_rank=768,
    max_position_embeddings=65536,
)
WAYS: dict[str, dict[str, Any]] = {"graphs": {"decode_graphs": True}, "no graphs": {}}
SHORT = [(1, 64, 128), (64, 64, 128)]  # sequences, tokens of a prompt, new tokens
LONG = [(4, 16000, 64)]


def main() -> None:
    """Measure both models."""
    results: dict[str, object] = {"device": torch.cuda.get_device_name()}
    for name, changes in WAYS.items():
        results[f"small, {name}"] = measure(CONFIG, torch.float32, SHORT, changes)
        results[f"larger, {name}"] = measure(LARGER, torch.bfloat16, SHORT + LONG, changes)
    results["larger, fp8 rows"] = measure(LARGER, torch.bfloat16, SHORT + LONG, {"rows_format": "fp8"})
    report("engine_on_gpu", results)


def measure(
    config: ModelConfig, dtype: torch.dtype, shapes: list[tuple[int, int, int]], changes: dict[str, Any]
) -> dict[str, dict[str, float]]:
    """Rates of each shape."""
    model = new_model(config, 0, dtype, "cuda").eval()
    settings = EngineConfig(cache_tokens=1 << 18, max_prefill_tokens=8192, **changes)
    engine = LLMEngine(model, byte_tokenizer(), settings)
    results = {}
    for sequences, prompt, new in shapes:
        prompts = random_prompts(sequences, prompt)
        seconds(engine, prompts, new)
        whole, prefill = seconds(engine, prompts, new), seconds(engine, prompts, 1)
        row = {
            "tokens_per_second": sequences * new / whole,
            "prefill_tokens_per_second": sequences * prompt / prefill,
            "step_ms": 1e3 * (whole - prefill) / (new - 1),
        }
        results[f"{sequences} x ({prompt} + {new})"] = {name: round(value, 2) for name, value in row.items()}
        print(f"{sequences} sequences, prompt {prompt}, {new} new: {row}", flush=True)
    return results


def seconds(engine: LLMEngine, prompts: list[list[int]], new: int) -> float:
    """Wall-clock seconds of ``new`` tokens for each prompt, nothing of them in the cache."""
    engine.weights_changed()
    start = time.perf_counter()
    engine.generate(prompts, SamplingParams(max_tokens=new, ignore_eos=True, seed=0))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
