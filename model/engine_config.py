"""Settings of the generation engine. Importing it loads no torch, so that configurations can be checked without."""

from typing import Literal

from core.config import STRICT, Positive, settings
from model.errors import ModelError

RowsFormat = Literal["model", "fp8"]


@settings(frozen=True, config=STRICT)
class EngineConfig:
    """Sizes of the cache and of a step, and what a completion records.

    ``cache_tokens`` is the capacity of the KV cache for all sequences together, in pages of ``page_size`` tokens.
    ``max_num_seqs`` sequences decode side by side; a step takes up to ``max_prefill_tokens`` of waiting prompts.
    ``rows_format``: latent rows and indexer keys of the cache in the model's dtype, or in FP8 (e4m3 with scales).
    ``decode_graphs``: decode steps of fixed shapes, which are CUDA graphs on a GPU.
    ``speculate`` drafts a token with the model's MTP layer in every step. ``capture_routing`` records the experts of
    every token, ``capture_selection`` the tokens that it attended to.
    Raises a ValueError (pydantic's ValidationError) where a number is below 1, or the cache holds less than one page.
    """

    cache_tokens: Positive = 65536
    page_size: Positive = 64
    max_num_seqs: Positive = 64
    max_prefill_tokens: Positive = 2048
    rows_format: RowsFormat = "model"
    decode_graphs: bool = False
    speculate: bool = False
    capture_routing: bool = False
    capture_selection: bool = False

    def __post_init__(self) -> None:
        if self.cache_tokens < self.page_size:
            raise ModelError(f"cache_tokens={self.cache_tokens} is less than one page of {self.page_size} tokens")
