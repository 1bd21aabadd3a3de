"""Conversion of pretrained Llama models to DSA: weights, indexer warm-up, and the loss from sparse selection."""

from model.convert.gqa import convert_gqa

__all__ = ["convert_gqa"]
