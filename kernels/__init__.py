"""DeepSeek-Sparse-Attention operations.

Hugging Face has a package of the same name, for which ``transformers`` probes: this file stays light and names no
version.
"""
