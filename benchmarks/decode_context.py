"""Milliseconds of decoding one token as the context grows, in parts: sparse against dense attention of one layer.

    python -m benchmarks.decode_context [repeats]

One layer in the proportions of DeepSeek-V3.2 (latent 512 + 64, indexer heads of 128 with a 17th of attention's products
a token), 16 heads, top-k 2,048, fp32, one sequence. Dense is the same layer with top-k above the context, where no
score is computed. The cache holds random rows: what is in them does not change the work. Wall-clock milliseconds on one
thread, medians over ``repeats`` decoded tokens, and the last line in JSON.
"""

import statistics
import sys
import time
from dataclasses import replace

from benchmarks.side_by_side import report  # isort: skip  sets variables that torch reads

import torch

from model import ModelConfig
from model.attention import Attention, CachedIndex
from model.cache import ContiguousLayerCache
from model.rope import rope_tables

CONTEXTS = [1024, 2048, 4096, 8192, 16384, 32768]
CONFIG = ModelConfig(
    vocab_size=1,
    hidden_size=1024,
    num_hidden_layers=1,
    num_attention_heads=16,
    intermediate_size=1,
    kv_lora_rank=512,
    qk_nope_head_dim=128,
    qk_rope_head_dim=64,
    v_head_dim=128,
    index_n_heads=8,
    index_head_dim=128,
    index_topk=2048,
    moe_intermediate_size=1,
    n_routed_experts=1,
    num_experts_per_tok=1,
    q_lora_rank=384,
    max_position_embeddings=65536,
)


def main() -> None:
    """Measure every context in turns and print a table."""
    torch.set_num_threads(1)
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    torch.manual_seed(0)
    sparse, dense = Attention(CONFIG).eval(), Attention(replace(CONFIG, index_topk=65536)).eval()
    for weight in sparse.parameters():
        torch.nn.init.normal_(weight, std=0.02)
    dense.load_state_dict(sparse.state_dict())
    print(
        f"{'context':>8} {'sparse':>8} {'indexer':>8} {'attend':>8} {'rest':>8} {'dense':>8} {'attend':>8} {'ratio':>6}"
    )
    results = {context: measure(sparse, dense, context, repeats) for context in CONTEXTS}
    crossing = next((context for context, row in results.items() if row["ratio"] > 1), None)
    print(f"sparse is faster from a context of {crossing}")
    report("decode_context", {**results, "crossing": crossing})


@torch.inference_mode()
def measure(sparse: Attention, dense: Attention, context: int, repeats: int) -> dict[str, float]:
    """Median milliseconds of the parts of one token after ``context`` tokens."""
    cache = ContiguousLayerCache(CONFIG, 1, context + 1, torch.empty(0))
    width, keys = CONFIG.cache_width, CONFIG.index_head_dim
    cache.store(torch.randn(1, context, width), torch.randn(1, context, keys), torch.arange(context).unsqueeze(0))
    both = {"sparse": sparse, "dense": dense}
    runs = [{name: token(layer, cache, context) for name, layer in both.items()} for _ in range(repeats + 1)][1:]
    parts = {
        name: [statistics.median(run[name][part] for run in runs) for part in range(3)] for name in both
    }  # (indexer, attend, rest)
    row = {
        "sparse": sum(parts["sparse"]),
        "indexer": parts["sparse"][0],
        "attend": parts["sparse"][1],
        "rest": parts["sparse"][2],
        "dense": sum(parts["dense"]),
        "dense_attend": parts["dense"][1],
    }
    row = {name: round(1e3 * seconds, 2) for name, seconds in row.items()}
    row["ratio"] = round(row["dense"] / row["sparse"], 2)
    print(f"{context:8} " + " ".join(f"{value:8.2f}" for value in list(row.values())[:-1]) + f" {row['ratio']:6.2f}")
    return row


def token(layer: Attention, cache: ContiguousLayerCache, position: int) -> tuple[float, float, float]:
    """Seconds of one token: indexer (queries, scores, selection), attention over rows, and projections."""
    x_BSM, positions_BS = torch.randn(1, 1, CONFIG.hidden_size), torch.tensor([[position]])
    rope = rope_tables(CONFIG, positions_BS)
    start = time.perf_counter()
    inputs, keys_BSI = layer.project(x_BSM, rope), layer.indexer.keys(x_BSM, rope)
    cache.store(inputs.rows_BSD, keys_BSI, positions_BS)
    projected = time.perf_counter()
    indices_BSK = None
    if cache.tokens > layer.config.index_topk:
        index = layer.index(x_BSM, inputs.latent_BSQ, keys_BSI, rope)
        indices_BSK = layer.select(CachedIndex(index.q_BSJI, cache.index_keys(), index.w_BSJ), positions_BS)
    selected = time.perf_counter()
    out_BSHC = layer.attend(inputs, positions_BS, indices_BSK, cache)
    attended = time.perf_counter()
    layer.output(out_BSHC)
    return selected - projected, attended - selected, projected - start + time.perf_counter() - attended


if __name__ == "__main__":
    main()
