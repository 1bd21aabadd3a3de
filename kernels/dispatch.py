"""The one place that decides which implementation of an operation runs. The model calls these and never asks.

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
from kernels.reference_fp8 import quantize, quantize_queries, quantize_rows
from kernels.reference_kl import IndexInputs

__all__ = [
    "Impl",
    "IndexInputs",
    "IndexKeys",
    "causal_indices",
    "has_kernels",
    "index_scores",
    "index_topk",
    "indexer_kl",
    "preferring",
    "quantize",
    "quantize_queries",
    "quantize_rows",
    "select_topk",
    "sparse_mla",
    "sparse_mla_decode",
    "sparse_mla_decode_fp8",
]

Impl = Literal["auto", "triton", "reference"]
NUMBERS = (torch.float32, torch.float16, torch.bfloat16)  # that the kernels compute with
LARGEST_LATENT = 512
OLDEST_GPU = (8, 0)

_preferred: Impl = "auto"


@contextmanager
def preferring(impl: Impl) -> Iterator[None]:
    """Within, "auto" means ``impl``."""
    global _preferred  # noqa: PLW0603  one process-wide choice, for tests and comparisons
    before, _preferred = _preferred, impl
    try:
        yield
    finally:
        _preferred = before


def _implementation(
    impl: Impl, like: Tensor, *, served: bool = True, specification: ModuleType = reference
) -> ModuleType:
    """The module to call for tensors ``like`` this one; ``served``: whether the kernels can do this call at all.

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
    """Whether Triton is there and compiles for this device; a constant to ``torch.compile``."""
    return _find_kernels(device)


# What torch.compiler.assume_constant_result sets; calling it would load all of the compiler here.
_has_kernels._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


@cache
def _find_kernels(device: torch.device) -> bool:
    if device.type != "cuda" or find_spec("triton") is None or torch.version.hip is not None:
        return False
    return torch.cuda.get_device_capability(device) >= OLDEST_GPU


def has_kernels(like: Tensor) -> bool:
    """Whether "auto" means the kernels for tensors ``like`` this one."""
    return _implementation("auto", like) is not reference


def _learns(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _numbers(q_BSJI: Tensor, w_BSJ: Tensor) -> Tensor:
    """The tensor whose dtype decides: the weights where the queries are in FP8."""
    return w_BSJ if q_BSJI.dtype == torch.float8_e4m3fn else q_BSJI


def index_scores(
    q_BSJI: Tensor, keys: Tensor | IndexKeys, w_BSJ: Tensor, positions_BS: Tensor, *, impl: Impl = "auto"
) -> Tensor:
    """As ``reference_cache.index_scores``: keys k_BTI, or in a cache, in FP8 or in pages.

    The kernel has no gradient ("auto" leaves a call that needs one to torch).
    """
    served = not _learns(q_BSJI, as_keys(keys).rows, w_BSJ)
    module = _implementation(impl, _numbers(q_BSJI, w_BSJ), served=served, specification=reference_cache)
    return module.index_scores(q_BSJI, keys, w_BSJ, positions_BS)


def select_topk(scores_BST: Tensor, k: int, *, impl: Impl = "auto") -> Tensor:
    """As ``reference.select_topk``."""
    return _implementation(impl, scores_BST).select_topk(scores_BST, k)


def index_topk(
    q_BSJI: Tensor,
    keys: Tensor | IndexKeys,
    w_BSJ: Tensor,
    positions_BS: Tensor,
    k: int,
    *,
    fused: bool = False,
    impl: Impl = "auto",
) -> Tensor:
    """As ``reference_cache.index_topk``; ``fused`` asks the kernels to keep scores out of device memory."""
    module = _implementation(impl, _numbers(q_BSJI, w_BSJ), specification=reference_cache)
    return module.index_topk(q_BSJI, keys, w_BSJ, positions_BS, k, fused=fused)


def sparse_mla(
    q_BSHD: Tensor, kv_BTD: Tensor, indices_BSK: Tensor, scale: float, latent: int, *, impl: Impl = "auto"
) -> Tensor:
    """As ``reference.sparse_mla``. The kernel's gradients are deterministic if torch asks for such algorithms."""
    module = _implementation(impl, q_BSHD, served=latent <= LARGEST_LATENT)
    return module.sparse_mla(q_BSHD, kv_BTD, indices_BSK, scale, latent)


def sparse_mla_decode(
    q_BHD: Tensor, rows_ND: Tensor, indices_BK: Tensor, scale: float, latent: int, *, impl: Impl = "auto"
) -> Tensor:
    """As ``reference.sparse_mla_decode``. The kernel has no gradient."""
    module = _implementation(impl, q_BHD, served=latent <= LARGEST_LATENT and not _learns(q_BHD, rows_ND))
    return module.sparse_mla_decode(q_BHD, rows_ND, indices_BK, scale, latent)


def sparse_mla_decode_fp8(
    q_BHD: Tensor, rows_NX: Tensor, indices_BK: Tensor, scale: float, latent: int, *, impl: Impl = "auto"
) -> Tensor:
    """As ``reference_fp8.sparse_mla_decode_fp8``, over rows that ``quantize_rows`` made. The kernel has no gradient."""
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
    """As ``reference_kl.indexer_kl``."""
    module = _implementation(impl, q_BSHD, specification=reference_kl)
    return module.indexer_kl(index, q_BSHD, kv_BTD, positions_BS, scale, indices_BSK)
