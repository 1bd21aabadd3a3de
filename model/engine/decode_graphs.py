"""Decode steps of fixed shapes over static buffers: CUDA graphs on a GPU, the same calls one by one elsewhere.

A step is as large as the next bucket of sequences and of pages. Padding sequences have one token on the cache's null
page, which no sequence reads. Shape suffixes: B sequences of a bucket, P pages of a bucket, M model width.
"""

from collections.abc import Callable
from collections.abc import Sequence as Rows

import torch
from torch import Tensor

from model.engine.paged_kv_cache import PagedBatch, PagedKVCache
from model.engine.sequence import Sequence
from model.moe import Experts
from model.transformer import DsaModel

Run = Callable[[], Tensor]
EIGHTS = 8  # sequences from which buckets are multiples of so many, and powers of two below


def bucket(count: int) -> int:
    """Returns the number of sequences that a step of ``count`` is padded to."""
    return 1 << (count - 1).bit_length() if count <= EIGHTS else -(-count // EIGHTS) * EIGHTS


class StaticStep:
    """One decode step of up to ``batch`` sequences of up to ``pages`` pages, over buffers that stay where they are."""

    def __init__(
        self, model: DsaModel, kv_cache: PagedKVCache, batch: int, pages: int, record: Callable[[Run], Run]
    ) -> None:
        self._model, self._kv_cache = model, kv_cache
        self._ids_B1 = torch.zeros(batch, 1, dtype=torch.long, device=kv_cache.device)
        self._positions_B1 = torch.zeros_like(self._ids_B1)
        self._table_BP = torch.full((batch, pages), kv_cache.null_page, device=kv_cache.device)
        self._replay = record(self._run)  # while every sequence is padding

    def _run(self) -> Tensor:
        batch = PagedBatch(
            self._kv_cache, self._table_BP.shape[1] * self._kv_cache.size, self._table_BP, self._positions_B1
        )
        cache = batch.cache(0, self._kv_cache.layers)
        return self._model.hidden(self._ids_B1, self._positions_B1, cache)

    def hidden(self, sequences: Rows[Sequence]) -> Tensor:
        """Returns the hidden states [sequences, 1, M] of the last tokens."""
        batch, pages = self._table_BP.shape
        null, padding = self._kv_cache.null_page, batch - len(sequences)
        table = [[*row.pages[:pages], *[null] * (pages - len(row.pages))] for row in sequences]
        self._table_BP.copy_(torch.tensor(table + [[null] * pages] * padding))
        positions = [row.num_cached_tokens for row in sequences]
        self._positions_B1.copy_(torch.tensor(positions + [0] * padding).unsqueeze(1))
        self._ids_B1.copy_(torch.tensor([row.tokens[-1] for row in sequences] + [0] * padding).unsqueeze(1))
        return self._replay()[: len(sequences)]


class DecodeGraphs:
    """Static steps by bucket, each made when it is first needed."""

    def __init__(self, model: DsaModel, kv_cache: PagedKVCache) -> None:
        self._model, self._kv_cache = model, kv_cache
        self._experts = [module for module in model.modules() if isinstance(module, Experts)]
        self._record = cuda_graphs() if kv_cache.device.type == "cuda" else one_by_one
        self._steps: dict[tuple[int, int], StaticStep] = {}

    def hidden(self, sequences: Rows[Sequence]) -> Tensor | None:
        """Returns the hidden states [sequences, 1, M] of the last tokens; None if a step cannot have fixed shapes."""
        batch = bucket(len(sequences))
        if any(experts.reads_counts(batch) for experts in self._experts):
            return None
        longest = max(row.num_cached_tokens for row in sequences) + 1
        pages = 1 << (-(-longest // self._kv_cache.size) - 1).bit_length()
        if (batch, pages) not in self._steps:
            self._steps[batch, pages] = StaticStep(self._model, self._kv_cache, batch, pages, self._record)
        return self._steps[batch, pages].hidden(sequences)


def one_by_one(run: Run) -> Run:
    """Returns what makes the calls of ``run`` again, as a graph's replay would."""
    return run


def cuda_graphs() -> Callable[[Run], Run]:
    """Returns what records CUDA graphs, all in one memory pool."""
    pool = torch.cuda.graph_pool_handle()

    def record(run: Run) -> Run:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # compiles kernels and allocates workspaces, which a recording may not
            run()
            run()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            hidden_B1M = run()

        def replay() -> Tensor:
            graph.replay()
            return hidden_B1M

        return replay

    return record
