"""A step of vLLM as attention needs it, made once for all layers.

Shape suffixes: N tokens of a step, B sequences, P pages of a sequence.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from typing_extensions import override
from vllm.config import VllmConfig
from vllm.forward_context import get_forward_context
from vllm.v1.attention.backend import (
    AttentionBackend,
    AttentionCGSupport,
    AttentionMetadata,
    AttentionMetadataBuilder,
    CommonAttentionMetadata,
    MultipleOf,
)
from vllm.v1.attention.backends.utils import split_decodes_and_prefills
from vllm.v1.kv_cache_interface import KVCacheSpec


@dataclass
class Prefill:
    """A sequence with several new tokens: rows ``first`` to ``end`` of the step, ``tokens`` with its earlier ones."""

    sequence: int
    first: int
    end: int
    tokens: int


@dataclass
class Batch(AttentionMetadata):
    """A step of ``tokens`` new tokens: first ``decodes`` sequences with one each, then ``prefills``.

    ``longest``: tokens of the longest decoding sequence; where a CUDA graph must serve any, those of the context.
    """

    tokens: int
    decodes: int
    prefills: list[Prefill]
    longest: int
    table_BP: Tensor
    slots_N: Tensor


class BatchBuilder(AttentionMetadataBuilder[Batch]):
    """Makes a ``Batch`` of what vLLM's runner knows; no tensor is allocated."""

    _cudagraph_support: ClassVar[AttentionCGSupport] = AttentionCGSupport.UNIFORM_SINGLE_TOKEN_DECODE
    reorder_batch_threshold: int | None = 1  # sequences with one new token come first

    @override
    def __init__(
        self, kv_cache_spec: Any, layer_names: list[str], vllm_config: VllmConfig, device: torch.device
    ) -> None:
        super().__init__(kv_cache_spec, layer_names, vllm_config, device)
        self._context = vllm_config.model_config.max_model_len

    @override
    def build(self, common_prefix_len: int, common_attn_metadata: Any, fast_build: bool = False) -> Batch:
        common: CommonAttentionMetadata = common_attn_metadata
        decodes, prefills, decode_tokens, _ = split_decodes_and_prefills(common, decode_threshold=1)
        starts = common.query_start_loc_cpu.tolist()
        lengths = (common.seq_lens if self.device.type == "cpu" else common.seq_lens_cpu_upper_bound).tolist()
        sequences = range(decodes, decodes + prefills)
        return Batch(
            tokens=common.num_actual_tokens,
            decodes=decode_tokens,
            prefills=[Prefill(place, starts[place], starts[place + 1], lengths[place]) for place in sequences],
            longest=max(lengths[:decodes], default=0),
            table_BP=common.block_table_tensor,
            slots_N=common.slot_mapping[: common.num_actual_tokens],
        )

    @override
    def build_for_cudagraph_capture(self, common_attn_metadata: CommonAttentionMetadata) -> Batch:
        batch = self.build(0, common_attn_metadata)
        batch.longest = self._context
        return batch


class DsaBackend(AttentionBackend):
    """Names the builder. Attention itself is a function of the model (``serving.vllm_plugin.attention``)."""

    supported_dtypes: ClassVar[list[torch.dtype]] = [torch.float32, torch.float16, torch.bfloat16]
    supported_kv_cache_dtypes: ClassVar[list[Any]] = ["auto", "float16", "bfloat16"]

    @staticmethod
    @override
    def get_name() -> str:
        return "LEMMATA_DSA"

    @staticmethod
    @override
    def get_supported_kernel_block_sizes(kv_cache_spec: KVCacheSpec | None = None) -> list[int | MultipleOf]:
        return [MultipleOf(16)]

    @staticmethod
    @override
    def get_builder_cls() -> type[BatchBuilder]:
        return BatchBuilder

    @staticmethod
    @override
    def get_impl_cls() -> Any:
        raise NotImplementedError("vLLM asks for it in its own attention layers alone")

    @classmethod
    @override
    def is_mla(cls) -> bool:
        return True

    @classmethod
    @override
    def is_sparse(cls) -> bool:
        return True


def batch_of(layer: str) -> Batch | None:
    """Returns the current step's batch for a cache layer; None while vLLM measures the memory of a step."""
    batches = get_forward_context().attn_metadata
    return batches[layer] if isinstance(batches, dict) else None
