"""Contiguous cache whose rows and keys are rounded to FP8: what decoding over an FP8 cache is compared with."""

from torch import Tensor
from typing_extensions import override

from kernels import dispatch
from kernels.dispatch import IndexKeys
from model.cache import ContiguousLayerCache
from model.transformer import DsaModel


class RoundedLayerCache(ContiguousLayerCache):
    """Rows and keys rounded to FP8 before anything reads them."""

    def __init__(self, model: DsaModel, capacity: int) -> None:
        like = model.model.embed_tokens.weight.detach()
        super().__init__(model.config, 1, capacity, like)
        self._widths = model.config.kv_lora_rank, model.config.qk_rope_head_dim

    @override
    def store(self, rows_BSD: Tensor, keys_BSI: Tensor | None, positions_BS: Tensor) -> None:
        latent, rope = self._widths
        rounded_BSD = dispatch.dequantize_rows(dispatch.quantize_rows(rows_BSD, latent), latent, rope)
        super().store(rounded_BSD.to(rows_BSD.dtype), keys_BSI, positions_BS)

    @override
    def index_keys(self) -> IndexKeys:
        return IndexKeys(*dispatch.quantize(super().index_keys().rows))
