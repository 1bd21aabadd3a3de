"""Merging of models with a common base by their weights."""
