"""Dispatch: chooses the Triton kernel or the torch reference for each call of an operation.

``impl``: "reference" is the specification in torch, "triton" the Triton kernels (on a GPU, or in Triton's interpreter),
"auto" the kernels for tensors on a CUDA device that the kernels can serve, the reference otherwise. ``preferring`` sets
what "auto" means for a while.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor

from kernels import reference, reference_cache, reference_fp8, reference_kl
from kernels.reference import causal_indices
from kernels.reference_cache import IndexKeys, as_keys
from kernels.reference_fp8 import dequantize_rows, quantize, quantize_queries, quantize_rows, row_bytes
from kernels.reference_kl import IndexInputs

__all__ = [
    "Impl",
    "IndexInputs",
    "IndexKeys",
    "causal_indices",
    "dequantize_rows",
    "has_kernels",
    "index_scores",
    "index_topk",
    "indexer_kl",
    "preferring",
    "quantize",
    "quantize_queries",
    "quantize_rows",
    "row_bytes",
    "select_topk",
    "sparse_mla",
    "sparse_mla_decode",
    "sparse_mla_decode_fp8",
]

Impl = Literal["auto", "triton", "reference"]
NUMBERS = (torch.float32, torch.float16, torch.bfloat16)  # dtypes that the kernels support
LARGEST_LATENT = 512
OLDEST_GPU = (8, 0)

_preferred: Impl = "auto"


@contextmanager
def preferring(impl: Impl) -> Iterator[None]:
    """Makes "auto" mean ``impl`` within the block."""
    global _preferred  # noqa: PLW0603  one process-wide choice, for tests and comparisons
    before, _preferred = _preferred, impl
    try:
        yield
    finally:
        _preferred = before


def _implementation(
    impl: Impl, like: Tensor, *, served: bool = True, specification: ModuleType = reference
) -> ModuleType:
    """Returns the module to call for tensors ``like`` this one; ``served``: True if the kernels support this call.

    Raises ValueError for an unknown name, ImportError for "triton" where Triton is not installed.
    """
    impl = _preferred if impl == "auto" else impl
    if impl == "triton" or (impl == "auto" and served and like.dtype in NUMBERS and _has_kernels(like.device)):
        from kernels.fast import ops  # noqa: PLC0415  Triton is loaded when it is first used, not before

        return ops
    if impl in ("auto", "reference"):
        return specification
    raise ValueError(f"impl={impl!r} is not one of 'auto', 'triton', 'reference'")


def _has_kernels(device: torch.device) -> bool:
    """Returns True if Triton is installed and compiles for this device; a constant to ``torch.compile``."""
    return _find_kernels(device)


# What torch.compiler.assume_constant_result sets; calling it would load all of the compiler here.
_has_kernels._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


@cache
def _find_kernels(device: torch.device) -> bool:
    if device.type != "cuda" or find_spec("triton") is None or torch.version.hip is not None:
        return False
    return torch.cuda.get_device_capability(device) >= OLDEST_GPU


def has_kernels(like: Tensor) -> bool:
    """Returns True if "auto" means the kernels for tensors ``like`` this one."""
    return _implementation("auto", like) is not reference


def _learns(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _numbers(q_BSJI: Tensor, w_BSJ: Tensor) -> Tensor:
    """Returns the tensor whose dtype decides: the weights if the queries are in FP8."""
    return w_BSJ if q_BSJI.dtype == torch.float8_e4m3fn else q_BSJI


def index_scores(
    q_BSJI: Tensor, keys: Tensor | IndexKeys, w_BSJ: Tensor, positions_BS: Tensor, *, impl: Impl = "auto"
) -> Tensor:
    """Returns the indexer's scores over keys k_BTI, or over a cache in FP8 or pages (``reference_cache.index_scores``).

    The kernel has no gradient ("auto" leaves a call that needs one to torch).
    """
    served = not _learns(q_BSJI, as_keys(keys).rows, w_BSJ)
    module = _implementation(impl, _numbers(q_BSJI, w_BSJ), served=served, specification=reference_cache)
    return module.index_scores(q_BSJI, keys, w_BSJ, positions_BS)


def select_topk(scores_BST: Tensor, k: int, *, impl: Impl = "auto") -> Tensor:
    """Returns the k best tokens of each query by given scores (``reference.select_topk``)."""
    return _implementation(impl, scores_BST).select_topk(scores_BST, k)


def index_topk(
    q_BSJI: Tensor,
    keys: Tensor | IndexKeys,
    w_BSJ: Tensor,
    positions_BS: Tensor,
    k: int,
    *,
    fused: bool | None = None,
    impl: Impl = "auto",
) -> Tensor:
    """Returns the k best tokens of each query by the indexer (``reference_cache.index_topk``).

    ``fused``: the kernels keep the scores out of device memory (None: where these would not fit in scratch memory).
    """
    module = _implementation(impl, _numbers(q_BSJI, w_BSJ), specification=reference_cache)
    return module.index_topk(q_BSJI, keys, w_BSJ, positions_BS, k, fused=fused)


def sparse_mla(
    q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, scale: float, latent: int, *, impl: Impl = "auto"
) -> Tensor:
    """Attends to the selected tokens (``reference.sparse_mla``).

    The kernel's gradients are deterministic if torch's deterministic algorithms are on.
    """
    module = _implementation(impl, q_BSHD, served=latent <= LARGEST_LATENT)
    return module.sparse_mla(q_BSHD, kv_BTD, indices_BSK, scale, latent)


def sparse_mla_decode(
    q_BHD: Tensor, rows_ND: Tensor, indices_BK: Tensor, scale: float, latent: int, *, impl: Impl = "auto"
) -> Tensor:
    """Attends to selected rows of a cache (``reference.sparse_mla_decode``). The kernel has no gradient."""
    module = _implementation(impl, q_BHD, served=latent <= LARGEST_LATENT and not _learns(q_BHD, rows_ND))
    return module.sparse_mla_decode(q_BHD, rows_ND, indices_BK, scale, latent)


def sparse_mla_decode_fp8(
    q_BHD: Tensor, rows_NX: Tensor, indices_BK: Tensor, scale: float, latent: int, *, impl: Impl = "auto"
) -> Tensor:
    """Attends to selected rows of an FP8 cache (``reference_fp8.sparse_mla_decode_fp8``), written by ``quantize_rows``.

    The kernel has no gradient.
    """
    served = latent <= LARGEST_LATENT and not _learns(q_BHD)
    module = _implementation(impl, q_BHD, served=served, specification=reference_fp8)
    return module.sparse_mla_decode_fp8(q_BHD, rows_NX, indices_BK, scale, latent)


def indexer_kl(
    index: IndexInputs,
    q_BSHD: Tensor,
    kv_BTD: Tensor,
    positions_BS: Tensor,
    scale: float,
    indices_BSK: Tensor | None,
    *,
    impl: Impl = "auto",
) -> Tensor:
    """Returns the indexer's loss (``reference_kl.indexer_kl``)."""
    module = _implementation(impl, q_BSHD, specification=reference_kl)
    return module.indexer_kl(index, q_BSHD, kv_BTD, positions_BS, scale, indices_BSK)
