"""Two forms of sparse attention for grouped-query (GQA) models, one layer each: converted to MLA, and grouped as it is.

    python -m benchmarks.gqa_forms [repeats]

The MLA form is what ``model.convert`` writes: rows [values | keys] of all groups, read by every head with zeros outside
its own group. The grouped form selects tokens with the same indexer, shared by all heads, and gives each group its own
keys and values; it exists in this benchmark only. Shapes of SmolLM2-135M and Qwen3; attention's weights, numbers cached
per token, multiply-adds of one decoded token, and CPU milliseconds of decoding one token (top-k 2,048 of the context)
and of a prompt of 512, in turns, on one thread. The last line is JSON.
"""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.side_by_side import in_turns, ratio, report  # isort: skip  sets variables that torch reads

import torch
from torch import Tensor, nn
from torch.nn import functional

from kernels import dispatch
from model.attention import Attention
from model.cache import ContiguousLayerCache
from model.config import ModelConfig
from model.convert.gqa import NO_EXPERTS
from model.indexer import Indexer
from model.rope import RopeTables, rope_tables, rotate_interleaved

TOPK, PROMPT = 2048, 512
CONTEXTS = (1024, 4096, 16384)


class Shape(NamedTuple):
    """Width of the model, query heads, groups of keys and values, and width of a head."""

    width: int
    heads: int
    groups: int
    head: int


SHAPES = {
    "SmolLM2-135M": Shape(576, 9, 3, 64),
    "Qwen3-0.6B": Shape(1024, 16, 8, 128),
    "Qwen3-8B": Shape(4096, 32, 8, 128),
}


class Grouped(nn.Module):
    """Grouped attention over selected tokens; the rows of a cache are [keys | values] of all groups."""

    def __init__(self, config: ModelConfig, shape: Shape) -> None:
        super().__init__()
        self.config, self.shape = config, shape
        self.qkv = nn.Linear(shape.width, (shape.heads + 2 * shape.groups) * shape.head, bias=False)
        self.out = nn.Linear(shape.heads * shape.head, shape.width, bias=False)
        self.indexer = Indexer(config)

    def project(self, x_BSM: Tensor, rope: RopeTables) -> tuple[Tensor, Tensor, Tensor]:
        """Returns queries [B, S, heads, d], keys and values [B, S, groups, d]."""
        heads, groups = self.shape.heads, self.shape.groups
        parts = self.qkv(x_BSM).unflatten(-1, (heads + 2 * groups, -1)).split([heads + groups, groups], dim=2)
        rotated = rotate_interleaved(parts[0], rope)
        queries, keys = rotated.split([heads, groups], dim=2)
        return queries, keys, parts[1]

    def prompt(self, x_BSM: Tensor, rope: RopeTables) -> Tensor:
        """Attends to all earlier tokens of a prompt within top-k; its indexer keys are computed for the cache."""
        q, k, v = (part.transpose(1, 2) for part in self.project(x_BSM, rope))
        self.indexer.keys(x_BSM, rope)
        out = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.out(out.transpose(1, 2).flatten(2))

    def token(self, x_11M: Tensor, position_11: Tensor, rope: RopeTables, rows_TX: Tensor, keys_1TI: Tensor) -> Tensor:
        """Decodes one token over the cached rows, which hold room for its own."""
        position, groups = int(position_11), self.shape.groups
        q, k, v = self.project(x_11M, rope)
        rows_TX[position] = torch.cat((k, v), -1).flatten()
        keys_1TI[:, position] = self.indexer.keys(x_11M, rope)[:, 0]
        if position >= TOPK:
            index_q, w = self.indexer.queries(x_11M, x_11M, rope)
            chosen = dispatch.index_topk(index_q, keys_1TI[:, : position + 1], w, position_11, TOPK)[0, 0]
            rows_KX = rows_TX.index_select(0, chosen)
        else:
            rows_KX = rows_TX[: position + 1]
        k_GKd, v_GKd = rows_KX.unflatten(-1, (groups, -1)).transpose(0, 1).chunk(2, dim=-1)
        q_Ggd = q.view(groups, -1, self.shape.head)
        probs = torch.bmm(q_Ggd * self.shape.head**-0.5, k_GKd.transpose(1, 2)).softmax(-1)
        return self.out(torch.bmm(probs, v_GKd).view(1, 1, -1))


