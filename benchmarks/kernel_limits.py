"""Roofline limits: measured ceilings of a GPU, and the minimum time of each kernel under them.

Work in FLOPs and bytes per level of memory; the largest of the quotients binds. P = causal pairs, n = selected pairs.
"""

# pyright: reportCallIssue=false
# (A kernel is launched with options that its signature does not name.)

from dataclasses import asdict, dataclass

import torch
import triton
import triton.language as tl
from triton.testing import do_bench, do_bench_cudagraph


@dataclass(frozen=True)
class Ceilings:
    """FLOP/s of bf16 matrix products, bytes/s of copies, of gathers from L2, of fp32 atomics into L2."""

    tensor: float
    hbm: float
    l2: float
    atomics: float


@dataclass(frozen=True)
class Work:
    """FLOPs and bytes that one call needs. Bytes of ``atomics`` are those added."""

    tensor: float = 0.0
    hbm: float = 0.0
    l2: float = 0.0
    atomics: float = 0.0

    def limit(self, ceilings: Ceilings) -> tuple[float, str]:
        """Seconds, and the term that binds."""
        rates = asdict(ceilings)
        seconds = {term: amount / rates[term] for term, amount in asdict(self).items()}
        bound = max(seconds, key=seconds.__getitem__)
        return seconds[bound], bound


@triton.jit
def gather_kernel(ROWS, IDX, OUT, count, BK: tl.constexpr, D: tl.constexpr):
    program, column = tl.program_id(0), tl.arange(0, D)
    total = tl.zeros((BK, D), tl.float32)
    for start in tl.range(0, count, BK, num_stages=3):
        index = tl.load(IDX + program * count + start + tl.arange(0, BK)).to(tl.int64)
        total += tl.load(ROWS + index[:, None] * D + column[None, :]).to(tl.float32)
    tl.store(OUT + program * D + column, tl.sum(total, 0))


@triton.jit
def atomic_kernel(ROWS, IDX, count, BK: tl.constexpr, D: tl.constexpr):
    program, column = tl.program_id(0), tl.arange(0, D)
    ones = tl.full((BK, D), 1.0, tl.float32)
    for start in range(0, count, BK):
        index = tl.load(IDX + program * count + start + tl.arange(0, BK)).to(tl.int64)
        tl.atomic_add(ROWS + index[:, None] * D + column[None, :], ones, sem="relaxed")


def measure_ceilings() -> Ceilings:
    """The four ceilings of the current GPU, on random data: gathers and atomics on rows of 512 within 8 MiB."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    tensor = 2 * 8192**3 / seconds(lambda: a @ b)
    source = torch.randn(1 << 29, device="cuda")
    target = torch.empty_like(source)
    hbm = 2 * source.nbytes / seconds(lambda: target.copy_(source))
    programs, count, width = 1056, 2048, 512
    index = torch.randint(8192, (programs, count), device="cuda", dtype=torch.int32)
    rows, out = torch.randn(8192, width, device="cuda").bfloat16(), torch.empty(programs, width, device="cuda")
    read = seconds(lambda: gather_kernel[(programs,)](rows, index, out, count, 32, width, num_warps=8))
    sums, index = torch.zeros(4096, width, device="cuda"), index % 4096
    added = seconds(lambda: atomic_kernel[(programs,)](sums, index, count, 32, width, num_warps=8))
    moved = programs * count * width
    return Ceilings(tensor, hbm, 2 * moved / read, 4 * moved / added)


def seconds(function: object, repetitions_ms: int = 60) -> float:
    """Median time of a call, the L2 cache flushed before each."""
    return do_bench(function, warmup=10, rep=repetitions_ms, return_mode="median") / 1e3  # pyright: ignore[reportReturnType, reportOperatorIssue]


def graph_seconds(function: object) -> float:
    """Mean time of a call within a CUDA graph: short kernels without the launches from Python."""
    return do_bench_cudagraph(function, rep=30, return_mode="median") / 1e3  # pyright: ignore[reportReturnType, reportOperatorIssue]


def causal_pairs(queries: int, tokens: int) -> int:
    """Pairs of the last ``queries`` of ``tokens`` tokens with all up to themselves."""
    return queries * tokens - queries * (queries - 1) // 2


def selected_pairs(queries: int, tokens: int, k: int) -> int:
    """Pairs of ``causal_pairs``, at most ``k`` for each query."""
    return sum(min(k, t + 1) for t in range(tokens - queries, tokens))


def index_work(queries: int, tokens: int, heads: int, width: int, queries_per_tile: int) -> Work:
    """bf16 queries and keys, fp32 scores written whole; each tile of queries reads the keys it sees through L2."""
    pairs = causal_pairs(queries, tokens)
    inputs = 2 * width * (queries * heads + tokens) + 4 * queries * heads
    return Work(
        tensor=2 * heads * width * pairs,
        hbm=inputs + 4 * queries * tokens,
        l2=pairs / queries_per_tile * width * 2,
    )


def select_work(queries: int, tokens: int, k: int) -> Work:
    """Scores read once, indices written."""
    return Work(hbm=4 * queries * tokens + 4 * queries * k)


def attend_work(
    queries: int, tokens: int, heads: int, k: int, head_tile: int, latent: int = 512, rope: int = 64
) -> Work:
    """bf16; every head tile gathers its rows through L2, device memory gives each row once."""
    n, width = selected_pairs(queries, tokens, k), latent + rope
    return Work(
        tensor=2 * heads * (width + latent) * n,
        hbm=min(n, tokens) * width * 2 + queries * heads * ((width + latent) * 2 + 4) + 4 * n,
        l2=-(-heads // head_tile) * n * width * 2,
    )


def decode_work(batch: int, heads: int, k: int, head_tile: int) -> Work:
    """Work of ``attend_work`` if every sequence has its own rows."""
    n, width = batch * k, 576
    return Work(
        tensor=2 * heads * (width + 512) * n,
        hbm=n * width * 2 + batch * heads * (width + 512) * 2 + 4 * n,
        l2=-(-heads // head_tile) * n * width * 2,
    )


def backward_work(queries: int, tokens: int, heads: int, k: int, head_tile: int, atomic: bool) -> Work:
    """P and dS written and read in bf16; rows' gradients by fp32 atomics, or as bf16 rows written and read."""
    n, width, latent = selected_pairs(queries, tokens, k), 576, 512
    base = queries * heads * (2 * width + 2 * latent) * 2 + tokens * width * 8 + 4 * n
    return Work(
        tensor=2 * heads * (3 * width + 2 * latent) * n,
        hbm=base + 8 * n * heads + (0 if atomic else 4 * n * width),
        l2=-(-heads // head_tile) * n * width * 2,
        atomics=4 * n * width if atomic else 0.0,
    )


def loss_work(queries: int, tokens: int, heads: int, k: int) -> Work:
    """Logits twice, indexer scores with the three products of their gradient, 64 indexer heads; keys added in fp32."""
    n = selected_pairs(queries, tokens, k)
    return Work(
        tensor=2 * n * (2 * heads * 576 + 4 * 64 * 128),
        hbm=queries * (heads * 576 + 2 * 64 * 128) * 2 + 16 * n,
        l2=n * (2 * 576 + 2 * 128) * 2,
        atomics=4 * n * 128,
    )
