"""Times of the Triton kernels on one GPU beside their physical limits and torch's dense attention.

``python -m benchmarks.kernels [--only prefill]`` prints a line per kernel and shape and ends with one line of JSON.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
import triton
from torch import Tensor

from benchmarks.kernel_inputs import attention_inputs, decode_inputs, index_inputs
from benchmarks.kernel_limits import (
    Ceilings,
    Work,
    attend_work,
    backward_work,
    decode_work,
    graph_seconds,
    index_work,
    loss_work,
    measure_ceilings,
    seconds,
    select_work,
)
from kernels import dispatch, reference, reference_fp8
from kernels.dispatch import IndexKeys
from kernels.fast import configs

K = 2048
SCALE = 576**-0.5
Index = tuple[Tensor, IndexKeys, Tensor, Tensor]  # queries, keys, weights, positions


@dataclass
class Case:
    """One kernel at one shape: the call, its work, the seconds of what it is compared with, and its error.

    Compared with torch's dense attention or top-k, unless the group of cases says with what.
    """

    name: str
    call: Callable[[], object]
    work: Work
    baseline: float | None
    error: Callable[[], float] | None
    graph: bool = False  # timed within a CUDA graph


def ratio(out: Tensor, exact: Tensor) -> float:
    """||out - exact|| / ||exact||."""
    return ((out.double() - exact.double()).norm() / exact.double().norm()).item()


def dense_seconds(q_SHD: Tensor, kv_TD: Tensor, queries: int) -> float:
    """Plain torch attention of some queries over all rows (matmul, softmax, matmul in bf16), scaled to ``queries``."""
    part = q_SHD[: max(1, min(128, (1 << 31) // (q_SHD.shape[1] * kv_TD.shape[0] * 2)))]

    def attend() -> Tensor:
        return ((part.flatten(0, 1) @ kv_TD.T) * SCALE).softmax(-1) @ kv_TD[:, :512]

    return seconds(attend, 20) * queries / part.shape[0]


def index_cases() -> Iterator[Case]:
    """Scores and selections; the error of a selection is the share of rows that differ from the reference's."""
    for queries, tokens in ((8192, 8192), (4096, 131072)):
        arguments = index_inputs(queries, tokens)
        tile = configs.plain_tile("index_scores", arguments[0])
        scores = dispatch.index_scores(*arguments)
        part = slice(queries - 16, queries)
        few = (arguments[0][:, part], arguments[1], arguments[2][:, part], arguments[3][:, part])
        finite = scores[:, part] > -torch.inf
        yield Case(
            f"index_scores S={queries} L={tokens}",
            lambda arguments=arguments: dispatch.index_scores(*arguments),
            index_work(queries, tokens, 64, 128, tile.columns // 64),
            None,
            lambda s=scores, few=few, m=finite, p=part: ratio(s[:, p][m], reference.index_scores(*few)[m]),
        )
        yield Case(
            f"select_topk S={queries} L={tokens}",
            lambda scores=scores: dispatch.select_topk(scores, K),
            select_work(queries, tokens, K),
            seconds(lambda scores=scores: scores.topk(K), 20),
            lambda s=scores[:, part]: (dispatch.select_topk(s, K) != reference.select_topk(s, K)).float().mean().item(),
        )
        del scores


def cached_keys(k_BTI: Tensor, size: int = 64) -> IndexKeys:
    """The keys of one sequence on shuffled pages."""
    pages = k_BTI[0].unflatten(0, (-1, size))
    order = torch.randperm(len(pages), device="cuda")
    return IndexKeys(pages[order], None, order.argsort().unsqueeze(0).int())


def of_queries(inputs: Index, part: slice) -> Index:
    """The inputs of some queries."""
    q, keys, w, positions = inputs
    return q[:, part], keys, w[:, part], positions[:, part]


def cached_index_cases() -> Iterator[Case]:
    """Scores over keys in pages and in FP8; selection fused into the scores beside scores, then selection.

    FP8's products count half, the units being twice as fast. The error of FP8 scores is against fp32 of what was
    quantized; that of a fused selection is the share of indices that differ from those of scores, then selection.
    """
    for queries, tokens in ((8192, 8192), (4096, 131072)):
        q, k, w, positions = index_inputs(queries, tokens)
        work = index_work(queries, tokens, 64, 128, configs.plain_tile("index_scores", q).columns // 64)
        eighth = replace(work, tensor=work.tensor / 2, l2=work.l2 / 2)
        k8, scales_BT = dispatch.quantize(k)
        q8, w8 = dispatch.quantize_queries(q, w)
        part = slice(queries - 16, queries)
        exact = reference.index_scores(q[:, part], k, w[:, part], positions[:, part])
        finite = exact > -torch.inf
        kinds: list[tuple[str, Index, Work]] = [
            ("paged", (q, cached_keys(k), w, positions), work),
            ("fp8", (q8, IndexKeys(k8, scales_BT), w8, positions), eighth),
        ]
        for kind, a, its_work in kinds:
            few = of_queries(a, part)
            yield Case(
                f"index_scores {kind} S={queries} L={tokens}",
                lambda a=a: dispatch.index_scores(*a),
                its_work,
                None,
                lambda few=few, e=exact, m=finite: ratio(dispatch.index_scores(*few)[m], e[m]),
            )
        for kind, a, its_work in [("plain", (q, IndexKeys(k), w, positions), work), *kinds]:
            few = of_queries(a, part)
            yield Case(
                f"index_topk fused {kind} S={queries} L={tokens}",
                lambda a=a: dispatch.index_topk(*a, K, fused=True),
                replace(its_work, hbm=its_work.hbm - 4 * queries * tokens + 4 * queries * K),
                seconds(partial(dispatch.index_topk, *a, K), 20),
                lambda few=few: share_that_differs(*few),
            )


def share_that_differs(q: Tensor, keys: IndexKeys, w: Tensor, positions: Tensor) -> float:
    """Of the indices selected fused, those that are not as selected from scores."""
    apart = dispatch.index_topk(q, keys, w, positions, K)
    return (dispatch.index_topk(q, keys, w, positions, K, fused=True) != apart).float().mean().item()


def prefill_cases() -> Iterator[Case]:
    """Prefill at several head counts."""
    for tokens, heads in ((8192, 128), (8192, 64), (8192, 16), (131072, 128), (131072, 16)):
        q, kv, indices = attention_inputs(4096, tokens, heads)
        rows = configs.attention_tile("attend", heads, q).rows
        part = slice(4080, 4096)
        yield Case(
            f"prefill S=4096 L={tokens} H={heads}",
            lambda a=(q, kv, indices, SCALE, 512): dispatch.sparse_mla(*a),
            attend_work(4096, tokens, heads, K, rows),
            dense_seconds(q[0], kv[0], 4096),
            lambda q=q[:, part], kv=kv, i=indices[:, part]: ratio(
                dispatch.sparse_mla(q, kv, i, SCALE, 512), reference.sparse_mla(q.float(), kv.float(), i, SCALE, 512)
            ),
        )


def decode_cases() -> Iterator[Case]:
    """One step of sequences of 131072 tokens each; dense: every sequence over all its rows."""
    for batch, heads in ((1, 128), (64, 128), (64, 16)):
        q, rows, indices = decode_inputs(batch, 131072, heads)
        tile = configs.attention_tile("attend", heads, q).rows
        dense = dense_seconds(q[:1], rows[:131072], 1) * batch
        yield Case(
            f"decode B={batch} L=131072 H={heads}",
            lambda a=(q, rows, indices, SCALE, 512): dispatch.sparse_mla_decode(*a),
            decode_work(batch, heads, K, tile),
            dense,
            lambda q=q[:4], rows=rows, i=indices[:4]: ratio(
                dispatch.sparse_mla_decode(q, rows, i, SCALE, 512),
                reference.sparse_mla_decode(q.float(), rows, i, SCALE, 512),
            ),
            graph=True,
        )


def fp8_decode_cases() -> Iterator[Case]:
    """Decode steps over FP8 rows, compared with bf16 rows; the error is against fp32 of the unquantized rows."""
    for batch, heads in ((1, 128), (64, 128), (64, 16)):
        q, rows, indices = decode_inputs(batch, 131072, heads)
        stored = torch.cat([dispatch.quantize_rows(part, 512) for part in rows.split(131072)])
        tile = configs.attention_tile("attend_fp8", heads, q).rows
        work, saved = decode_work(batch, heads, K, tile), 2 * 576 - reference_fp8.row_bytes(512, 64)
        yield Case(
            f"decode fp8 B={batch} L=131072 H={heads}",
            lambda a=(q, stored, indices, SCALE, 512): dispatch.sparse_mla_decode_fp8(*a),
            replace(work, hbm=work.hbm - batch * K * saved, l2=-(-heads // tile) * batch * K * (2 * 576 - saved)),
            graph_seconds(lambda a=(q, rows, indices, SCALE, 512): dispatch.sparse_mla_decode(*a)),
            lambda q=q[:4], rows=rows, stored=stored, i=indices[:4]: ratio(
                dispatch.sparse_mla_decode_fp8(q, stored, i, SCALE, 512),
                reference.sparse_mla_decode(q.float(), rows, i, SCALE, 512),
            ),
            graph=True,
        )


def step_cases() -> Iterator[Case]:
    """A whole decode step, scores to attended latents, beside dense attention of the same sequences alone."""
    for batch in (1, 16):
        q, rows, _ = decode_inputs(batch, 131072, 128)
        index_q, index_k, w, _ = index_inputs(1, 131072)
        arguments = (index_q.expand(batch, -1, -1, -1), index_k.repeat(batch, 1, 1), w.expand(batch, -1, -1))
        positions = torch.full((batch, 1), 131071, device="cuda")
        first = torch.arange(batch, device="cuda", dtype=torch.int32).unsqueeze(1) * 131072

        def step(
            arguments: tuple[Tensor, ...] = arguments,
            positions: Tensor = positions,
            q: Tensor = q,
            rows: Tensor = rows,
            first: Tensor = first,
        ) -> Tensor:
            lists = dispatch.index_topk(arguments[0], arguments[1], arguments[2], positions, K).squeeze(1) + first
            return dispatch.sparse_mla_decode(q, rows, lists, SCALE, 512)

        keys = Work(tensor=2 * 64 * 128 * 131072 * batch, hbm=131072 * batch * (256 + 4))
        dense = dense_seconds(q[:1], rows[:131072], 1) * batch
        yield Case(f"decode step B={batch} L=131072 H=128", step, keys, dense, None, graph=True)


def backward_cases() -> Iterator[Case]:
    """Both gradients in both modes; the error is that of the atomic mode's row gradients to the ordered mode's."""
    for heads in (64, 128, 16):
        q, kv, indices = attention_inputs(4096, 8192, heads)
        out = dispatch.sparse_mla(q.requires_grad_(), kv.requires_grad_(), indices, SCALE, 512)
        dout = torch.randn_like(out)
        for atomic in (True, False):

            def gradients(
                atomic: bool = atomic, leaves: tuple[Tensor, ...] = (q, kv), o: Tensor = out, d: Tensor = dout
            ) -> Any:
                torch.use_deterministic_algorithms(not atomic)
                try:
                    return torch.autograd.grad(o, leaves, d, retain_graph=True)
                finally:
                    torch.use_deterministic_algorithms(False)

            rows = configs.attention_tile("query_gradient", heads, q).rows
            name = f"backward S=4096 L=8192 H={heads} {'atomic' if atomic else 'ordered'}"
            work = backward_work(4096, 8192, heads, K, rows, atomic)
            yield Case(name, gradients, work, None, lambda g=gradients: ratio(g(True)[1], g(False)[1]))


def loss_cases() -> Iterator[Case]:
    """The indexer's loss with its gradients: the sparse stage, and the dense warm-up."""
    for queries, tokens, sparse in ((4096, 8192, True), (2048, 2048, False)):
        q, kv, indices = attention_inputs(queries, tokens, 64)
        *index, positions = index_inputs(queries, tokens)
        leaves = dispatch.IndexInputs(*(tensor.requires_grad_() for tensor in index))
        lists = indices if sparse else None

        def gradients(
            impl: dispatch.Impl = "auto",
            leaves: dispatch.IndexInputs = leaves,
            a: tuple[Tensor, Tensor, Tensor] = (q, kv, positions),
            i: Any = lists,
        ) -> tuple[Tensor, ...]:
            return torch.autograd.grad(dispatch.indexer_kl(leaves, *a, SCALE, i, impl=impl), leaves)

        name = f"indexer_kl S={queries} L={tokens} H=64 {'sparse' if sparse else 'warm-up'}"
        yield Case(name, gradients, loss_work(queries, tokens, 64, K), None, None)


def report(case: Case, ceilings: Ceilings) -> dict[str, Any]:
    """Time one case and print its line."""
    taken = graph_seconds(case.call) if case.graph else seconds(case.call)
    limit, bound = case.work.limit(ceilings)
    rate = case.work.tensor / taken / 1e12 if case.work.tensor else case.work.hbm / taken / 1e12
    record = {
        "ms": round(taken * 1e3, 4),
        "rate": round(rate, 2),
        "unit": "TFLOP/s" if case.work.tensor else "TB/s",
        "limit_percent": round(100 * limit / taken, 1),
        "bound": bound,
        "times_baseline": None if case.baseline is None else round(case.baseline / taken, 2),
        "error": None if case.error is None else float(f"{case.error():.2g}"),
    }
    print(f"{case.name:42s}" + " ".join(f"{key}={value}" for key, value in record.items()), flush=True)
    return record


def main() -> None:
    """All cases, or those whose name starts with --only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    only, started = parser.parse_args().only, time.time()
    torch.manual_seed(0)
    ceilings = measure_ceilings()
    machine = f"{torch.cuda.get_device_name()}, torch {torch.__version__}, Triton {triton.__version__}"
    print(machine)
    print("ceilings: " + ", ".join(f"{term} {rate / 1e12:.2f}e12/s" for term, rate in vars(ceilings).items()))
    if find_spec("tilelang") is None:
        print("tilelang is not installed: no comparison")
    results = {}
    groups = {
        "index select": index_cases,
        "cached fused fp8": cached_index_cases,
        "prefill": prefill_cases,
        "decode": decode_cases,
        "decode_fp8": fp8_decode_cases,
        "step": step_cases,
        "backward": backward_cases,
        "kl": loss_cases,
    }
    for group, cases in groups.items():
        if any(word.startswith(only) for word in group.split()):
            for case in cases():
                results[case.name] = report(case, ceilings)
            torch.cuda.empty_cache()
    record = {"machine": machine, "seconds": round(time.time() - started, 1), "ceilings": vars(ceilings)}
    print(json.dumps(record | {"results": results}))


if __name__ == "__main__":
    main()