def main() -> None:
    """Measures each shape."""
    torch.set_num_threads(1)
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    results = {}
    for name, shape in SHAPES.items():
        results[name] = row = {**sizes(shape), **measure(shape, repeats)}
        print(f"{name}: {row}", flush=True)
    report("gqa_forms", results)


def configuration(shape: Shape) -> ModelConfig:
    """Returns the converted model's configuration, of one layer."""
    width = shape.groups * shape.head
    sizes: dict[str, Any] = {
        "vocab_size": 1,
        "hidden_size": shape.width,
        "num_hidden_layers": 1,
        "intermediate_size": 1,
    }
    sizes |= {"num_attention_heads": shape.heads, "kv_lora_rank": width, "qk_nope_head_dim": 0}
    sizes |= {"qk_rope_head_dim": width, "v_head_dim": shape.head, "rope_groups": shape.groups, "latent_norm": False}
    sizes |= {"index_n_heads": 8, "index_head_dim": 128, "index_topk": TOPK, "max_position_embeddings": 32768}
    return ModelConfig(**sizes, **NO_EXPERTS, first_k_dense_replace=1)


def sizes(shape: Shape) -> dict[str, int]:
    """Returns what follows from the shapes: weights without the indexer's, cached numbers, multiply-adds of a token."""
    mla, grouped = forms(shape, device="meta")
    row = shape.groups * shape.head
    return {
        "weights mla": weights(mla),
        "weights grouped": weights(grouped),
        "cached numbers": 2 * row,
        "attention mla": shape.heads * TOPK * 3 * row,
        "attention grouped": shape.heads * TOPK * 2 * shape.head,
    }


def weights(module: nn.Module) -> int:
    """Returns the number of weights outside the indexer."""
    return sum(weight.numel() for name, weight in module.named_parameters() if "indexer" not in name)


def forms(shape: Shape, device: str = "cpu") -> tuple[Attention, Grouped]:
    """Returns one layer of each form, with random weights."""
    torch.manual_seed(0)
    with torch.device(device):
        made = Attention(configuration(shape)).eval(), Grouped(configuration(shape), shape).eval()
    for weight in (weight for module in made for weight in module.parameters()):
        nn.init.normal_(weight, std=0.02)
    return made


@torch.inference_mode()
def measure(shape: Shape, repeats: int) -> dict[str, Any]:
    """Returns CPU milliseconds of both forms and how many times faster the grouped one is."""
    mla, grouped = forms(shape)
    results = {}
    for name, ways in [(f"decode {context}", decoding(mla, grouped, context)) for context in CONTEXTS] + [
        (f"prompt {PROMPT}", prompting(mla, grouped))
    ]:
        seconds = in_turns(ways, repeats)
        times = {form: round(1e3 * sorted(taken)[repeats // 2], 2) for form, taken in seconds.items()}
        results[name] = {**times, **ratio(seconds["mla"], seconds["grouped"])}
    return results


def decoding(mla: Attention, grouped: Grouped, context: int) -> dict[str, Callable[[], object]]:
    """Returns one decoded token after ``context`` random ones in each form."""
    config, row = mla.config, mla.config.cache_width
    cache = ContiguousLayerCache(config, 1, context + 1, torch.empty(0))
    keys = torch.randn(1, context + 1, config.index_head_dim)
    cache.store(torch.randn(1, context, row), keys[:, :context], torch.arange(context).unsqueeze(0))
    rows, x, position = torch.randn(context + 1, row), torch.randn(1, 1, config.hidden_size), torch.tensor([[context]])
    rope = rope_tables(config, position)
    return {
        "mla": lambda: mla(x, position, rope, cache),
        "grouped": lambda: grouped.token(x, position, rope, rows, keys),
    }


def prompting(mla: Attention, grouped: Grouped) -> dict[str, Callable[[], object]]:
    """Returns a prompt in each form; for the MLA form into a cache, as the engine does it."""
    config = mla.config
    x, positions = torch.randn(1, PROMPT, config.hidden_size), torch.arange(PROMPT).unsqueeze(0)
    rope, cache = rope_tables(config, positions), ContiguousLayerCache(config, 1, 4 * TOPK, torch.empty(0))
    return {"mla": lambda: mla(x, positions, rope, cache), "grouped": lambda: grouped.prompt(x, rope)}


if __name__ == "__main__":
    main()
