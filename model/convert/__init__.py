"""Conversion of grouped-query models (Llama, Mistral, Qwen) to DSA: weights, indexer warm-up, loss from selection."""

from model.convert.gqa import convert_gqa

__all__ = ["convert_gqa"]
